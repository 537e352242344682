"""`manage.py export_journal`: the journal of a month as CSV, for the firm's general ledger."""

import csv
import sys
from argparse import ArgumentParser
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any, TextIO

from billing.ledger.selectors import JOURNAL_COLUMNS, journal_rows
from billing.platform.commands import BillingCommand
from billing.platform.lookup import get_or_not_found
from customers.models import LegalEntity
from valueverse.closing import month_of, next_month


class Command(BillingCommand):
    help = "Writes the journal of a month, one posting a row, amounts signed with debit positive, as CSV."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("month", type=month_of, help="The month, as 2023-11.")
        parser.add_argument("--legal-entity", required=True, help="Public id of the seller.")
        parser.add_argument("--output", type=Path, help="File to write; standard output by default.")

    def handle(self, *args: Any, **options: Any) -> None:
        entity = get_or_not_found(
            LegalEntity.objects.all(), kind="legal_entity", public_id=options["legal_entity"]
        )
        month_on: date = options["month"]
        rows = journal_rows(legal_entity=entity, start_on=month_on, end_on=next_month(month_on))
        if options["output"] is None:
            self.write(sys.stdout, rows)
            return
        with options["output"].open("w", newline="", encoding="utf-8") as file:
            count = self.write(file, rows)
        self.report(f"{count} postings written to {options['output']}", {"postings": count})

    def write(self, file: TextIO, rows: Iterable[tuple[str, ...]]) -> int:
        writer = csv.writer(file)
        writer.writerow(JOURNAL_COLUMNS)
        count = 0
        for row in rows:
            writer.writerow(row)
            count += 1
        return count
