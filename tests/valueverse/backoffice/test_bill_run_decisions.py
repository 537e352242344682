"""Approving, finalizing and sending a run through its pages: each once, each with its figures, by who may."""

import pytest
from django.core import mail
from django.core.management import CommandError, call_command

from billing.approvals.models import ApprovalPolicy, ApprovalRequest
from billing.invoices import services
from billing.invoices.models import BillRun, DocumentMail, Invoice
from billing.invoices.services.run_sending import NothingToSend
from billing.invoices.tasks import send_bill_run
from billing.platform.clock import now
from customers.models import Contact, Customer
from tests.billing_factories import billed_customer
from tests.factories import ACTOR
from tests.valueverse.backoffice.office import act, office, page, person, said, seen, text
from tests.valueverse.backoffice.runs import (
    REVIEW,
    drafted_run,
    give_contact,
    on_row,
    row_of,
    run_in_review,
    shown,
    work,
)
from valueverse.outbox import drain_outbox

pytestmark = pytest.mark.django_db

EVERYBODY = ("Finance manager", "Finance clerk", "Support", "Auditor", None)
DECISIONS = {
    "approve": {"Finance manager"},
    "second": {"Finance manager"},
    "withdraw": {"Finance manager"},
    "cancel": {"Finance manager"},
    "finalize": {"Finance manager", "Finance clerk"},
    "send": {"Finance manager", "Finance clerk"},
    "retry": {"Finance manager", "Finance clerk"},
}


def completed(count: int = 2, *, mailed: bool = True) -> BillRun:
    """A reviewed run, finalized and not sent."""
    run, client = run_in_review(count, mailed=mailed), office()
    act(client, run, "approve")
    act(client, run, "finalize")
    return work(run)


# Approving


def test_an_older_page_is_refused_with_who_changed_what_and_the_new_figures() -> None:
    run, manager, clerk = run_in_review(3), office(), office("Finance clerk")
    old = seen(manager, page(run, "approve"))
    on_row(clerk, row_of(run), "hold", reason="Wait")
    answer = manager.post(page(run, "approve"), {"seen": old, "step": "act"})
    assert answer.url == page(run, "approve")  # the same page, with the new figures
    found = said(manager, answer)
    assert "changed this run at" in found
    assert "now 2 invoices, 235.62 EUR. Look again, then approve." in found
    assert "Approve 2 invoices, 235.62 EUR" in found
    run.refresh_from_db()
    assert run.status == "in_review"


def test_a_double_click_approves_once_and_the_back_button_ends_on_what_happened() -> None:
    run, client = run_in_review(), office()
    given = {"seen": seen(client, page(run, "approve")), "step": "act"}
    client.post(page(run, "approve"), given)
    found = said(client, client.post(page(run, "approve"), given))
    assert "Nothing was done: this run is approved already. Last by" in found
    assert ApprovalRequest.objects.count() == 1
    again = {"seen": seen(client, page(run, "finalize")), "step": "act"}
    client.post(page(run, "finalize"), again)
    work(run)
    for verb, sent in (("approve", given), ("finalize", again)):
        assert "this run is completed already" in said(client, client.post(page(run, verb), sent))
    assert Invoice.objects.filter(status="finalized").count() == 2


def test_above_the_limit_a_second_person_approves_and_nobody_their_own_request() -> None:
    ApprovalPolicy.objects.create(action="bill_run", currency="EUR", limit_minor=20000)
    run, mia, jon = run_in_review(), office(), office()
    assert "Ask for approval, 235.62 EUR" in text(mia, page(run, "approve"))
    act(mia, run, "approve")
    assert "asks for a second person" in shown(jon, run)
    own = act(mia, run, "second")
    assert "You asked for this. Somebody else has to approve." in own.content.decode()
    run.refresh_from_db()
    assert run.status == "in_review"
    assert "Approve 2 invoices, 235.62 EUR" in text(jon, page(run, "second"))
    act(jon, run, "second")
    run.refresh_from_db()
    assert (run.status, ApprovalRequest.objects.get().status) == ("approved", "approved")


def test_a_request_over_older_figures_approves_nothing() -> None:
    ApprovalPolicy.objects.create(action="bill_run", currency="EUR", limit_minor=100)
    run, mia, jon = run_in_review(), office(), office()
    act(mia, run, "approve")
    old = seen(jon, page(run, "second"))
    on_row(mia, row_of(run), "exclude", reason="By hand")
    answer = jon.post(page(run, "second"), {"seen": old, "step": "act"})
    assert "Nothing was done" in said(jon, answer) or "changed this run" in said(jon, answer)
    run.refresh_from_db()
    assert run.status == "in_review"


def test_an_approval_is_withdrawn_until_finalizing_starts() -> None:
    run, client = run_in_review(), office()
    act(client, run, "approve")
    act(client, run, "withdraw")
    run.refresh_from_db()
    assert (run.status, run.approval) == ("in_review", None)
    act(client, run, "approve")
    act(client, run, "finalize")
    work(run)
    assert "this run is completed already" in said(
        client, client.post(page(run, "withdraw"), {"seen": "old", "step": "act"})
    )


def test_an_approved_run_waits_for_a_person_and_the_hourly_run_leaves_it_alone() -> None:
    run, client = run_in_review(), office()
    act(client, run, "approve")
    drain_outbox()
    assert services.bill_due(as_of=now(), actor=ACTOR, at=now()) == []
    run.refresh_from_db()
    assert (run.status, Invoice.objects.exclude(number=None).count()) == ("approved", 0)


def test_canceling_says_how_many_drafts_go_and_deletes_them() -> None:
    run, client = run_in_review(3), office()
    on_row(client, row_of(run), "hold", reason="Wait")
    assert "Cancel and delete 3 drafts" in text(client, page(run, "cancel"))
    act(client, run, "cancel")
    run.refresh_from_db()
    assert (run.status, Invoice.objects.count()) == ("canceled", 0)
    shown(client, run)


