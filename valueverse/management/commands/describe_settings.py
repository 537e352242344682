"""`manage.py describe_settings`: the table of environment variables, generated from the settings themselves."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from valueverse.settings.reference import reference

TARGET = "deploy/configuration.md"


class Command(BaseCommand):
    help = f"Prints the reference of all environment variables, or writes it to {TARGET}."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true", help=f"write {TARGET}")

    def handle(self, *args: Any, **options: Any) -> None:
        text = reference()
        if options["write"]:
            (settings.BASE_DIR / TARGET).write_text(text)
            self.stdout.write(f"wrote {TARGET}")
        else:
            self.stdout.write(text)
