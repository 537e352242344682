"""`manage.py run`: the whole product in one terminal behind one address."""

import socket
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from valueverse import supervisor


class Command(BaseCommand):
    help = "Migrates, then runs web, live, worker and beat behind one address until Ctrl-C or `make stop`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT, help="or $PORT")

    def handle(self, *args: Any, **options: Any) -> None:
        port: int = options["port"]
        self._refuse_taken_port(port)
        call_command("migrate", verbosity=0, interactive=False)
        try:
            failed = supervisor.run(settings.VAR_DIR, port=port)
        except supervisor.AlreadyRunning as error:
            raise CommandError(str(error)) from None
        if failed:
            raise CommandError(f"{failed} ended by itself; its last lines above say why")

    def _refuse_taken_port(self, port: int) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise CommandError(
                    f"port {port} is taken. Stop what uses it (`make stop` ends an earlier run), "
                    f"or choose another one: PORT={port + 1} make run"
                ) from None