# Sending


def test_finalizing_a_reviewed_run_mails_nothing_and_sending_it_mails_each_invoice_once() -> None:
    run, client = completed(3), office()
    nobody = Customer.objects.order_by("pk").last()
    assert nobody is not None
    Contact.objects.filter(customer=nobody).delete()
    drain_outbox()
    assert (DocumentMail.objects.count(), mail.outbox) == (0, [])
    found = text(client, page(run, "send"))
    assert "Send 2 invoices by mail, 235.62 EUR" in found
    assert nobody.name in found
    given = {"seen": seen(client, page(run, "send")), "step": "act"}
    client.post(page(run, "send"), given)
    assert "Nothing was done" in said(client, client.post(page(run, "send"), given))
    drain_outbox()
    assert len(mail.outbox) == 2
    send_bill_run(run.public_id)
    drain_outbox()
    assert len(mail.outbox) == 2
    assert "2 of 3" in shown(client, run)
    assert "1 without a contact" in shown(client, run)
    give_contact(nobody)
    assert "Send 1 invoice…" in shown(client, run)
    act(client, run, "send")
    drain_outbox()
    assert len(mail.outbox) == 3
    assert "Send 1 invoice" not in shown(client, run)


def test_what_was_sent_by_hand_or_voided_is_skipped() -> None:
    run, client = completed(3), office()
    by_hand, voided, left = Invoice.objects.order_by("pk")
    services.resend_document(document=by_hand, actor=ACTOR, at=now())
    services.void_invoice(invoice_id=voided.public_id, reason="Wrong", actor=ACTOR, at=now())
    act(client, run, "send")
    drain_outbox()
    assert set(DocumentMail.objects.values_list("invoice", flat=True)) == {by_hand.pk, left.pk}
    assert len(mail.outbox) == 2


def test_a_run_without_review_sends_by_itself() -> None:
    customer = billed_customer(method=None)
    give_contact(customer)
    services.bill_due(as_of=now(), actor=ACTOR, at=now())
    drain_outbox()
    assert len(mail.outbox) == 1
    with pytest.raises(NothingToSend):
        services.request_sending(run=BillRun.objects.get(), actor=ACTOR, at=now())


def test_two_contacts_with_one_address_get_one_mail() -> None:
    run = completed(1)
    contact = Contact.objects.get()
    Contact.objects.create(
        customer=contact.customer, name="Twin", email=contact.email.upper(), mail_roles=["billing"]
    )
    act(office(), run, "send")
    drain_outbox()
    assert len(mail.outbox) == 1


def test_the_command_sends_a_run_and_says_what_it_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    run = completed(2)
    Contact.objects.filter(customer=row_of(run).customer).delete()
    call_command("run_billing", "--send", run.public_id)
    said_so = capsys.readouterr().out
    assert "Queued the mails of 1 invoices, 117.81 EUR" in said_so
    assert "1 without a billing contact" in said_so
    with pytest.raises(CommandError):
        call_command("run_billing", "--send", run.public_id)
    assert DocumentMail.objects.count() == 1


def test_a_run_in_review_is_not_sent() -> None:
    run, client = run_in_review(1, mailed=True), office()
    answer = client.post(page(run, "send"), {"seen": "x", "step": "act"})
    assert "Nothing was done" in said(client, answer)
    assert not DocumentMail.objects.exists()


# Who may


@pytest.mark.parametrize("group", EVERYBODY)
def test_every_decision_on_a_run_is_a_right_of_its_own(group: str | None) -> None:
    run, client = run_in_review(1), office(group)
    for verb, groups in DECISIONS.items():
        expected = 200 if group in groups else 403
        assert (verb, client.get(page(run, verb)).status_code) == (verb, expected)
        if expected == 403:
            assert client.post(page(run, verb), {"step": "act"}).status_code == 403


@pytest.mark.parametrize("group", EVERYBODY)
def test_single_customers_are_changed_by_finance_only(group: str | None) -> None:
    run, client = run_in_review(1), office(group)
    row, may = row_of(run), group in ("Finance manager", "Finance clerk")
    for verb in ("look", "unlook", "hold", "release", "exclude", "include", "retry"):
        status = client.post(f"{REVIEW}{run.pk}/customers/{row.pk}/{verb}/").status_code
        assert (verb, status) == (verb, 302 if may else 403)
    for verb in ("hold", "release"):
        assert client.get(page(row.customer, verb)).status_code == (200 if may else 403)
    reads = group in ("Finance manager", "Finance clerk", "Auditor")
    for part in (f"{run.pk}/change/", f"{run.pk}/progress/", f"{run.pk}/pair/{row.pk}/"):
        assert (part, client.get(f"{REVIEW}{part}").status_code) == (part, 200 if reads else 403)


def test_an_auditor_sees_the_review_and_no_button() -> None:
    run = run_in_review(1)
    found = shown(office("Auditor"), run)
    assert "117.81" in found
    for address in ("/look/", "/hold/", "/exclude/", "/approve/"):
        assert address not in found


def test_a_name_is_noted_with_every_step() -> None:
    run, mia = run_in_review(1), person("Finance manager", "mia@valueverse.example")
    client = office()
    client.force_login(mia, backend="django.contrib.auth.backends.ModelBackend")
    on_row(client, row_of(run), "look")
    act(client, run, "approve")
    found = shown(client, run)
    assert found.count("mia@valueverse.example") >= 2 or found.count(str(mia)) >= 2


def test_an_empty_run_of_somebody_else_s_making_is_no_error() -> None:
    run = drafted_run()
    assert "Nothing due." in shown(office(), run)
