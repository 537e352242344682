"""Processes and ports of the embedded servers: start detached, look whether alive, stop."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launcher.py")
LOOPBACK = "127.0.0.1"
START_SECONDS = 60  # recovery after a crash of the machine may take a while
STOP_SECONDS = 30


class EmbeddedServerError(Exception):
    """An embedded server could not be started or stopped; the message says what to look at."""


@contextmanager
def exclusive(lock_file: Path) -> Iterator[None]:
    """Hold the file's lock while the block lasts; the kernel frees it if this process dies."""
    with lock_file.open("w") as file:
        flock(file, LOCK_EX)
        yield


def start_detached(command: list[str], *, run_as: str, log: Path) -> int:
    """Start `command` in a session of its own, with nothing of ours open, and return its process id."""
    launcher = [sys.executable, "-I", str(LAUNCHER), "--as", run_as, "--log", str(log), "--", *command]
    done = subprocess.run(
        launcher, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/", check=False
    )
    if done.returncode != 0:
        raise EmbeddedServerError(f"cannot start {command[0]}: {done.stderr.strip()}")
    return int(done.stdout)


def run_unprivileged(command: list[str], *, run_as: str) -> str:
    """Run `command` to its end and return its output; EmbeddedServerError with that output if it fails."""
    launcher = [sys.executable, "-I", str(LAUNCHER), "--as", run_as, "--", *command]
    done = subprocess.run(
        launcher, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd="/", check=False
    )
    if done.returncode != 0:
        raise EmbeddedServerError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def is_alive(pid: int, *, marker: str) -> bool:
    """Whether process `pid` runs and its command line contains `marker` (a number may have been given anew)."""
    proc = Path("/proc") / str(pid)
    if Path("/proc/self").exists():
        try:
            state = (proc / "stat").read_text().rpartition(")")[2].split()[0]
            return state != "Z" and marker in (proc / "cmdline").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return False
    listing = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return marker in listing.stdout


def stop(pid: int, *, marker: str, first: signal.Signals, last: signal.Signals) -> None:
    """Ask process `pid` to end with signal `first`, after STOP_SECONDS with `last`, and wait for it."""
    for sig in (first, last):
        if not is_alive(pid, marker=marker):
            return
        os.kill(pid, sig)
        if wait_until(lambda: not is_alive(pid, marker=marker), seconds=STOP_SECONDS):
            return
    raise EmbeddedServerError(f"process {pid} ({marker}) does not end")


def wait_until(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Poll `condition` until it holds; False if it still does not after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def answers(port: int) -> bool:
    """Whether something accepts connections on the loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def free_port(preferred: str | None) -> int:
    """The preferred port if nobody uses it, else one the kernel picks."""
    for candidate in (int(preferred or 0), 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise EmbeddedServerError("no free port on the loopback address")


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a log file, for an error message."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-count:])
