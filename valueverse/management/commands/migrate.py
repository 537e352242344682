"""Django's `migrate` as the role that owns the tables, giving up rather than blocking everybody behind a lock."""

from django.core.management.base import CommandParser
from django.core.management.commands import migrate


class Command(migrate.Command):
    help = migrate.Command.help + " Runs as the owner (DATABASE_OWNER_URL) with a lock timeout."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")  # its connection sets lock_timeout, see settings/databases.py
