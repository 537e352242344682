"""`manage.py run_billing` is killed in the middle, again and again: what is due is billed once, all the same."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings

from billing.core.lifecycles import BillRunStatus
from billing.invoices.models import BillRun, Invoice
from billing.ledger.models import JournalEntry
from billing.platform.commands import ExitCode
from billing.reports.books import check_books
from billing.subscriptions.models import BilledPeriod
from tests import factories
from tests.billing_factories import TOTAL_MINOR, billed_customer, version_with_fee
from tests.valueverse.commands import ROOT, clean_environment

CUSTOMERS = 60  # more than one chunk
ROUNDS = 3
SECONDS = 60
SIGKILL = -9


def address(alias: str) -> str:
    database = settings.DATABASES[alias]
    login = f"{database['USER']}:{quote(database['PASSWORD'], safe='')}"
    return f"postgresql://{login}@{database['HOST']}:{database['PORT']}/{database['NAME']}"


@pytest.fixture
def environment(committed_db: str, tmp_path: Path) -> dict[str, str]:
    """What a process needs to work on this test's database."""
    return clean_environment(
        DATABASE_URL=address("default"),
        DATABASE_OWNER_URL=address("owner"),
        REDIS_URL=settings.REDIS_URL,
        SECRET_KEY="of this test only " * 4,
        VV_VAR_DIR=str(tmp_path),
    )


def run_billing(environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "run_billing"],
        env=environment,
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def progress() -> tuple[int, int, int]:
    """Runs, invoices, and those of them with a number."""
    return BillRun.objects.count(), Invoice.objects.count(), Invoice.objects.exclude(number=None).count()


def wait_for_a_run_under_way(process: subprocess.Popen[str]) -> None:
    """Return when the process has committed something, or has ended."""
    end = time.monotonic() + SECONDS
    before = progress()
    while process.poll() is None and progress() == before:
        assert time.monotonic() < end
        time.sleep(0.01)


def run_to_its_end(environment: dict[str, str]) -> str:
    """Run billing; while the server has not noticed yet that the killed process is gone, its lock is held."""
    for _ in range(50):
        process = run_billing(environment)
        output, _ = process.communicate(timeout=SECONDS)
        if process.returncode != ExitCode.TRY_AGAIN:
            assert process.returncode == 0, output
            return output
        time.sleep(0.1)
    raise AssertionError("the lock of a killed run stays")


@pytest.fixture
def moments() -> Iterator[float]:
    """How long after its first sign of work each process is killed; the same in every run of the test."""
    chance = random.Random(8)
    return (chance.uniform(0, 0.4) for _ in range(ROUNDS))


def test_a_run_killed_at_any_moment_bills_everybody_once_when_it_is_run_again(
    environment: dict[str, str], moments: Iterator[float]
) -> None:
    clock, version = factories.test_clock(), version_with_fee()
    for _ in range(CUSTOMERS):
        billed_customer(clock=clock, version=version, method=None)
    killed = 0
    for moment in moments:
        process = run_billing(environment)
        wait_for_a_run_under_way(process)
        time.sleep(moment)
        process.kill()
        output, _ = process.communicate(timeout=SECONDS)
        assert process.returncode in (0, SIGKILL), output
        killed += process.returncode == SIGKILL
        assert check_books() == []  # a crash leaves no half document behind
    assert killed >= 1
    run_to_its_end(environment)
    assert Invoice.objects.count() == BilledPeriod.objects.count() == CUSTOMERS
    assert set(Invoice.objects.values_list("status", "total_minor")) == {("finalized", TOTAL_MINOR)}
    assert sorted(Invoice.objects.values_list("series_number", flat=True)) == list(range(1, CUSTOMERS + 1))
    assert JournalEntry.objects.filter(source_type="invoice").count() == CUSTOMERS
    assert set(BillRun.objects.values_list("status", flat=True)) == {BillRunStatus.COMPLETED}
    assert check_books() == []
    run_to_its_end(environment)
    assert Invoice.objects.count() == CUSTOMERS
