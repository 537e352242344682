"""The product's processes as children of one: they start together, end together and share a terminal.

web, live, worker and beat do the work; front puts web and live behind one address.
"""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from threading import Event, Thread
from types import FrameType
from typing import IO

from valueverse.embedded import process
from valueverse.embedded.layout import read_value, write_value

QUEUES = "default,billing,payments,documents"
END_SECONDS = 20
MARKER = "manage.py"  # stands in the command line of a supervisor


class AlreadyRunning(Exception):
    """Another supervisor of this checkout runs."""


@dataclass(frozen=True, slots=True)
class Program:
    """One child: the name before its lines, its command, and the word by which that is known again."""

    name: str
    command: list[str]
    marker: str


def programs(port: int) -> list[Program]:
    """What makes up the product, reached at the port; web and live listen where there is room.

    One worker process serves all queues; more machines means more of each.
    """
    celery = [sys.executable, "-m", "celery", "-A", "valueverse", "--quiet"]
    manage = [sys.executable, "manage.py"]
    web, live = free_ports(2) if port else (0, 0)
    front = ["--port", str(port), "--web", str(web), "--live", str(live)]
    return [
        Program("web", [*manage, "serve", "--port", str(web)], "serve"),
        Program("live", [*manage, "serve_live", "--port", str(live)], "serve_live"),
        Program(
            "worker",
            [
                *celery,
                "worker",
                "-Q",
                QUEUES,
                "-c",
                "2",
                "-l",
                "INFO",
                "--without-gossip",
                "--without-mingle",
            ],
            "celery",
        ),
        Program("beat", [*celery, "beat", "-l", "INFO"], "celery"),
        Program("front", [sys.executable, "-m", "valueverse.front", *front], "valueverse.front"),
    ]


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody uses, all different."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((process.LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def run(var: Path, *, port: int) -> str | None:
    """Run everything until a signal asks to end; the name of the child that ended by itself, if one did."""
    pid_file = var / "run.pid"
    if running_pid(var) is not None:
        raise AlreadyRunning(f"already running as process {running_pid(var)}; `make stop` ends it")
    write_value(pid_file, str(os.getpid()))
    asked_to_end = Event()

    def end(number: int, frame: FrameType | None) -> None:
        asked_to_end.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    children: dict[str, subprocess.Popen[str]] = {}
    environment = _environment(var)
    try:
        for program in programs(port):
            children[program.name] = _start(program, environment=environment)
            write_value(var / f"run.{program.name}.pid", str(children[program.name].pid))
        announced = False
        while not asked_to_end.wait(0.5):
            if not announced and is_ready(port):
                announced = True
                print(f"\nReady: http://127.0.0.1:{port}/admin/  (Ctrl-C stops everything)\n", flush=True)
            for name, child in children.items():
                if child.poll() is not None:
                    return name
        return None
    finally:
        _end(children)
        for file in (pid_file, *(var / f"run.{name}.pid" for name in children)):
            file.unlink(missing_ok=True)


def is_ready(port: int) -> bool:
    """Whether web and live answer through the front."""
    return _status(port, "/health/live") == HTTPStatus.OK and (
        _status(port, "/ws/live") == HTTPStatus.UPGRADE_REQUIRED
    )


def _status(port: int, path: str) -> int:
    """The status of an answer; 0 without one."""
    client = http.client.HTTPConnection(process.LOOPBACK, port, timeout=1)
    try:
        client.request("GET", path)
        return client.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        client.close()


def running_pid(var: Path) -> int | None:
    """The process id of the supervisor that runs with this var folder, if one does."""
    kept = read_value(var / "run.pid")
    return int(kept) if kept and process.is_alive(int(kept), marker=MARKER) else None


def stop(var: Path) -> bool:
    """End the supervisor and with it everything it runs, and children of one that was killed; False if none ran."""
    pid = running_pid(var)
    if pid is not None:
        process.stop(pid, marker=MARKER, first=signal.SIGTERM, last=signal.SIGKILL)
    ended = pid is not None
    for program in programs(port=0):
        orphan = _orphan(var, program)
        if orphan is not None:
            process.stop(orphan, marker=program.marker, first=signal.SIGTERM, last=signal.SIGKILL)
            ended = True
    return ended


def _orphan(var: Path, program: Program) -> int | None:
    kept = read_value(var / f"run.{program.name}.pid")
    return int(kept) if kept and process.is_alive(int(kept), marker=program.marker) else None


def _environment(var: Path) -> dict[str, str]:
    """The children's environment: their figures add up in one folder, which begins empty."""
    metrics = var / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir(parents=True)
    return {
        "LOG_FORMAT": "human" if sys.stdout.isatty() else "json",  # the children see a pipe, not the terminal
        # Celery warns root about pickled tasks; ours are JSON, and root of a trial machine is a caller like others.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
        **os.environ,
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "PYTHONUNBUFFERED": "1",
    }


def _start(program: Program, *, environment: dict[str, str]) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        program.command,
        env=environment,
        cwd=Path(__file__).resolve().parents[1],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C reaches the supervisor only, which ends the children in order
    )
    assert child.stdout is not None
    Thread(target=_copy_lines, args=(program.name, child.stdout), daemon=True).start()
    return child


def _copy_lines(name: str, lines: IO[str]) -> None:
    for line in lines:
        with suppress(BrokenPipeError, ValueError):
            sys.stdout.write(f"{name:<7}| {line}")
            sys.stdout.flush()


def _end(children: dict[str, subprocess.Popen[str]]) -> None:
    """SIGTERM for all, so that they finish what they have in hand; SIGKILL for the group of one that does not."""
    for child in children.values():
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + END_SECONDS
    for child in children.values():
        try:
            child.wait(timeout=max(deadline - time.monotonic(), 0.1))
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
