"""Voiding, canceling and crediting: who may, what is refused, and that a refusal changes nothing."""

from typing import Any

import pytest
from django.utils import timezone

from billing.approvals.models import ApprovalPolicy, ApprovalRequest
from billing.approvals.services import ApprovalRequired, decide_approval
from billing.invoices import services as invoices
from billing.invoices.models import CreditNote, CreditReason, DocumentMail, Invoice
from billing.invoices.services.credit_notes import InvoiceAlreadyCredited, InvoicePartlySettled
from billing.invoices.services.drafts import InvoiceNotDraft, InvoiceNotFinalized
from billing.invoices.services.issuing import InvoiceVoided
from billing.invoices.services.voiding import InvoiceSeen
from billing.ledger.services import PeriodClosed
from billing.subscriptions.models import BilledPeriod
from payments import services as payments
from tests import factories
from tests.scenarios.story import (
    DEC_1,
    FIONA,
    NOV_1,
    NOVEMBER,
    OSCAR,
    Story,
    amounts,
    entry,
    euros,
    everything,
    is_sound,
    lines,
)

pytestmark = pytest.mark.django_db


def invoiced(**changes: Any) -> tuple[Story, Invoice]:
    story = Story(NOV_1)
    story.subscribe(story.customer(**changes), story.version(factories.fee()))
    return story, story.bill_one()


def void(invoice: Invoice, at: Any = NOV_1) -> Invoice:
    return invoices.void_invoice(invoice_id=invoice.public_id, reason="wrong buyer", actor=FIONA, at=at)


def cancel(invoice: Invoice, at: Any = NOV_1) -> CreditNote:
    return invoices.cancel_invoice(
        invoice_id=invoice.public_id, reason=CreditReason.BILLING_ERROR, actor=FIONA, at=at
    )


def credit(invoice: Invoice, at: Any = NOV_1, note: str = "") -> CreditNote:
    return invoices.credit_invoice(
        invoice_id=invoice.public_id, reason=CreditReason.SERVICE_ISSUE, actor=FIONA, at=at, note=note
    )


def pay(invoice: Invoice, amount: str) -> None:
    payments.record_manual_payment(
        customer=invoice.customer,
        amount_minor=euros(amount),
        currency="EUR",
        received_on=NOV_1.date(),
        reference="transfer",
        invoice=invoice,
        actor=FIONA,
        at=NOV_1,
    )


def draft() -> tuple[Story, Invoice]:
    story = Story(NOV_1)
    story.subscribe(story.customer(), story.version(factories.fee()))
    run = invoices.start_bill_run(as_of=NOV_1, needs_review=True, actor=FIONA, at=NOV_1)
    invoices.perform_bill_run(run=run, actor=FIONA, at=NOV_1)
    return story, Invoice.objects.get()


def test_a_voided_invoice_keeps_its_number_frees_its_period_and_is_never_mailed() -> None:
    story, invoice = invoiced()
    voided = void(invoice)
    assert (voided.number, voided.status, voided.open_minor) == ("VV-2023-000001", "voided", 0)
    assert story.books(NOV_1.date()) == {}
    story.follow_up()
    assert [(mail.status, mail.error) for mail in DocumentMail.objects.all()] == [
        ("failed", "The invoice was voided.")
    ]
    again = story.bill_one()
    assert (again.number, lines(again)) == ("VV-2023-000002", lines(invoice))
    assert is_sound()


def test_voiding_twice_changes_nothing_the_second_time() -> None:
    _, invoice = invoiced()
    void(invoice)
    before = everything()
    assert void(invoice, DEC_1).voided_at == NOV_1
    assert everything() == before


@pytest.mark.parametrize("seen", ["sent_at", "shown_at", "exported_at"])
def test_an_invoice_that_somebody_has_seen_is_not_voided_but_can_be_canceled(seen: str) -> None:
    _, invoice = invoiced()
    Invoice.objects.filter(pk=invoice.pk).update(**{seen: timezone.now()})
    before = everything()
    with pytest.raises(InvoiceSeen):
        void(invoice)
    assert everything() == before
    assert cancel(invoice).is_cancellation
    assert is_sound()


def test_a_mailed_invoice_is_not_voided() -> None:
    story, invoice = invoiced(method=None)
    story.follow_up()
    before = everything()
    with pytest.raises(InvoiceSeen):
        void(invoice)
    assert everything() == before


@pytest.mark.parametrize("taken", ["paid in part", "credited"])
def test_an_invoice_that_was_paid_or_credited_is_not_voided(taken: str) -> None:
    _, invoice = invoiced()
    if taken == "credited":
        credit(invoice)
    else:
        pay(invoice, "1.00")
    before = everything()
    with pytest.raises(InvoiceSeen):
        void(invoice)
    assert everything() == before


def test_an_invoice_of_a_closed_month_is_not_voided() -> None:
    story, invoice = invoiced()
    story.advance(DEC_1)
    story.close(NOVEMBER)
    before = everything()
    with pytest.raises(PeriodClosed):
        void(invoice, DEC_1)
    assert everything() == before


