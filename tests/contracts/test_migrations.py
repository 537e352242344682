"""Migrations are complete, in one line per app, and named by hand."""

import re
from pathlib import Path

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
OURS = sorted(config.label for config in apps.get_app_configs() if config.name.split(".")[0] in PACKAGES)


@pytest.fixture(scope="module")
def loader() -> MigrationLoader:
    return MigrationLoader(None)


@pytest.mark.django_db
def test_models_have_no_change_without_a_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


@pytest.mark.parametrize("label", OURS)
def test_each_app_has_one_last_migration(label: str, loader: MigrationLoader) -> None:
    assert len(loader.graph.leaf_nodes(label)) <= 1


@pytest.mark.parametrize("label", OURS)
def test_names_count_up_and_say_what_they_do(label: str, loader: MigrationLoader) -> None:
    names = sorted(name for app, name in loader.disk_migrations if app == label)
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))
    assert [name for name in names if re.search(r"_auto_|_and_more|_\d{8}_", name)] == []


@pytest.mark.django_db
def test_the_application_s_role_owns_nothing_and_can_read_what_was_migrated() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT count(*) FROM django_migrations")
        (applied,) = cursor.fetchone()
    assert applied > len(OURS)
