"""`manage.py export_journal`: the journal of a month as CSV, for the firm's general ledger."""

import csv
import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import CommandError
from django.db import transaction

from billing.invoices.services import note_journal_export
from billing.ledger.selectors import JOURNAL_COLUMNS, journal_rows
from billing.ledger.services import record_export
from billing.platform.actors import command_actor
from billing.platform.clock import now
from billing.platform.commands import BillingCommand, month
from billing.platform.lookup import get_or_not_found
from customers.models import LegalEntity
from customers.selectors import now_for_seller
from valueverse.closing import next_month

ACTOR = command_actor("export_journal")


class Command(BillingCommand):
    help = (
        "Writes the journal of a month as CSV, one posting a row, amounts signed with debit positive. The documents in "
        "it count as exported from then on: they are credited, no longer voided."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("month", type=month, help="The month, as 2023-11.")
        parser.add_argument("--legal-entity", required=True, help="Public id of the seller.")
        parser.add_argument("--output", type=Path, help="File to write; standard output by default.")

    def handle(self, *args: Any, **options: Any) -> None:
        entity = get_or_not_found(
            LegalEntity.objects.all(), kind="legal_entity", public_id=options["legal_entity"]
        )
        start_on, end_on = options["month"], next_month(options["month"])
        rows = journal_rows(legal_entity=entity, start_on=start_on, end_on=end_on)
        output: Path | None = options["output"]
        if output is None:
            self.note_export(entity, start_on)
            self.write(sys.stdout, rows)
            return
        partial = output.with_name(f"{output.name}.part")
        try:
            with partial.open("w", newline="", encoding="utf-8") as file:
                count = self.write(file, rows)
            self.note_export(entity, start_on)
            partial.rename(output)
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror}.") from error
        self.report(f"{count} postings written to {output}", {"postings": count})

    @staticmethod
    def note_export(entity: LegalEntity, month_on: date) -> None:
        """Record the export, and that its documents have left the house."""
        with transaction.atomic():
            note_journal_export(legal_entity=entity, start_on=month_on, end_on=next_month(month_on), at=now())
            record_export(legal_entity=entity, month_on=month_on, actor=ACTOR, at=now_for_seller(entity))

    def write(self, file: TextIO, rows: Iterable[tuple[str, ...]]) -> int:
        writer = csv.writer(file)
        writer.writerow(JOURNAL_COLUMNS)
        count = 0
        for row in rows:
            writer.writerow(row)
            count += 1
        return count
