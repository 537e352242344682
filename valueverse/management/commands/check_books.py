"""`manage.py check_books`: every reconciliation over the live data."""

from typing import Any

from billing.platform.commands import BillingCommand, ExitCode
from billing.reports.books import CHECKS, check_books


class Command(BillingCommand):
    help = (
        "Runs every reconciliation of the books over the live data. Exit code 3 with the rows that break one."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        findings = check_books()
        lines = []
        for finding in findings:
            lines.append(f"BROKEN  {finding.name}: {finding.statement}")
            lines += [f"        {row}" for row in finding.rows]
        lines.append(f"{len(CHECKS)} checks, {len(findings)} broken.")
        self.report(
            "\n".join(lines),
            {
                "checks": [check.name for check in CHECKS],
                "broken": [
                    {"name": finding.name, "statement": finding.statement, "rows": list(finding.rows)}
                    for finding in findings
                ],
            },
        )
        if findings:
            raise SystemExit(ExitCode.FINDINGS)
