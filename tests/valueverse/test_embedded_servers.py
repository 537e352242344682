"""The embedded servers as an operator meets them: started, found again, killed, stopped, beside each other."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.valueverse.commands import ROOT, clean_environment
from valueverse.embedded import servers
from valueverse.embedded.layout import Layout
from valueverse.embedded.postgres import Postgres
from valueverse.embedded.privileges import home


def embedded(action: str, var: Path, **environment: str) -> str:
    """The output of `python -m valueverse.embedded`; fails the test if it hangs or fails."""
    done = subprocess.run(
        [sys.executable, "-m", "valueverse.embedded", action],
        env=clean_environment(VV_VAR_DIR=str(var), **environment),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def query(url: str, statement: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
    return row[0] if row else None


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    """A folder below one that only its owner may enter, as a clone in a temporary directory is."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    yield closed / "var"
    servers.stop(closed / "var")


def test_start_makes_two_servers_that_outlive_the_command_and_stop_ends_them(var: Path) -> None:
    assert "not running" in embedded("status", var)
    assert not var.exists(), "looking must not make anything"

    embedded("start", var)  # returns though its output is captured: the servers hold none of it
    urls = servers.known_database_urls(var)
    assert query(urls.application, "SELECT current_user::text") == "valueverse_app"
    assert redis.Redis.from_url(servers.known_redis_url(var)).ping()

    assert embedded("stop", var) == "stopped: postgres, valkey\n"
    assert embedded("stop", var) == f"nothing was running in {var}\n"
    with pytest.raises(psycopg.OperationalError):
        query(urls.application, "SELECT 1")


def test_starting_again_finds_the_same_servers_and_a_restart_keeps_ports_and_data(var: Path) -> None:
    embedded("start", var)
    before = servers.status(var)
    embedded("start", var)
    assert servers.status(var) == before

    owner = servers.known_database_urls(var).owner
    with psycopg.connect(owner) as connection:
        connection.execute("CREATE TABLE kept (word text)")
        connection.execute("INSERT INTO kept VALUES ('still here')")
    embedded("stop", var)
    embedded("start", var)
    assert [state.port for state in servers.status(var)] == [state.port for state in before]
    assert query(owner, "SELECT word FROM kept") == "still here"


def test_after_kill_9_the_next_start_recovers(var: Path) -> None:
    embedded("start", var, VV_EMBEDDED_FSYNC="on")
    owner = servers.known_database_urls(var).owner
    with psycopg.connect(owner) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    for state in servers.status(var):
        assert state.pid is not None
        os.kill(state.pid, signal.SIGKILL)
    embedded("start", var, VV_EMBEDDED_FSYNC="on")
    assert query(owner, "SELECT answer FROM kept") == 42
    assert redis.Redis.from_url(servers.known_redis_url(var)).ping()


def test_parallel_starters_end_up_with_one_server(var: Path) -> None:
    starters = [
        subprocess.Popen(
            [sys.executable, "-m", "valueverse.embedded", "start"],
            env=clean_environment(VV_VAR_DIR=str(var)),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(3)
    ]
    outputs = {starter.communicate(timeout=60)[0] for starter in starters}
    assert len(outputs) == 1, outputs  # all three name the same processes and ports
    assert [starter.returncode for starter in starters] == [0, 0, 0]


def test_two_checkouts_run_side_by_side(var: Path) -> None:
    other = var.with_name("other")
    try:
        embedded("start", var)
        embedded("start", other)
        ports = {state.port for folder in (var, other) for state in servers.status(folder)}
        assert len(ports) == 4
        embedded("stop", other)
        assert all(state.running for state in servers.status(var))
    finally:
        servers.stop(other)


def test_roles_have_passwords_of_their_own_and_the_application_owns_nothing(var: Path) -> None:
    embedded("start", var)
    urls = servers.known_database_urls(var)
    assert query(
        urls.owner, "SELECT datdba::regrole::text FROM pg_database WHERE datname = 'valueverse'"
    ) == ("valueverse_owner")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        query(urls.application, "CREATE TABLE mine ()")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        query(urls.owner.replace("valueverse_owner:", "valueverse_owner:x"), "SELECT 1")
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=int(servers.status(var)[1].port or 0), retry=Retry(NoBackoff(), 0)).ping()
    secrets = [path for path in var.rglob("*password*") if path.is_file()]
    assert len(secrets) == 4
    assert all(path.stat().st_mode & 0o077 == 0 for path in secrets)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
def test_root_without_user_namespaces_runs_it_as_nobody_outside_of_the_closed_folder(var: Path) -> None:
    folder = home(Layout(var), "nobody")
    mode = var.parent.stat().st_mode
    try:
        embedded("start", var, VV_EMBEDDED_RUN_AS="nobody")
        pid = Postgres(Layout(var)).pid()
        assert Path(f"/proc/{pid}").stat().st_uid == 65534
        assert query(servers.known_database_urls(var).application, "SELECT 1") == 1
        assert folder.stat().st_mode & 0o077 == 0
        assert var.parent.stat().st_mode == mode
        embedded("stop", var)
        embedded("start", var)  # it remembers how it was made
        assert query(servers.known_database_urls(var).application, "SELECT 1") == 1
    finally:
        servers.stop(var)
        subprocess.run(["rm", "-rf", str(folder)], check=True)
