"""What every command has in common."""

import json
import sys
from argparse import ArgumentTypeError
from datetime import UTC, date, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import ManagementUtility, call_command
from django.core.management.base import CommandError

from billing.core.errors import BillingError, InvalidInput, Kind
from billing.platform.commands import BillingCommand, ExitCode, Refused, day, instant, month


class Locked(BillingError):
    code = "locked"
    kind = Kind.UNAVAILABLE


class Asked(BillingCommand):
    """A command that does what it is made for."""

    requires_system_checks = []

    def __init__(self, error: BillingError | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.error = error

    def handle(self, *args: Any, **options: Any) -> None:
        if self.error:
            raise self.error
        self.note("working")
        self.report("3 done", {"done": 3})


def test_text_is_for_people_and_json_for_programs() -> None:
    for json_wanted, expected in ((False, "3 done"), (True, '{"done": 3}')):
        out, err = StringIO(), StringIO()
        call_command(Asked(stdout=out, stderr=err, no_color=True), json=json_wanted)
        assert out.getvalue().strip() == expected
        assert err.getvalue().strip() == "working"
    assert json.loads(out.getvalue()) == {"done": 3}


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (
            InvalidInput("Too long.", field="name"),
            ExitCode.FAILED,
            "Refused: Too long. (name) [invalid_input]",
        ),
        (Locked("Another process runs."), ExitCode.TRY_AGAIN, "Refused: Another process runs. [locked]"),
    ],
)
def test_typed_error_is_one_line_and_an_exit_code(
    error: BillingError, code: ExitCode, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = Asked(error, stdout=StringIO(), stderr=sys.stderr, no_color=True)
    with pytest.raises(SystemExit) as ended:
        command.run_from_argv(["manage.py", "asked"])
    assert ended.value.code == code
    assert capsys.readouterr().err.strip() == line


def test_wrong_usage_ends_with_two() -> None:
    with pytest.raises(SystemExit) as ended:
        Asked().run_from_argv(["manage.py", "asked", "--nonsense"])
    assert ended.value.code == ExitCode.USAGE


def test_caller_inside_python_gets_the_typed_error() -> None:
    with pytest.raises(Refused) as refused:
        call_command(Asked(InvalidInput("No.")))
    assert isinstance(refused.value.error, InvalidInput)
    assert isinstance(refused.value, CommandError)


def test_instant_of_a_command_names_its_offset() -> None:
    assert instant("2023-12-01T00:00:00Z") == datetime(2023, 12, 1, tzinfo=UTC)
    for wrong in ("2023-12-01T00:00:00", "2023-12-01", "soon"):
        with pytest.raises(Exception, match=r"instant|offset"):
            instant(wrong)


def test_day_and_month_of_a_command() -> None:
    assert day("2023-11-30") == date(2023, 11, 30)
    assert month("2023-11") == date(2023, 11, 1)
    for wrong in ("2023-11-31", "30.11.2023", "soon", ""):
        with pytest.raises(ArgumentTypeError, match="is not a day such as 2023-11-30"):
            day(wrong)
    for wrong in ("2023-13", "2023-1", "2023-W4", "0000-01", "11/2023", "november"):
        with pytest.raises(ArgumentTypeError, match="is not a month such as 2023-11"):
            month(wrong)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["close_period", "november"], "'november' is not a month such as 2023-11"),
        (
            ["export_journal", "2023-11-01", "--legal-entity", "x"],
            "'2023-11-01' is not a month such as 2023-11",
        ),
        (["recognize_revenue", "--as-of", "soon"], "'soon' is not a day such as 2023-11-30"),
    ],
)
def test_wrong_day_or_month_is_answered_with_what_one_looks_like(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        ManagementUtility(["manage.py", *arguments]).execute()
    assert ended.value.code == ExitCode.USAGE
    said = capsys.readouterr().err
    assert told in said
    assert "invalid" not in said
