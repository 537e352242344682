"""`manage.py serve_live`: the live process alone, as a container or service unit runs it."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from valueverse.live.server import serve


class Command(BaseCommand):
    help = "Serves /ws/ with uvicorn: pages hear that something changed. SIGTERM closes the sockets and ends."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.PORT + 1, help="$PORT + 1 unless given")

    def handle(self, *args: Any, **options: Any) -> None:
        serve(host=options["host"], port=options["port"])
