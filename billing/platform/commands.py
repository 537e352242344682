"""The base of every command: one way to report, one table of exit codes."""

import json
import re
import signal
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from enum import IntEnum
from threading import Event
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError

from billing.core.errors import BillingError, Kind

_MONTH = re.compile(r"(?!0000)[0-9]{4}-(0[1-9]|1[0-2])")

UNDEFINED_TABLE = "42P01"
"""SQLSTATE of a table that does not exist."""


class ExitCode(IntEnum):
    """0 done; 1 failed; 2 wrong usage (argparse); 3 findings; 75 try again (EX_TEMPFAIL of sysexits.h)."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    FINDINGS = 3
    TRY_AGAIN = 75


_EXIT_CODES = {
    Kind.NOT_FOUND: ExitCode.USAGE,
    Kind.UNAVAILABLE: ExitCode.TRY_AGAIN,
}


class Refused(CommandError):
    """A typed error as a command shows it: one line on standard error, and an exit code."""

    def __init__(self, error: BillingError) -> None:
        told = ((name, " ".join(texts)) for name, texts in error.fields.items())
        fields = "; ".join(name if text == error.message else f"{name}: {text}" for name, text in told)
        detail = f" ({fields})" if fields else ""
        code = _EXIT_CODES.get(error.kind, ExitCode.FAILED)
        super().__init__(f"{error.message}{detail} [{error.code}]", returncode=int(code))
        self.error = error


class BillingCommand(BaseCommand):
    """A command over the services. Results go to standard output, everything else to standard error.

    `--json` prints a single object instead of text. Typed errors become one line and an exit code.
    """

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="Print one JSON object instead of text.")

    def execute(self, *args: Any, **options: Any) -> str | None:
        self.as_json = bool(options.get("json"))
        try:
            return super().execute(*args, **options)
        except BillingError as error:
            raise Refused(error) from error
        except ProgrammingError as error:
            if getattr(error.__cause__, "sqlstate", None) != UNDEFINED_TABLE:
                raise
            raise CommandError("The database is not migrated yet. Run: manage.py migrate") from error

    def report(self, text: str, data: Mapping[str, Any]) -> None:
        """Print the outcome: `text` for people, or `data` with --json."""
        self.stdout.write(json.dumps(data, default=str) if self.as_json else text)

    def note(self, text: str) -> None:
        """Say something on standard error: progress, warnings."""
        self.stderr.write(text)


def day(text: str) -> date:
    """The argparse type of a day, e.g. 2023-11-30."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"'{text}' is not a day such as 2023-11-30") from error


def month(text: str) -> date:
    """The argparse type of a month, e.g. 2023-11: its first day."""
    if not _MONTH.fullmatch(text):
        raise ArgumentTypeError(f"'{text}' is not a month such as 2023-11")
    return date.fromisoformat(f"{text}-01")


def instant(text: str) -> datetime:
    """The argparse type of an instant: ISO 8601 with an offset, e.g. 2023-12-01T00:00:00Z."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"'{text}' is not an instant such as 2023-12-01T00:00:00Z") from error
    if value.tzinfo is None:
        raise ArgumentTypeError(f"'{text}' needs an offset from UTC, for example 2023-12-01T00:00:00Z")
    return value


def day_or_instant(text: str) -> date | datetime:
    """The argparse type of `--as-of`: a day such as 2023-12-01, or an instant with an offset."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return instant(text)


def as_of_instant(given: date | datetime | None, *, at: datetime, may_look_ahead: bool = False) -> datetime:
    """The instant that `--as-of` means: itself, or the end of the day in UTC, but not later than now for today.

    A later day is left as it is, so that the service refuses it, or looks ahead in a dry run.
    """
    if given is None:
        return at
    if isinstance(given, datetime):
        return given
    end_of_day = datetime.combine(given + timedelta(days=1), time.min, UTC) - timedelta(microseconds=1)
    return min(end_of_day, at) if given == at.astimezone(UTC).date() and not may_look_ahead else end_of_day


@contextmanager
def stop_signal() -> Iterator[Callable[[], bool]]:
    """While the block lasts, SIGTERM and SIGINT only ask to stop; yields the question whether they came."""
    asked = Event()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def ask(number: int, frame: FrameType | None) -> None:
        asked.set()

    for number in before:
        signal.signal(number, ask)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
