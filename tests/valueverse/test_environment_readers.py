"""The readers of environment variables: right values, wrong values, secrets in files."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.valueverse.commands import manage
from valueverse.settings.env import ConfigurationError, Environment


def problem_of(environment: Environment) -> str:
    with pytest.raises(ConfigurationError) as caught:
        environment.finish()
    (problem,) = caught.value.problems
    return problem


@pytest.mark.parametrize(
    ("raw", "value"), [("true", True), ("1", True), ("ON", True), ("off", False), ("0", False)]
)
def test_a_boolean_is_read(raw: str, value: bool) -> None:
    assert Environment({"FLAG": raw}).boolean("FLAG", not value, "") is value


@pytest.mark.parametrize("raw", ["yes", "no", "2", "truee"])
def test_yes_and_other_guesses_are_no_booleans(raw: str) -> None:
    environment = Environment({"FLAG": raw})
    environment.boolean("FLAG", False, "")
    assert problem_of(environment).startswith(f"FLAG: '{raw}' must be true or false")


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("7d", timedelta(days=7)),
    ],
)
def test_a_duration_is_read(raw: str, value: timedelta) -> None:
    assert Environment({"WAIT": raw}).duration("WAIT", "1s", "") == value


@pytest.mark.parametrize("raw", ["30", "1.5s", "-1s", "1 week"])
def test_a_duration_without_a_known_unit_is_refused(raw: str) -> None:
    environment = Environment({"WAIT": raw})
    environment.duration("WAIT", "1s", "")
    assert "must be a duration" in problem_of(environment)


def test_numbers_and_lists_are_read_and_defaults_stand_in() -> None:
    environment = Environment({"COUNT": "3", "RATE": "0.25", "NAMES": "a, b,,c "})
    assert environment.integer("COUNT", 1, "") == 3
    assert environment.decimal("RATE", Decimal(1), "") == Decimal("0.25")
    assert environment.strings("NAMES", [], "") == ["a", "b", "c"]
    assert environment.integer("UNSET", 7, "") == 7
    environment.finish()


@pytest.mark.parametrize("raw", ["x", "1.5", "99999999999999"])
def test_what_is_no_whole_number_is_refused(raw: str) -> None:
    environment = Environment({"COUNT": raw})
    environment.integer("COUNT", 1, "")
    assert problem_of(environment).startswith("COUNT: ")


@pytest.mark.parametrize("raw", ["NaN", "Infinity", "1e", "a"])
def test_what_is_no_finite_decimal_is_refused(raw: str) -> None:
    environment = Environment({"RATE": raw})
    environment.decimal("RATE", Decimal(1), "")
    assert problem_of(environment).startswith("RATE: ")


@pytest.mark.parametrize("raw", ["http://example.com", "redis://", "redis://host:port/0", "localhost:6379"])
def test_an_address_needs_scheme_host_and_a_port_that_is_a_number(raw: str) -> None:
    environment = Environment({"ADDRESS": raw})
    environment.url("ADDRESS", "", ("redis",), "")
    assert problem_of(environment).startswith("ADDRESS: ")


def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from the file\n")
    assert Environment({"KEY_FILE": str(file)}).secret("KEY", "") == "from the file"


def test_a_secret_given_twice_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from the file")
    environment = Environment({"KEY": "direct", "KEY_FILE": str(file)})
    environment.secret("KEY", "")
    assert problem_of(environment) == "KEY: set both directly and by KEY_FILE; remove one of them"


def test_a_secret_file_that_is_missing_or_empty_is_an_error(tmp_path: Path) -> None:
    environment = Environment({"KEY_FILE": str(tmp_path / "missing")})
    environment.secret("KEY", "")
    assert "cannot read" in problem_of(environment)
    (tmp_path / "empty").touch()
    environment = Environment({"KEY_FILE": str(tmp_path / "empty")})
    environment.secret("KEY", "")
    assert "is empty" in problem_of(environment)


def test_a_message_never_shows_a_secret() -> None:
    environment = Environment({"ADDRESS": "ftp://user:hunter2@host", "KEY": "hunter2"})
    environment.url("ADDRESS", "", ("redis",), "", secret=True)
    environment.secret("KEY", "", shortest=50)
    with pytest.raises(ConfigurationError) as caught:
        environment.finish()
    assert len(caught.value.problems) == 2
    assert "hunter2" not in str(caught.value)


WRONG = {
    "DEBUG": "yes",
    "VV_PROXY_COUNT": "many",
    "REDIS_URL": "http://cache",
    "DATABASE_LOCK_TIMEOUT": "5",
    "LOG_FORMAT": "xml",
    "SECRET_KEY": "short",
    "OPERATIONS_ALLOWED_IPS": "10.0.0.0/99",
    "DATABASE_OWNER_URL": "postgresql://owner@db/books",
}


def test_the_start_stops_and_names_every_wrong_variable_at_once(tmp_path: Path) -> None:
    done = manage("migrate", VV_VAR_DIR=str(tmp_path / "var"), **WRONG)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert [name for name in WRONG if f"- {name}: " not in done.stderr] == []
    assert not (tmp_path / "var").exists(), "nothing starts with a wrong configuration"


def test_a_real_database_needs_no_other_change_and_gets_a_secret_key_of_its_own(tmp_path: Path) -> None:
    real = {"DATABASE_URL": "postgresql://app@db/books", "REDIS_URL": "redis://cache:6379/0"}
    done = manage("check", VV_VAR_DIR=str(tmp_path / "var"), **real)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "var" / "secret_key").read_text().strip()) >= 40  # 256 bits in base 64
