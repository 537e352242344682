"""The web server of one process: granian, with a pause between "please end" and the end.

On SIGTERM the readiness probe turns to 503 at once, so that load balancers send new requests elsewhere, while the
server still answers those that come; after `drain_seconds` it finishes what it has and ends. A second signal, and
Ctrl-C, end it without the pause.
"""

import os
import signal
import tempfile
from pathlib import Path
from threading import Timer
from typing import Any

from granian.constants import Interfaces
from granian.server import MPServer

DRAIN_FILE_VARIABLE = "VV_DRAIN_FILE"  # from the server to its workers; not for people to set


class DrainingServer(MPServer):
    """Granian whose SIGTERM goes through a drain first."""

    def __init__(self, *, drain_seconds: float, drain_file: Path, **options: Any) -> None:
        super().__init__("valueverse.wsgi:application", interface=Interfaces.WSGI, **options)
        self.drain_seconds = drain_seconds
        self.drain_file = drain_file

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        number: int | None = args[0] if args else None
        if number == signal.SIGTERM and self.drain_seconds and not self.drain_file.exists():
            self.drain_file.touch()
            Timer(self.drain_seconds, self.end).start()
        else:
            self.end()

    def end(self) -> None:
        super().signal_handler_interrupt()  # type: ignore[no-untyped-call]


def serve(*, host: str, port: int, threads: int, drain_seconds: float) -> None:
    """Serve the site until told to end."""
    with tempfile.TemporaryDirectory(prefix="valueverse-") as folder:
        drain_file = Path(folder) / "draining"
        os.environ[DRAIN_FILE_VARIABLE] = str(drain_file)
        DrainingServer(
            drain_seconds=drain_seconds,
            drain_file=drain_file,
            address=host,
            port=port,
            blocking_threads=threads,
            websockets=False,
            log_access=False,
            respawn_failed_workers=True,
        ).serve()
