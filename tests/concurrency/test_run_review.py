"""Two people at one run, and workers that are killed while they send it."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings

from billing.approvals.models import ApprovalRequest
from billing.invoices import services
from billing.invoices.models import BillRun, DocumentMail, Invoice
from billing.platform.commands import ExitCode
from billing.reports.books import check_books
from customers.models import Customer
from customers.selectors import now_for
from tests.concurrency.racing import at_once, errors, overlapping, values
from tests.factories import ACTOR, START
from tests.valueverse.backoffice.runs import run_in_review
from tests.valueverse.commands import ROOT, clean_environment

pytestmark = pytest.mark.usefixtures("committed_db")

SIGKILL = -9
INVOICES = 60  # more than one chunk


def approve(run: BillRun) -> Any:
    return lambda: services.approve_bill_run(run=BillRun.objects.get(pk=run.pk), actor=ACTOR, at=START)


def finalized(count: int) -> BillRun:
    run = run_in_review(count, mailed=True)
    run = services.approve_bill_run(run=run, actor=ACTOR, at=START)
    return services.perform_bill_run(run=run, actor=ACTOR, at=START)


def test_of_two_people_who_approve_one_run_at_once_one_does() -> None:
    run = run_in_review(2)
    outcomes = at_once(approve(run), approve(run))
    assert len(values(outcomes)) == 1, errors(outcomes)
    assert BillRun.objects.get().status == "approved"
    assert ApprovalRequest.objects.exclude(executed_at=None).count() == 1


def test_a_hold_and_an_approval_at_once_agree_on_the_figures() -> None:
    run = run_in_review(2)
    customer = run.customers.first().customer  # type: ignore[union-attr]
    result = overlapping(
        lambda: services.place_hold(customer=customer, reason="Wait", actor=ACTOR, at=now_for(customer)),
        approve(run),
    )
    assert result.second_waited
    assert type(result.second.error).__name__ == "RunChanged"
    assert BillRun.objects.get().status == "in_review"


def test_a_hold_and_the_issue_of_the_draft_do_not_miss_each_other() -> None:
    run_in_review(1)
    customer, draft = Customer.objects.get(), Invoice.objects.get()
    result = overlapping(
        lambda: services.place_hold(customer=customer, reason="Wait", actor=ACTOR, at=now_for(customer)),
        lambda: services.finalize_invoice(invoice_id=draft.public_id, actor=ACTOR, at=now_for(customer)),
    )
    assert result.second_waited
    assert type(result.second.error).__name__ == "BillingOnHold"
    assert Invoice.objects.get().number is None


def test_workers_that_send_one_run_at_once_queue_each_mail_once() -> None:
    run = finalized(8)
    services.request_sending(run=run, actor=ACTOR, at=START)
    outcomes = at_once(*[lambda: services.send_bill_run(run_id=run.public_id, actor=ACTOR, at=START)] * 3)
    assert errors(outcomes) == []
    assert sum(values(outcomes)) == 8
    assert sorted(DocumentMail.objects.values_list("invoice", flat=True)) == sorted(
        Invoice.objects.values_list("pk", flat=True)
    )


def address(alias: str) -> str:
    database = settings.DATABASES[alias]
    login = f"{database['USER']}:{quote(database['PASSWORD'], safe='')}"
    return f"postgresql://{login}@{database['HOST']}:{database['PORT']}/{database['NAME']}"


def test_a_sending_that_is_killed_goes_on_where_it_stood_and_mails_nobody_twice(tmp_path: Path) -> None:
    run = finalized(INVOICES)
    environment = clean_environment(
        DATABASE_URL=address("default"),
        DATABASE_OWNER_URL=address("owner"),
        REDIS_URL=settings.REDIS_URL,
        SECRET_KEY="of this test only " * 4,
        VV_VAR_DIR=str(tmp_path),
    )
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "run_billing", "--send", run.public_id],
        env=environment,
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    end = time.monotonic() + 60
    while process.poll() is None and not DocumentMail.objects.exists():
        assert time.monotonic() < end
        time.sleep(0.001)
    process.kill()
    output, _ = process.communicate(timeout=60)
    assert process.returncode in (0, SIGKILL, ExitCode.FAILED), output
    before = DocumentMail.objects.count()
    assert 0 < before <= INVOICES
    for _ in range(2):
        services.send_bill_run(run_id=run.public_id, actor=ACTOR, at=START)
    sent = list(DocumentMail.objects.values_list("invoice", flat=True))
    assert len(sent) == len(set(sent)) == INVOICES
    run.refresh_from_db()
    assert run.send_done_at is not None
    assert services.sendings_under_way() == []
    assert check_books() == []
