"""`manage.py doctor`: is everything in place, and if not, what to do. Changes nothing."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from valueverse.doctor import machine, stores
from valueverse.doctor.findings import as_json, as_text, exit_code


class Command(BaseCommand):
    help = (
        "Says what is configured, reachable, migrated and missing, with the fix. Exit 0, or 3 with findings."
    )
    requires_system_checks = []  # they are among its own questions

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object instead of text")

    def handle(self, *args: Any, **options: Any) -> None:
        results = [result for check in (*machine.CHECKS, *stores.CHECKS) for result in check()]
        self.stdout.write(as_json(results) if options["json"] else as_text(results))
        sys.exit(exit_code(results))
