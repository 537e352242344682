"""One line of the doctor's report, and how reports are written. Works without Django's settings."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum

EXIT_FINE = 0
EXIT_FINDINGS = 3


class State(StrEnum):
    OK = "ok"
    NOTE = "note"  # worth knowing, nothing to do
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Result:
    """What one check found; `fix` says what to do about a problem."""

    check: str
    state: State
    message: str
    fix: str = ""


def ok(check: str, message: str) -> Result:
    return Result(check, State.OK, message)


def note(check: str, message: str) -> Result:
    return Result(check, State.NOTE, message)


def problem(check: str, message: str, fix: str) -> Result:
    return Result(check, State.PROBLEM, message, fix)


def configuration_problems(problems: Iterable[str]) -> list[Result]:
    """The settings' own complaints as results: with them nothing else can be looked at."""
    return [problem("configuration", text, "see deploy/configuration.md") for text in problems]


def as_text(results: list[Result]) -> str:
    """The report for people."""
    marks = {State.OK: "ok  ", State.NOTE: "note", State.PROBLEM: "FIX "}
    lines = []
    for result in results:
        lines.append(f"{marks[result.state]}  {result.check:<14} {result.message}")
        if result.fix:
            lines.append(f"{'':<20} -> {result.fix}")
    count = sum(result.state is State.PROBLEM for result in results)
    lines.append("")
    lines.append(f"{count} finding(s) to fix" if count else "nothing to fix")
    return "\n".join(lines)


def as_json(results: list[Result]) -> str:
    """The report for programs: one object."""
    return json.dumps(
        {"ok": exit_code(results) == EXIT_FINE, "results": [asdict(result) for result in results]}
    )


def exit_code(results: list[Result]) -> int:
    return EXIT_FINDINGS if any(result.state is State.PROBLEM for result in results) else EXIT_FINE
