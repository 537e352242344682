"""Both embedded servers together: what the settings, `manage.py servers` and `doctor` call."""

import os
from dataclasses import dataclass
from pathlib import Path

from valueverse.embedded import postgres, process
from valueverse.embedded.layout import Layout
from valueverse.embedded.postgres import Postgres
from valueverse.embedded.process import EmbeddedServerError
from valueverse.embedded.valkey import Valkey


@dataclass(frozen=True, slots=True)
class ServerState:
    """What `status` says about one server. pid and port are None where it does not run or never did."""

    name: str
    running: bool
    pid: int | None
    port: int | None
    log: Path


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """The two addresses of the embedded database."""

    owner: str
    application: str


def database_urls(var: Path) -> DatabaseUrls:
    """The addresses of the embedded PostgreSQL below `var`, started if it does not run."""
    layout = Layout(var)
    server = Postgres(layout)
    if not (server.is_running() and (layout.postgres / "ready").exists()):
        _start(server)
    return known_database_urls(var)


def known_database_urls(var: Path) -> DatabaseUrls:
    """The same addresses without starting anything; where the server never ran they lead nowhere."""
    server = Postgres(Layout(var))
    if not (server.layout.postgres / "ready").exists():
        nowhere = f"postgresql://not-started@{process.LOOPBACK}:1/{postgres.DATABASE}"
        return DatabaseUrls(owner=nowhere, application=nowhere)
    return DatabaseUrls(owner=server.url(postgres.OWNER), application=server.url(postgres.APPLICATION))


def redis_url(var: Path) -> str:
    """The address of the embedded Valkey below `var`, started if it does not run."""
    layout = Layout(var)
    server = Valkey(layout)
    if not server.is_running():
        _start(server)
    return server.url()


def known_redis_url(var: Path) -> str:
    """The same address without starting anything."""
    server = Valkey(Layout(var))
    return server.url() if server.port is not None else f"redis://{process.LOOPBACK}:1/0"


def _start(server: Postgres | Valkey) -> None:
    """Start one server while no other process does."""
    try:
        server.layout.create()
        with process.exclusive(server.layout.lock):
            server.start()
    except OSError as error:
        raise EmbeddedServerError(
            f"cannot start the embedded servers below {server.layout.root}: {error}"
        ) from error


def stop(var: Path) -> list[str]:
    """Stop what runs below `var`; the names of the servers that did."""
    layout = Layout(var)
    if not layout.root.exists():
        return []
    with process.exclusive(layout.lock):
        stopped = {"postgres": Postgres(layout).stop(), "valkey": Valkey(layout).stop()}
    return [name for name, did_run in stopped.items() if did_run]


def status(var: Path) -> list[ServerState]:
    """What runs below `var`; changes nothing."""
    layout = Layout(var)
    return [
        ServerState(name, server.is_running(), server.pid(), server.port, server.log)
        for name, server in (("postgres", Postgres(layout)), ("valkey", Valkey(layout)))
    ]


def var_folder(base: Path) -> Path:
    """The folder for everything a running installation writes: VV_VAR_DIR, or `var` in the checkout."""
    return Path(os.environ.get("VV_VAR_DIR") or base / "var").resolve()
