"""Sending the trace to the installation's own web server, over HTTP with an API key, as an integrator would."""

import csv
import ctypes
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from django.conf import settings

BATCH = 1000
START_SECONDS = 60
TIMEOUT_SECONDS = 60
RETRIES_MAX = 20
_PR_SET_PDEATHSIG = 1  # prctl(2)


class SendingFailed(Exception):
    """The web server did not start or refused what was sent."""


@contextmanager
def web_server() -> Iterator[int]:
    """Run the product's web server on a free port of the loopback while the block lasts; yields the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    log_path = Path(settings.VAR_DIR) / "log" / "demo-web.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log:
        server = subprocess.Popen(
            [sys.executable, str(settings.BASE_DIR / "manage.py"), "serve", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            preexec_fn=end_with_parent,  # noqa: PLW1509 - runs no Python of ours but one system call
        )
    try:
        _wait_until_live(server, port, log_path)
        yield port
    finally:
        server.terminate()
        try:
            server.wait(timeout=20)
        except subprocess.TimeoutExpired:
            server.kill()


def end_with_parent() -> None:
    """Ask Linux to end this child when its parent dies, even by kill -9; elsewhere it is ended in `finally` only.

    For a child process, before it becomes its program.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _wait_until_live(server: "subprocess.Popen[bytes]", port: int, log_path: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/health/live")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise SendingFailed(f"The web server did not start; see {log_path}.")


def trace_events(
    file: Path, *, customer_id: str, event_type: str, limit: int | None
) -> Iterator[dict[str, object]]:
    """The requests of a trace file as usage events; the id is the timestamp as printed."""
    with file.open(newline="") as lines:
        for row in islice(csv.DictReader(lines), limit):
            yield {
                "id": row["TIMESTAMP"],
                "customer": customer_id,
                "type": event_type,
                "at": row["TIMESTAMP"].replace(" ", "T") + "Z",
                "properties": {
                    "input_tokens": int(row["ContextTokens"]),
                    "output_tokens": int(row["GeneratedTokens"]),
                },
            }


def count_requests(file: Path, *, limit: int | None) -> int:
    """How many requests a trace file holds, up to the limit."""
    with file.open(newline="") as lines:
        return sum(1 for _ in islice(csv.DictReader(lines), limit))


def send_events(
    events: Iterator[dict[str, object]], *, port: int, secret: str, progress: Callable[[int], None]
) -> Counter[str]:
    """Send events in batches; returns how many got which verdict. Raises SendingFailed on any other answer.

    progress: called with the size of each batch that was answered.
    """
    counts: Counter[str] = Counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
    while batch := list(islice(events, BATCH)):
        answer = _post(connection, {"events": batch}, secret)
        counts.update(answer["counts"])
        progress(len(batch))
    connection.close()
    return counts


def _post(connection: http.client.HTTPConnection, body: object, secret: str) -> dict[str, dict[str, int]]:
    """One batch; waits as long as the server asks for when it says 429 or 503."""
    for _ in range(RETRIES_MAX):
        connection.request(
            "POST",
            "/api/v1/usage/events/batch",
            body=json.dumps(body),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {secret}"},
        )
        response = connection.getresponse()
        content = response.read()
        if response.status == 200:
            answer: dict[str, dict[str, int]] = json.loads(content)
            return answer
        if response.status not in (429, 503):
            break
        time.sleep(int(response.getheader("Retry-After", "1")))
    raise SendingFailed(f"The server answered {response.status}: {content.decode(errors='replace')[:500]}")
