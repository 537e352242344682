"""`manage.py simulate`: published billing cases, or a seller's own, answered by the product's calculation."""

import json
import sys
from argparse import ArgumentParser, FileType
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any

from django.core.management.base import CommandError

from billing.platform.commands import BillingCommand, ExitCode
from valueverse.simulation.answers import answer
from valueverse.simulation.comparison import faults

LINE_MAX = 1_000_000


class Command(BillingCommand):
    help = (
        "Answers billing cases, one JSON object a line, by the same calculation that bills. With --check it holds the "
        "answers against what the cases expect: exit code 3 if one does not hold."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "cases", type=FileType("r", encoding="utf-8"), help="File of cases; - for standard input."
        )
        parser.add_argument("--output", type=FileType("w", encoding="utf-8"), default=sys.stdout)
        parser.add_argument(
            "--check", action="store_true", help="Compare with the field `expect` of each case."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        tally: Counter[str] = Counter()
        for case in read_cases(options["cases"]):
            found = answer(case)
            options["output"].write(json.dumps(found) + "\n")
            if options["check"]:
                tally[self.judge(case, found)] += 1
        options["output"].flush()
        if options["check"]:
            self.note(f"{tally['pass']} of {tally.total()} pass, {tally['unsupported']} unsupported.")
            if tally["pass"] != tally.total():
                raise SystemExit(ExitCode.FINDINGS)

    def judge(self, case: dict[str, Any], found: dict[str, Any]) -> str:
        """pass, fail or unsupported; what does not hold is named on standard error."""
        expected = case.get("expect")
        if expected is None:
            raise CommandError(f"{case.get('id')}: --check needs a field `expect`")
        if "unsupported" in found:
            return "unsupported"
        if "error" in found:
            wrong = [] if isinstance(expected, dict) and "error" in expected else [found["error"]["message"]]
        else:
            wrong = faults(case, found["result"])
        if wrong:
            self.note(f"{case.get('id')}: {wrong[0]}")
        return "fail" if wrong else "pass"


def read_cases(lines: IO[str]) -> Iterator[dict[str, Any]]:
    """The cases of a file, in order. Raises CommandError naming the line that is none."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        if len(line) > LINE_MAX:
            raise CommandError(f"line {number} is longer than {LINE_MAX:,} characters")
        try:
            case = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise CommandError(f"line {number} is no JSON: {error}") from error
        if not isinstance(case, dict):
            raise CommandError(f"line {number} is no JSON object")
        yield case
