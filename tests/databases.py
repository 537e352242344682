"""Template and clones of the test database, made through the owner's connection."""

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fcntl import LOCK_EX, flock
from functools import cache
from pathlib import Path
from typing import Any

import django
import psycopg
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg import sql

PREFIX = "vv_test"
DROP_ATTEMPTS = 50
ALIASES = ("default", "owner")


@dataclass(slots=True)
class TestDatabases:
    """The databases that this process makes. Everything here runs as the owner."""

    __test__ = False  # not a test class, whatever its name says

    var: Path
    maintenance: str = field(default_factory=lambda: settings.DATABASES["owner"]["NAME"])
    clones: list[str] = field(default_factory=list)
    made: int = 0

    @property
    def template(self) -> str:
        return f"vv_template_{migrations_hash()}"

    @property
    def story_template(self) -> str:
        """A database in which the demo was played, by this state of the sources."""
        return f"vv_template_story_{sources_hash()}"

    def prepare_template(self) -> None:
        """Make and migrate the template unless another process or an earlier run did."""
        self.var.mkdir(parents=True, exist_ok=True)
        with (self.var / "template.lock").open("w") as lock:
            flock(lock, LOCK_EX)
            self._drop_leftovers()
            if self._exists(self.template):
                return
            building = self._begin("template0")
            self.use(building)
            call_command("migrate", verbosity=0, interactive=False)
            self.use(self.maintenance)
            self._run("ALTER DATABASE {} RENAME TO {}", building, self.template)

    def prepare_story(self, play: Callable[[str], None]) -> None:
        """Make the story's template likewise: `play` fills the migrated database of that name, in a process of its own.

        A lock of its own, since playing takes ten seconds: other test runs need not wait for it.
        """
        with (self.var / "story.lock").open("w") as lock:
            flock(lock, LOCK_EX)
            if self._exists(self.story_template):
                return
            building = self._begin(self.template)
            play(building)
            self._run("ALTER DATABASE {} RENAME TO {}", building, self.story_template)

    def clone(self, template: str = "") -> str:
        """A fresh copy of the template, or of another one; its name."""
        self.made += 1
        name = f"{PREFIX}_{os.getpid()}_{self.made}"
        self._run("CREATE DATABASE {} TEMPLATE {}", name, template or self.template)
        self.clones.append(name)
        return name

    def use(self, name: str) -> None:
        """Point both aliases to the database `name`, in this thread and in those to come."""
        self.close_connections()
        for alias in ALIASES:
            settings.DATABASES[alias]["NAME"] = name
            connections[alias].settings_dict["NAME"] = name

    def close_connections(self) -> None:
        for alias in ALIASES:
            connections[alias].close()
        # While an event loop runs in this thread, as Playwright's does, Django keeps other connections for it.
        of_loops = getattr(connections._connections._storage, "cvar", None)
        for alias in ALIASES:
            other = getattr(of_loops, alias, None)
            if other is not None:
                other.close()

    def drop(self, name: str) -> None:
        """Drop a clone, with whatever connections a crashed or careless thread has left open."""
        self._drop(name)
        self.clones.remove(name)

    def drop_clones(self) -> None:
        for name in list(self.clones):
            self.drop(name)

    def _begin(self, template: str) -> str:
        """A database to be filled before it gets its name."""
        building = f"{PREFIX}_building_{os.getpid()}"
        self._run("DROP DATABASE IF EXISTS {}", building)
        self._run("CREATE DATABASE {} TEMPLATE {}", building, template)
        return building

    def _drop_leftovers(self) -> None:
        """Drop templates of other states of the migrations or sources, and clones of processes that died."""
        for name in self._names(r"vv\_template\_%"):
            if name not in (self.template, self.story_template):
                self._run("DROP DATABASE IF EXISTS {}", name)
        for name in self._names(PREFIX.replace("_", r"\_") + r"\_%"):
            pid = name.removeprefix(f"{PREFIX}_").removeprefix("building_").split("_")[0]
            if pid.isdigit() and not (Path("/proc") / pid).exists():
                self._drop(name)

    def _drop(self, name: str) -> None:
        """The owner may end every session but that of an autovacuum worker, which is gone in a moment."""
        for _ in range(DROP_ATTEMPTS - 1):
            try:
                return self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
            except psycopg.errors.InsufficientPrivilege:
                time.sleep(0.1)
        return self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def _names(self, pattern: str) -> list[str]:
        with self._connect() as connection:
            rows = connection.execute(
                "SELECT datname FROM pg_database WHERE datname LIKE %s", [pattern]
            ).fetchall()
        return [row[0] for row in rows]

    def _exists(self, name: str) -> bool:
        with self._connect() as connection:
            return (
                connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
                is not None
            )

    def _run(self, statement: str, *names: str) -> None:
        with self._connect() as connection:
            connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        parameters = connections["owner"].get_connection_params() | {"dbname": self.maintenance}
        for django_only in ("cursor_factory", "context"):
            parameters.pop(django_only, None)
        return psycopg.connect(**parameters, autocommit=True)


def migrations_hash() -> str:
    """A name for the state of all migrations, of our apps and of those we installed."""
    digest = hashlib.sha256(django.get_version().encode())
    digest.update(settings.DATABASES["default"]["USER"].encode())  # migrations grant to this role
    for config in sorted(apps.get_app_configs(), key=lambda config: config.label):
        folder = Path(config.path) / "migrations"
        for file in sorted([*folder.glob("*.py"), *folder.glob("sql/*.sql")]):
            digest.update(str(file.relative_to(folder)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


@cache
def sources_hash() -> str:
    """A name for the state of everything that takes part in the demo: code, templates, data."""
    digest = hashlib.sha256(migrations_hash().encode())
    root = Path(settings.BASE_DIR)
    for folder in ("valueverse", "billing", "customers", "payments", "templates"):
        for file in sorted(path for path in (root / folder).rglob("*") if path.is_file()):
            if file.suffix != ".pyc":
                digest.update(str(file.relative_to(root)).encode())
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
