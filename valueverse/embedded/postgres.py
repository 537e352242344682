"""The embedded PostgreSQL 18: one cluster, one database, two roles.

`valueverse_owner` owns the database and makes its tables (and test databases, hence CREATEDB); `valueverse_app`
is what the application connects as and owns nothing. Both sign in by scram over the loopback address; there is no
socket and no trust. fsync stays on, except where VV_EMBEDDED_FSYNC=off says that losing the data does not matter.
"""

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from valueverse.embedded import privileges, process
from valueverse.embedded.layout import Layout, read_value, secret_in, write_value
from valueverse.embedded.process import LOOPBACK, EmbeddedServerError

DATABASE = "valueverse"
OWNER = "valueverse_owner"
APPLICATION = "valueverse_app"
SUPERUSER = "postgres"
MAX_CONNECTIONS = 200


@dataclass(frozen=True, slots=True)
class Postgres:
    """The cluster below one var folder."""

    layout: Layout

    @property
    def log(self) -> Path:
        return self.layout.logs / "postgres.log"

    @property
    def data(self) -> Path:
        return privileges.home(self.layout, self._mode_kept()) / "data"

    @property
    def port(self) -> int | None:
        kept = read_value(self.layout.postgres / "port")
        return int(kept) if kept else None

    def url(self, role: str) -> str:
        """The connection address of OWNER or APPLICATION; the cluster must have been started once."""
        password = quote(self._password(role), safe="")
        return f"postgresql://{role}:{password}@{LOOPBACK}:{self.port}/{DATABASE}"

    def pid(self) -> int | None:
        """The server's process id if it runs; a file left by a crash is not believed."""
        try:
            first = (self.data / "postmaster.pid").read_text().split("\n", 1)[0].strip()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None
        alive = first.isdigit() and process.is_alive(int(first), marker=str(self.data))
        return int(first) if alive else None

    def is_running(self) -> bool:
        return self.port is not None and self.pid() is not None and process.answers(self.port)

    def start(self) -> None:
        """Make the cluster if there is none, start the server if it does not run, see to roles and database.

        The caller holds the layout's lock.
        """
        if self.is_running() and (self.layout.postgres / "ready").exists():
            return
        mode = privileges.choose_mode(self.layout, os.environ.get("VV_EMBEDDED_RUN_AS", ""))
        bin_folder = privileges.binaries(self.layout, mode)
        if not (self.layout.postgres / "initialized").exists():
            self._make_cluster(bin_folder, mode)
        if self.pid() is None:
            self._start_server(bin_folder, mode)
        self._create_roles_and_database()
        write_value(self.layout.postgres / "ready", "roles and database exist")

    def stop(self) -> bool:
        """End the server without losing anything; False if it did not run."""
        pid = self.pid()
        if pid is None:
            return False
        process.stop(pid, marker=str(self.data), first=signal.SIGINT, last=signal.SIGQUIT)
        return True

    def _mode_kept(self) -> str:
        return read_value(self.layout.postgres / "runs_as") or "self"

    def _password(self, role: str) -> str:
        return secret_in(self.layout.postgres / f"{role}.password")

    def _make_cluster(self, bin_folder: Path, mode: str) -> None:
        data = self.data
        if data.exists():
            raise EmbeddedServerError(
                f"{data} holds a half-made or foreign cluster. Move it away (or remove it, if nothing in it matters)."
            )
        incoming = data.with_name(
            "data.incoming"
        )  # renamed when complete: a killed initdb leaves no half cluster
        privileges.remove_tree(incoming)
        password_file = privileges.readable_copy(self._password(SUPERUSER), beside=incoming, mode=mode)
        try:
            process.run_unprivileged(
                [
                    str(bin_folder / "initdb"),
                    f"--pgdata={incoming}",
                    f"--username={SUPERUSER}",
                    f"--pwfile={password_file}",
                    "--auth=scram-sha-256",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--no-instructions",
                    *(["--no-sync"] if not fsync() else []),
                ],
                run_as=mode,
            )
        finally:
            password_file.unlink()
        incoming.rename(data)
        write_value(self.layout.postgres / "initialized", "PostgreSQL 18")

    def _start_server(self, bin_folder: Path, mode: str) -> None:
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # pid() has just said that its process is gone
        port = process.free_port(read_value(self.layout.postgres / "port"))
        write_value(self.layout.postgres / "port", str(port))
        settings = {
            "port": port,
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",
            "max_connections": MAX_CONNECTIONS,
            "timezone": "UTC",
            "log_timezone": "UTC",
            "fsync": "on" if fsync() else "off",
            "synchronous_commit": "on" if fsync() else "off",
            "full_page_writes": "on" if fsync() else "off",
        }
        command = [str(bin_folder / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        pid = process.start_detached(command, run_as=mode, log=self.log)
        process.wait_until(
            lambda: self._accepts() or not process.is_alive(pid, marker=""), seconds=process.START_SECONDS
        )
        if not self._accepts():
            raise EmbeddedServerError(
                f"PostgreSQL did not start. The end of {self.log}:\n{process.last_lines(self.log)}"
            )

    def _accepts(self) -> bool:
        """Whether the server says in its pid file that it takes connections (8th line, "ready")."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def _create_roles_and_database(self) -> None:
        with psycopg.connect(
            host=LOOPBACK,
            port=self.port,
            user=SUPERUSER,
            password=self._password(SUPERUSER),
            dbname="postgres",
            autocommit=True,
            connect_timeout=10,
        ) as connection:
            for role, rights in ((APPLICATION, "LOGIN"), (OWNER, "LOGIN CREATEDB")):
                found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
                statement = "ALTER" if found else "CREATE"
                connection.execute(
                    sql.SQL(f"{statement} ROLE {{role}} {rights} PASSWORD {{password}}").format(
                        role=sql.Identifier(role), password=sql.Literal(self._password(role))
                    )
                )
            # The owner may end the application's sessions, which dropping a database needs.
            connection.execute(
                sql.SQL("GRANT {} TO {}").format(sql.Identifier(APPLICATION), sql.Identifier(OWNER))
            )
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(DATABASE), sql.Identifier(OWNER)
                    )
                )


def fsync() -> bool:
    """Whether commits have to survive a power cut; only tests say no."""
    return os.environ.get("VV_EMBEDDED_FSYNC", "on") != "off"
