"""`manage.py reset_second_factor`."""

from argparse import ArgumentParser
from typing import Any

from billing.platform.actors import command_actor
from billing.platform.clock import now
from billing.platform.commands import BillingCommand
from billing.platform.lookup import get_or_not_found
from customers.models import User
from customers.services import reset_second_factors


class Command(BillingCommand):
    help = (
        "Remove a person's authenticator app, passkeys and recovery codes and sign them out everywhere. Make sure "
        "that it is they who ask: whoever has the password sets up the new one."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("email", metavar="EMAIL", help="Who has lost them.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = get_or_not_found(
            User.objects.all(), kind="user", field="email", email__iexact=options["email"]
        )
        removed = reset_second_factors(user=user, actor=command_actor("reset_second_factor"), at=now())
        done = f"Removed {removed} of {user.email}" if removed else f"{user.email} had none"
        self.report(f"{done}; signed out everywhere.", {"user": user.public_id, "removed": removed})
