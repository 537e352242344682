"""The product as its users reach it: a web server in a process of its own, on a database with the demo's story."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connections

from tests.databases import TestDatabases
from valueverse.demo.sender import end_with_parent
from valueverse.embedded.process import LOOPBACK
from valueverse.outbox import drain_outbox
from valueverse.supervisor import free_ports

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
            "STAFF_SECOND_FACTOR": "optional",  # asked of those who have one
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
    """The product on that database while the block lasts: web, live, and the front that makes one address of them.

    Yields the origin, like http://127.0.0.1:1. What a worker would do, tests do at the moment they choose:
    `follow_up()`, which also tells open pages through the live process.
    """
    port, web, live = free_ports(3)
    origin = f"http://{LOOPBACK}:{port}"
    given = environment(database, SITE_URL=origin, PORT=str(port))
    manage = [sys.executable, str(ROOT / "manage.py")]
    commands = {
        "web": [*manage, "serve", "--port", str(web)],
        "live": [*manage, "serve_live", "--port", str(live)],
        "front": [
            *(sys.executable, "-m", "valueverse.front"),
            *("--port", str(port), "--web", str(web), "--live", str(live)),
        ],
    }
    with ExitStack() as running:
        logs = []
        for name, command in commands.items():
            logs.append(VAR / f"{name}-{os.getpid()}.log")
            running.enter_context(_process(command, given, logs[-1]))
        _wait_until(f"{origin}/health/live", logs)
        _wait_until(f"http://{LOOPBACK}:{live}/health/live", logs)
        yield origin


@contextmanager
def _process(command: list[str], given: dict[str, str], log_path: Path) -> Iterator[None]:
    with log_path.open("wb") as log:
        child = subprocess.Popen(
            command,
            env=given,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=end_with_parent,  # noqa: PLW1509 - runs no Python of ours but one system call
        )
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(timeout=20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _wait_until(address: str, logs: list[Path]) -> None:
    """Wait for an answer, whatever it says: the process listens."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except urllib.error.HTTPError as error:
            if error.code < 500:
                return
            time.sleep(0.1)
        except OSError:
            time.sleep(0.1)
    said = "\n".join(log.read_text()[-2000:] for log in logs)
    raise AssertionError(f"{address} does not answer:\n{said}")


def follow_up() -> None:
    """What a worker does: everything that follows from events so far, to its end.

    In a thread of its own, since what is told to open pages needs an event loop and the browser's runs in this one.
    """

    def work() -> None:
        try:
            drain_outbox()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as worker:
        worker.submit(work).result(timeout=DEMO_SECONDS)


def _url(alias: str, database: str) -> str:
    entry = settings.DATABASES[alias]
    password = quote(str(entry["PASSWORD"]), safe="")
    return f"postgresql://{entry['USER']}:{password}@{entry['HOST']}:{entry['PORT']}/{database}"
