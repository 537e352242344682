"""`manage.py advance_clock`."""

from argparse import ArgumentParser
from typing import Any

from billing.platform.actors import command_actor
from billing.platform.clock import now
from billing.platform.commands import BillingCommand, instant
from billing.platform.lookup import get_or_not_found
from customers.selectors import test_clocks
from customers.services import advance_test_clock


class Command(BillingCommand):
    help = "Move a test clock forward. What falls due by then is worked off afterwards."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("clock_id", metavar="CLOCK_ID", help="Id of the clock, clk_...")
        parser.add_argument("--to", type=instant, required=True, metavar="ISO", help="What it shows then.")

    def handle(self, *args: Any, **options: Any) -> None:
        clock = get_or_not_found(test_clocks(), kind="test_clock", public_id=options["clock_id"])
        before = clock.now_at
        moved = advance_test_clock(
            clock=clock, to=options["to"], actor=command_actor("advance_clock"), at=now()
        )
        data = {
            "id": moved.public_id,
            "name": moved.name,
            "from": before.isoformat(),
            "now_at": moved.now_at.isoformat(),
        }
        self.report(f"{moved.name}: {before.isoformat()} -> {moved.now_at.isoformat()}", data)
