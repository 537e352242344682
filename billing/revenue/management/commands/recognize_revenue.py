"""`manage.py recognize_revenue`: release fees and accrue usage by the month of the service."""

from argparse import ArgumentParser
from contextlib import nullcontext
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction

from billing.core.money import format_major
from billing.platform import metrics
from billing.platform.actors import command_actor
from billing.platform.commands import BillingCommand, day
from billing.platform.locks import run_lock
from billing.platform.lookup import get_or_not_found
from billing.revenue.services import recognize_revenue
from customers.models import Customer, LegalEntity
from customers.selectors import now_for_seller

ACTOR = command_actor("recognize_revenue")


class Command(BillingCommand):
    help = (
        "Releases deferred fees whose service is delivered and accrues the usage of months that have ended, per "
        "legal entity. Running it again recognizes nothing twice."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--as-of", type=day, help="Last day of service to recognize; yesterday by default."
        )
        parser.add_argument("--legal-entity", help="Only this seller (public id); all by default.")
        parser.add_argument("--customer", help="Only this customer (public id).")
        parser.add_argument("--dry-run", action="store_true", help="Show the sums, and change nothing.")

    def handle(self, *args: Any, **options: Any) -> None:
        customer = None
        if options["customer"]:
            customer = get_or_not_found(
                Customer.objects.all(), kind="customer", public_id=options["customer"]
            )
        entities = list(LegalEntity.objects.order_by("pk"))
        if options["legal_entity"]:
            found = get_or_not_found(
                LegalEntity.objects.all(), kind="legal_entity", public_id=options["legal_entity"]
            )
            entities = [found]
        rolled_back = transaction.atomic() if options["dry_run"] else nullcontext()
        with (
            run_lock("recognize_revenue"),
            metrics.RUN_DURATION.labels(run="recognition").time(),
            rolled_back,
        ):
            results = [self.recognize(entity, options["as_of"], customer) for entity in entities]
            if options["dry_run"]:
                transaction.set_rollback(True)
        lines = [
            f"{row['legal_entity']}: {row['slices']} slices {row['released']}, {row['accruals']} accruals "
            f"{row['accrued']} {row['currency']} as of {row['as_of']}"
            for row in results
        ]
        self.report(
            "\n".join(lines) or "There is no legal entity.",
            {"dry_run": options["dry_run"], "results": results},
        )

    def recognize(self, entity: LegalEntity, as_of: date | None, customer: Customer | None) -> dict[str, Any]:
        yesterday = now_for_seller(entity).astimezone(ZoneInfo(entity.time_zone)).date() - timedelta(days=1)
        through_on = as_of or yesterday
        result = recognize_revenue(
            legal_entity=entity, as_of=through_on, actor=ACTOR, at=now_for_seller(entity), customer=customer
        )
        return {
            "legal_entity": entity.name,
            "as_of": through_on.isoformat(),
            "currency": entity.accounting_currency,
            "slices": result.slices,
            "released": format_major(result.slices_minor, entity.accounting_currency),
            "accruals": result.accruals,
            "accrued": format_major(result.accruals_minor, entity.accounting_currency),
        }
