"""`manage.py run`: everything starts behind one address and ends together."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.valueverse.commands import ROOT, clean_environment, manage
from tests.valueverse.live.site import LiveSite, subscribe
from valueverse.embedded import process, servers
from valueverse.supervisor import running_pid

START_SECONDS = 60


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "var"
    manage("servers", "stop", VV_VAR_DIR=str(tmp_path / "var"))
    servers.stop(tmp_path / "var")


def start(var: Path, port: int) -> "subprocess.Popen[str]":
    """`manage.py run`, once it says that it is ready."""
    child = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "run", "--port", str(port)],
        env=clean_environment(VV_VAR_DIR=str(var)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("Ready: "):
            return child
    raise AssertionError(f"ended with {child.wait()} before it was ready")


def status(port: int, address: str) -> int:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{address}", timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def sockets_and_pages_share_the_address(var: Path, port: int) -> None:
    """Whoever signs in at the port gets a socket at the port; whoever does not, does not."""
    site = LiveSite(port)
    assert site.status() == 401
    assert site.status(origin="https://evil.example") == 403
    made = manage(
        "shell",
        "-v0",
        "-c",
        "from django.test import Client\nfrom customers.models import User\nclient = Client()\n"
        "client.force_login(User.objects.create_superuser('boss@seller.example', 'a long password, really'),"
        " backend='django.contrib.auth.backends.ModelBackend')\n"
        "session = client.session\nsession['second_factor'] = 'totp'\nsession.save()\n"  # as staff need it
        "print(client.cookies['session'].value)",
        VV_VAR_DIR=str(var),
    )
    assert made.returncode == 0, made.stderr
    with site.connect(cookie=made.stdout.split()[-1]) as connection:
        assert subscribe(connection, "dashboard", "approvals") == ["approvals", "dashboard"]


@pytest.mark.timeout(300)  # starts everything twice, which a busy machine takes its time for
def test_one_command_serves_the_product_and_stop_ends_all_of_it_even_after_kill_9(var: Path) -> None:
    port = process.free_port(None)
    run = start(var, port)
    started = children(run.pid)
    assert len(started) == 5
    assert process.wait_until(lambda: status(port, "/health/ready") == 200, seconds=START_SECONDS)
    assert status(port, "/health/startup") == 200
    assert status(port, "/admin/login/") == 200
    sockets_and_pages_share_the_address(var, port)

    again = manage("run", "--port", str(port), VV_VAR_DIR=str(var))
    assert again.returncode == 1
    assert f"port {port} is taken" in again.stderr

    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert running_pid(var) is None
    assert any(process.is_alive(pid, marker="") for pid in started)
    assert manage("servers", "stop", VV_VAR_DIR=str(var)).stdout == "stopped: run, postgres, valkey\n"
    assert not any(process.is_alive(pid, marker="") for pid in started)

    run = start(var, port)
    started = children(run.pid)
    assert manage("servers", "stop", VV_VAR_DIR=str(var)).stdout == "stopped: run, postgres, valkey\n"
    assert run.wait(timeout=30) == 0
    assert not any(process.is_alive(pid, marker="") for pid in started)