def test_an_invoice_of_a_soft_closed_month_is_not_voided_either() -> None:
    story, invoice = invoiced()
    story.advance(DEC_1)
    story.close(NOVEMBER, is_soft=True)
    before = everything()
    with pytest.raises(PeriodClosed):
        void(invoice, DEC_1)
    assert everything() == before


def test_a_draft_has_nothing_to_void_cancel_or_credit_and_is_deleted_instead() -> None:
    story, unissued = draft()
    before = everything()
    for take_back in (void, cancel, credit):
        with pytest.raises(InvoiceNotFinalized):
            take_back(unissued)
    assert everything() == before
    invoices.delete_draft(invoice_id=unissued.public_id, actor=FIONA, at=NOV_1)
    assert not Invoice.objects.exists()
    assert not BilledPeriod.objects.filter(released_at=None).exists()
    assert amounts(story.bill()[0])[2] == "117.81"
    assert is_sound()


def test_an_issued_invoice_is_not_deleted() -> None:
    _, invoice = invoiced()
    before = everything()
    with pytest.raises(InvoiceNotDraft):
        invoices.delete_draft(invoice_id=invoice.public_id, actor=FIONA, at=NOV_1)
    assert everything() == before


def test_a_voided_invoice_stays_voided() -> None:
    _, invoice = invoiced()
    void(invoice)
    before = everything()
    with pytest.raises(InvoiceVoided):
        invoices.finalize_invoice(invoice_id=invoice.public_id, actor=FIONA, at=NOV_1)
    for take_back in (cancel, credit):
        with pytest.raises(InvoiceNotFinalized):
            take_back(invoice)
    assert everything() == before


def test_a_paid_invoice_is_credited_but_not_canceled() -> None:
    _, invoice = invoiced()
    pay(invoice, "1.00")
    before = everything()
    with pytest.raises(InvoicePartlySettled):
        cancel(invoice)
    assert everything() == before
    assert credit(invoice).refund_minor == 100
    assert is_sound()


@pytest.mark.parametrize("first", [cancel, credit])
def test_an_invoice_is_credited_once(first: Any) -> None:
    _, invoice = invoiced()
    first(invoice)
    before = everything()
    for again in (cancel, credit):
        with pytest.raises(InvoiceAlreadyCredited):
            again(invoice)
    assert everything() == before
    assert is_sound()


def test_a_cancellation_after_the_month_was_closed_is_dated_in_the_open_one() -> None:
    story, invoice = invoiced()
    story.advance(DEC_1)
    story.close(NOVEMBER)
    closed = story.books(NOVEMBER.replace(day=30))
    note = cancel(invoice, DEC_1)
    assert entry(note.public_id) == ("2023-12-01", {"1100": "-117.81", "2100": "99.00", "2200": "18.81"})
    assert story.books(NOVEMBER.replace(day=30)) == closed
    assert is_sound()


def test_credit_notes_have_a_series_of_their_own_and_say_what_they_correct() -> None:
    _, invoice = invoiced()
    note = credit(invoice, note="Two hours of outage on 12 November.")
    assert note.number == "VV-CN-2023-000001"
    assert note.snapshot["preceding"]["number"] == invoice.number
    assert note.snapshot["notes"] == ["Two hours of outage on 12 November."]
    assert (note.tax_point_on, amounts(note), lines(note)) == (
        invoice.tax_point_on,
        amounts(invoice),
        lines(invoice),
    )
    assert is_sound()


def test_a_credit_note_above_the_limit_needs_somebody_else_and_leaves_the_invoice_open_until_then() -> None:
    story, invoice = invoiced()
    ApprovalPolicy.objects.create(action="credit_note", currency="EUR", limit_minor=euros("100.00"))
    with pytest.raises(ApprovalRequired) as refused:
        credit(invoice)
    assert not CreditNote.objects.exists()
    assert story.books(NOV_1.date())["1100"] == "117.81"
    request = ApprovalRequest.objects.get(public_id=str(refused.value.details["approval"]))
    assert (request.amount_minor, request.requested_by_id) == (11781, FIONA.public_id)
    decide_approval(approval_id=request.public_id, approve=True, actor=OSCAR, at=NOV_1)
    assert credit(invoice).approval == request
    assert is_sound()


def test_a_rejected_credit_note_is_not_issued() -> None:
    _, invoice = invoiced()
    ApprovalPolicy.objects.create(action="credit_note", currency="EUR", limit_minor=0)
    with pytest.raises(ApprovalRequired) as refused:
        credit(invoice)
    request = str(refused.value.details["approval"])
    decide_approval(approval_id=request, approve=False, reason="Too much", actor=OSCAR, at=NOV_1)
    with pytest.raises(ApprovalRequired) as again:
        credit(invoice)
    assert again.value.details["approval"] != request
    assert not CreditNote.objects.exists()
