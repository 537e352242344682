"""`manage.py create_api_key`."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from billing.platform.actors import command_actor
from billing.platform.clock import now
from billing.platform.commands import BillingCommand, ExitCode, instant
from billing.platform.lookup import get_or_not_found
from billing.platform.scopes import ALL_SCOPES
from customers.selectors import customers_visible_to
from customers.services import create_api_key


def named_scopes(text: str) -> list[str]:
    """What `--scopes` names: 'all', or scopes with commas between them."""
    if text == "all":
        return list(ALL_SCOPES)
    named = [one.strip() for one in text.split(",") if one.strip()]
    unknown = sorted(set(named) - set(ALL_SCOPES))
    if unknown or not named:
        raise CommandError(
            f"--scopes: unknown {', '.join(unknown) or '(nothing named)'}; there is {', '.join(ALL_SCOPES)}",
            returncode=int(ExitCode.USAGE),
        )
    return named


class Command(BillingCommand):
    help = "Make an API key and print its secret, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--name", required=True, help="What uses the key, for example 'metering gateway'."
        )
        parser.add_argument(
            "--scopes",
            default="all",
            help=f"Comma-separated, or 'all': {', '.join(ALL_SCOPES)}.",
        )
        parser.add_argument("--customer", metavar="ID", help="Bind the key to this customer alone.")
        parser.add_argument("--expires", type=instant, metavar="ISO", help="First instant at which it fails.")

    def handle(self, *args: Any, **options: Any) -> None:
        customer = None
        if options["customer"]:
            customer = get_or_not_found(
                customers_visible_to(None), kind="customer", field="customer", public_id=options["customer"]
            )
        made = create_api_key(
            name=options["name"],
            scopes=named_scopes(options["scopes"]),
            customer=customer,
            expires_at=options["expires"],
            actor=command_actor("create_api_key"),
            at=now(),
        )
        self.note("Keep the secret now: it is not stored and cannot be shown again.")
        self.report(
            made.secret,
            {
                "id": made.key.public_id,
                "name": made.key.name,
                "secret": made.secret,
                "scopes": made.key.scopes,
                "customer": customer.public_id if customer else None,
                "expires_at": made.key.expires_at.isoformat() if made.key.expires_at else None,
            },
        )
