"""`manage.py invite_contact`."""

from argparse import ArgumentParser
from typing import Any

from billing.platform.actors import command_actor
from billing.platform.clock import now
from billing.platform.commands import BillingCommand
from billing.platform.lookup import get_or_not_found
from customers.models import PortalRole
from customers.selectors import customers_visible_to
from customers.services import invite_contact, mail_invitation


class Command(BillingCommand):
    help = "Invite a person to a customer's portal: mails a link that works once, for seven days."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("customer", metavar="CUSTOMER", help="Public id of the customer.")
        parser.add_argument("email", metavar="EMAIL", help="Who is invited.")
        parser.add_argument("--name", default="", help="The person's name.")
        parser.add_argument(
            "--role",
            default=PortalRole.VIEWER.value,
            choices=PortalRole.values,
            help="viewer sees everything; manager also pays and changes company data.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        customer = get_or_not_found(
            customers_visible_to(None), kind="customer", field="customer", public_id=options["customer"]
        )
        made = invite_contact(
            customer=customer,
            email=options["email"],
            name=options["name"],
            role=options["role"],
            actor=command_actor("invite_contact"),
            at=now(),
        )
        mail_invitation(made=made, customer=customer)
        self.report(
            f"Invited {made.link.email} to {customer.name} as {made.link.role}; the mail is out.",
            {
                "id": made.link.public_id,
                "customer": customer.public_id,
                "role": made.link.role,
                "expires_at": made.link.expires_at.isoformat(),
            },
        )
