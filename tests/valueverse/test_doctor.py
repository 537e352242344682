"""The doctor finds planted misconfigurations, says what to do, and leaves no trace."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.valueverse.commands import manage
from valueverse.embedded import servers

KEY = "only-for-tests-0123456789" * 3


def report(var: Path, **environment: str) -> dict[str, list[dict[str, str]]]:
    """The doctor's results by state; its exit code has to agree with them."""
    done = manage("doctor", "--json", VV_VAR_DIR=str(var), **environment)
    assert done.returncode in (0, 3), done.stderr
    results = json.loads(done.stdout)["results"]
    by_state: dict[str, list[dict[str, str]]] = {"ok": [], "note": [], "problem": []}
    for result in results:
        by_state[result["state"]].append(result)
    assert (done.returncode == 3) == bool(by_state["problem"])
    return by_state


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A var folder whose servers run and whose database is migrated."""
    var = tmp_path_factory.mktemp("installation") / "var"
    try:
        done = manage("migrate", VV_VAR_DIR=str(var), VV_EMBEDDED_FSYNC="off")  # durably it takes much longer
        assert done.returncode == 0, done.stderr
        servers.stop(var)
        manage("servers", "start", VV_VAR_DIR=str(var), VV_EMBEDDED_FSYNC="on")
        yield var
    finally:
        servers.stop(var)


def test_a_fresh_checkout_has_nothing_to_fix_and_looking_makes_nothing(tmp_path: Path) -> None:
    var = tmp_path / "var"
    found = report(var)
    assert found["problem"] == []
    notes = {note["check"]: note["message"] for note in found["note"]}
    assert notes["database"] == "embedded, not running; starts on first use"
    assert notes["redis"] == "embedded, not running; starts on first use"
    assert not var.exists()


def test_a_migrated_installation_is_fine_and_stays_as_it_was(installation: Path) -> None:
    def state() -> dict[str, bytes]:
        kept = [path for path in installation.rglob("*") if path.is_file() and "data" not in path.parts]
        return {str(path): path.read_bytes() for path in kept if "log" not in path.parts}

    before = state()
    found = report(installation)
    assert found["problem"] == []
    assert {"database", "roles", "migrations", "redis", "durability"} <= {
        result["check"] for result in found["ok"]
    }
    assert state() == before


def test_people_get_lines_with_the_fix_below(installation: Path) -> None:
    done = manage("doctor", VV_VAR_DIR=str(installation), ALLOWED_HOSTS="*")
    assert done.returncode == 3
    assert "ALLOWED_HOSTS allows every host name" in done.stdout
    assert "-> name the hosts under which the site is reached" in done.stdout


@pytest.mark.parametrize(
    ("planted", "check", "words"),
    [
        ({"ALLOWED_HOSTS": "*"}, "addresses", "every host name"),
        ({"ALLOWED_HOSTS": "billing.example.com"}, "addresses", "not over HTTPS"),
        ({"ALLOWED_HOSTS": "billing.example.com", "VV_HTTPS": "true"}, "addresses", "SITE_URL is http://"),
        (
            {"ALLOWED_HOSTS": "a.example.com", "VV_HTTPS": "true", "SITE_URL": "https://b.example.com"},
            "addresses",
            "ALLOWED_HOSTS refuses",
        ),
        ({"CORS_ALLOWED_ORIGINS": "http://app.example.com"}, "addresses", "not HTTPS"),
        ({"ALLOWED_HOSTS": "billing.example.com", "DEBUG": "true"}, "debug", "DEBUG is on"),
        ({"SECRET_KEY": "a" * 60}, "secret key", "placeholder"),
        ({"EMAIL_URL": "smtp://127.0.0.1:1"}, "mail", "does not answer"),
        ({"REDIS_URL": "redis://127.0.0.1:1/0"}, "redis", "does not answer"),
        ({"DATABASE_URL": "postgresql://app@127.0.0.1:1/books", "SECRET_KEY": KEY}, "database", "as default"),
        ({"VV_VAR_DIR": "/etc/hostname/var"}, "var folder", "cannot be written"),
        ({"DEBUG": "yes"}, "configuration", "DEBUG"),
        ({"SECRET_KEY": KEY, "SECRET_KEY_FILE": "/dev/null"}, "configuration", "set both"),
    ],
)
def test_a_planted_misconfiguration_is_found_with_its_fix(
    tmp_path: Path, planted: dict[str, str], check: str, words: str
) -> None:
    environment = {"VV_VAR_DIR": str(tmp_path / "var")} | planted
    found = report(Path(environment.pop("VV_VAR_DIR")), **environment)
    matching = [
        result for result in found["problem"] if result["check"] == check and words in result["message"]
    ]
    assert matching, found["problem"]
    assert all(result["fix"] for result in matching)


def test_one_role_for_everything_is_found(installation: Path) -> None:
    owner = servers.known_database_urls(installation).owner
    found = report(installation, DATABASE_URL=owner, DATABASE_OWNER_URL=owner, SECRET_KEY=KEY)
    assert [result["check"] for result in found["problem"]] == ["roles"]


def test_a_database_that_is_not_migrated_is_found(installation: Path) -> None:
    owner = servers.known_database_urls(installation).owner
    empty = owner.rpartition("/")[0] + "/template1"
    application = servers.known_database_urls(installation).application.rpartition("/")[0] + "/template1"
    found = report(installation, DATABASE_URL=application, DATABASE_OWNER_URL=empty, SECRET_KEY=KEY)
    assert [(result["check"], result["fix"]) for result in found["problem"]] == [
        ("migrations", "manage.py migrate")
    ]


def test_a_database_without_durability_is_found(tmp_path: Path) -> None:
    var = tmp_path / "var"
    try:
        manage("servers", "start", VV_VAR_DIR=str(var), VV_EMBEDDED_FSYNC="off")
        messages = [result["message"] for result in report(var)["problem"] if result["check"] == "durability"]
        assert len(messages) == 2
        assert messages[0].startswith("fsync is off")
    finally:
        servers.stop(var)
