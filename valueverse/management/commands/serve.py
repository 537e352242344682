"""`manage.py serve`: the web process alone, as a container or service unit runs it."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from valueverse.settings.env import parse_duration
from valueverse.web_server import serve


class Command(BaseCommand):
    help = "Serves the site with granian. On SIGTERM it drains first: see --drain."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=settings.PORT, help="or $PORT")
        parser.add_argument("--threads", type=int, default=4, help="requests answered at the same time")
        parser.add_argument(
            "--drain", default="0s", help="how long to go on serving, but not ready, after SIGTERM; like 10s"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        serve(
            host=options["host"],
            port=options["port"],
            threads=options["threads"],
            drain_seconds=parse_duration(options["drain"]).total_seconds(),
        )
