"""Dropping and recreating the installation's database, for the demo's --reset."""

import time

import psycopg
from django.conf import settings
from django.db import connections
from psycopg import sql


class CannotRecreate(Exception):
    """The owner's role may not drop or create databases on this server."""


DROP_TRIES = 5


def _drop(server: "psycopg.Connection[tuple[object, ...]]", name: sql.Identifier) -> None:
    """Drop the database. A background worker that nobody but the server may end makes it fail for a moment."""
    for attempt in range(1, DROP_TRIES + 1):
        try:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            return
        except psycopg.errors.InsufficientPrivilege:
            if attempt == DROP_TRIES:
                raise
            time.sleep(0.5 * attempt)


def recreate_database() -> None:
    """Drop the database with everything in it and make an empty one, as the owner's role.

    Ends other sessions on it. Raises CannotRecreate with what the role needs.
    """
    for connection in connections.all(initialized_only=True):
        connection.close()
    owner = settings.DATABASES["owner"]
    name = sql.Identifier(owner["NAME"])
    try:
        with psycopg.connect(
            host=owner["HOST"],
            port=owner["PORT"],
            user=owner["USER"],
            password=owner["PASSWORD"],
            dbname="postgres",
            autocommit=True,
        ) as server:
            _drop(server, name)
            server.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, sql.Identifier(owner["USER"])))
    except psycopg.Error as error:
        raise CannotRecreate(
            f"The database could not be recreated ({error}). The role {owner['USER']} needs CREATEDB and must own "
            "the database."
        ) from error
