"""`manage.py close_period`: recognize a month, check the books, close it."""

from argparse import ArgumentParser
from datetime import date, timedelta
from typing import Any

from django.core.management.base import CommandError
from django.db import transaction

from billing.core.money import format_major
from billing.ledger.selectors import trial_balance
from billing.platform.actors import command_actor
from billing.platform.commands import BillingCommand, month
from billing.platform.locks import run_lock
from billing.platform.lookup import get_or_not_found
from customers.models import LegalEntity
from customers.selectors import now_for_seller
from valueverse.closing import close_month, next_month

ACTOR = command_actor("close_period")


class Command(BillingCommand):
    help = (
        "Closes a month of a legal entity's books: releases fees, accrues usage, checks the books, then closes the "
        "period for good. Prints the trial balance. Repeating it changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("month", type=month, help="The month to close, as 2023-11.")
        parser.add_argument("--legal-entity", help="Public id of the seller; needed if there are several.")
        parser.add_argument("--soft", action="store_true", help="Still let recognition and accrual in.")
        parser.add_argument(
            "--dry-run", action="store_true", help="Show the trial balance, and change nothing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        month_on: date = options["month"]
        entity = self.find_entity(options["legal_entity"])
        with run_lock("close_period"), transaction.atomic():
            close_month(
                legal_entity=entity,
                month_on=month_on,
                is_soft=options["soft"],
                actor=ACTOR,
                at=now_for_seller(entity),
            )
            rows = trial_balance(legal_entity=entity, as_of=next_month(month_on) - timedelta(days=1))
            transaction.set_rollback(options["dry_run"])
        currency = entity.accounting_currency
        lines = [f"{row.role} {row.name:<28} {format_major(row.balance_minor, currency):>16}" for row in rows]
        done = (
            "would be closed" if options["dry_run"] else "is soft closed" if options["soft"] else "is closed"
        )
        lines.append(f"{month_on:%B %Y} of {entity} {done}.")
        self.report(
            "\n".join(lines),
            {
                "legal_entity": entity.public_id,
                "month": f"{month_on:%Y-%m}",
                "status": done,
                "currency": currency,
                "trial_balance": {row.role: format_major(row.balance_minor, currency) for row in rows},
            },
        )

    def find_entity(self, public_id: str | None) -> LegalEntity:
        if public_id:
            return get_or_not_found(LegalEntity.objects.all(), kind="legal_entity", public_id=public_id)
        entities = list(LegalEntity.objects.order_by("pk")[:2])
        if len(entities) != 1:
            raise CommandError(
                "There are several legal entities (or none): name one with --legal-entity.", returncode=2
            )
        return entities[0]
