"""The product as its users reach it: a web server in a process of its own, on a database with the demo's story."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connections

from tests.databases import TestDatabases
from valueverse.demo.sender import end_with_parent

ROOT = Path(settings.BASE_DIR)
VAR = Path(settings.VAR_DIR) / "browser"
START_SECONDS = 60
DEMO_SECONDS = 90


def environment(database: str, **changes: str) -> dict[str, str]:
    """A process that works on `database` with this process's Redis and signing key, and nothing else configured."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    VAR.mkdir(parents=True, exist_ok=True)
    (VAR / "secret_key").write_text(settings.SECRET_KEY)  # a made-up key is read from its file
    return (
        kept
        | {
            "VV_VAR_DIR": str(VAR),
            "DATABASE_URL": _url("default", database),
            "DATABASE_OWNER_URL": _url("owner", database),
            "REDIS_URL": settings.REDIS_URL,
            "LOG_LEVEL": "WARNING",
            "PYTHONUNBUFFERED": "1",
        }
        | changes
    )


def play_demo(database: str) -> None:
    """Play the whole demo in a migrated database, as `make demo` does."""
    connections.close_all()
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "demo", "--json"],
        env=environment(database),
        capture_output=True,
        text=True,
        timeout=DEMO_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def story_clone(databases: TestDatabases) -> str:
    """A database of its own in which the demo was played; the story is played once and copied from then on."""
    databases.prepare_story(play_demo)
    return databases.clone(databases.story_template)


@contextmanager
def served(database: str) -> Iterator[str]:
    """The product's web server on that database while the block lasts; yields the origin, like http://127.0.0.1:1."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    origin = f"http://127.0.0.1:{port}"
    log_path = VAR / f"web-{os.getpid()}.log"
    with log_path.open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, str(ROOT / "manage.py"), "serve", "--port", str(port)],
            env=environment(database, SITE_URL=origin),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - runs no Python of ours but one system call
        )
    try:
        _wait_until_live(server, origin, log_path)
        yield origin
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_live(server: "subprocess.Popen[bytes]", origin: str, log_path: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{origin}/health/live", timeout=2):
                return
        except (OSError, urllib.error.HTTPError):
            time.sleep(0.1)
    raise AssertionError(f"the web server did not start:\n{log_path.read_text()[-2000:]}")


def _url(alias: str, database: str) -> str:
    entry = settings.DATABASES[alias]
    password = quote(str(entry["PASSWORD"]), safe="")
    return f"postgresql://{entry['USER']}:{password}@{entry['HOST']}:{entry['PORT']}/{database}"
