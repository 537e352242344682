"""`manage.py servers start|stop|status`: the embedded servers, and whatever `manage.py run` left running."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from valueverse import supervisor
from valueverse.embedded import servers


class Command(BaseCommand):
    help = "Starts, stops or shows the embedded PostgreSQL and Valkey; stop also ends `manage.py run`."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", choices=["start", "stop", "status"])

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "stop":
            stopped = ["run"] if supervisor.stop(settings.VAR_DIR) else []
            stopped += servers.stop(settings.VAR_DIR)
            self.stdout.write(
                f"stopped: {', '.join(stopped)}" if stopped else f"nothing was running in {settings.VAR_DIR}"
            )
            return
        if options["action"] == "start":
            servers.database_urls(settings.VAR_DIR)
            servers.redis_url(settings.VAR_DIR)
        for state in servers.status(settings.VAR_DIR):
            where = f"port {state.port}, process {state.pid}" if state.running else "not running"
            self.stdout.write(f"{state.name:<10}{where}, log {state.log}")
