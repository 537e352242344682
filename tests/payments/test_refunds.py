"""Money going back: what a credit note owes, and unapplied cash; never more than came, never without approval."""

from datetime import timedelta
from typing import Any

import pytest

from billing.approvals.models import ApprovalPolicy
from billing.approvals.services import ApprovalRequired, decide_approval
from billing.invoices import services as invoices
from billing.invoices.models import CreditNote, CreditReason, Invoice
from payments import gateways
from payments import services as payments
from payments.gateways.base import GatewayResult, GatewayUnanswered, Outcome, RefundRequest
from payments.gateways.test import TestGateway, TestMethod
from payments.models import Payment, Refund
from payments.services.refunds import RefundRefused, RefundTooLarge
from payments.tasks import check_open_payments
from tests import factories
from tests.scenarios.story import FIONA, NOV_1, OSCAR, Story, entry, euros, everything, is_sound, utc

pytestmark = pytest.mark.django_db


def paid() -> tuple[Story, Invoice, Payment]:
    story = Story(NOV_1)
    story.subscribe(story.customer(), story.version(factories.fee()))
    invoice = story.bill_one()
    payment = payments.collect_invoice(invoice_id=invoice.public_id, actor=FIONA, at=NOV_1)
    return story, invoice, payment


def credit(invoice: Invoice) -> CreditNote:
    return invoices.credit_invoice(
        invoice_id=invoice.public_id, reason=CreditReason.SERVICE_ISSUE, actor=FIONA, at=NOV_1
    )


def refund(payment: Payment, amount: str, note: CreditNote | None = None, **changes: Any) -> Refund:
    given: dict[str, Any] = {
        "payment_id": payment.public_id,
        "amount_minor": euros(amount),
        "reason": "service issue",
        "credit_note_id": note.public_id if note else None,
        "actor": FIONA,
        "at": NOV_1,
    }
    return payments.refund_payment(**{**given, **changes})


def test_a_credit_note_is_refunded_in_parts_and_no_further_than_it_owes() -> None:
    story, invoice, payment = paid()
    note = credit(invoice)
    first = refund(payment, "50.00", note)
    assert (first.status, entry(first.public_id)[1]) == ("succeeded", {"1050": "-50.00", "2070": "50.00"})
    payment.refresh_from_db()
    assert payment.status == "partially_refunded"
    before = everything()
    with pytest.raises(RefundTooLarge):
        refund(payment, "67.82", note)
    assert everything() == before
    refund(payment, "50.00", note)  # as much again, an approval of its own
    refund(payment, "17.81", note)
    payment.refresh_from_db()
    assert (payment.status, payment.refunded_minor) == ("refunded", 11781)
    assert "2070" not in story.books(NOV_1.date())
    before = everything()
    with pytest.raises(RefundTooLarge):
        refund(payment, "0.01", note)
    assert everything() == before
    assert is_sound()


def test_money_that_settles_an_invoice_is_not_refunded_without_a_credit_note() -> None:
    _, _, payment = paid()
    before = everything()
    for amount in ("117.81", "0.01", "0.00", "-1.00"):
        with pytest.raises(RefundTooLarge):
            refund(payment, amount)
    assert everything() == before


def test_unapplied_cash_is_refunded_out_of_the_bank_it_came_to() -> None:
    story, invoice, _ = paid()
    receipt = payments.record_manual_payment(
        customer=invoice.customer,
        amount_minor=euros("20.31"),
        currency="EUR",
        received_on=NOV_1.date(),
        reference="too much",
        actor=FIONA,
        at=NOV_1,
    )
    made = refund(receipt, "20.31")
    assert entry(made.public_id)[1] == {"1000": "-20.31", "2050": "20.31"}
    assert story.books(NOV_1.date()).keys() == {"1050", "2100", "2200"}
    assert is_sound()


def test_a_declined_payment_is_not_refunded() -> None:
    story = Story(NOV_1)
    story.subscribe(story.customer(method=None), story.version(factories.fee()))
    invoice = story.bill_one()
    story.card(invoice.customer, TestMethod.DECLINES)
    payment = payments.collect_invoice(invoice_id=invoice.public_id, actor=FIONA, at=NOV_1)
    before = everything()
    with pytest.raises(RefundRefused):
        refund(payment, "1.00")
    assert everything() == before


def test_a_credit_note_of_another_customer_pays_nobody_else() -> None:
    story, invoice, _ = paid()
    note = credit(invoice)
    story.subscribe(story.customer(), story.version(factories.fee()))
    other = payments.collect_invoice(invoice_id=story.bill_one().public_id, actor=FIONA, at=NOV_1)
    before = everything()
    with pytest.raises(RefundRefused):
        refund(other, "1.00", note)
    assert everything() == before
    assert is_sound()


def test_a_credit_note_that_settled_an_open_invoice_owes_nothing_back() -> None:
    story, _, payment = paid()
    story.subscribe(payment.customer, story.version(factories.fee("10.00")))
    note = credit(story.bill_one())
    assert (note.offset_minor, note.refund_minor) == (1190, 0)
    before = everything()
    with pytest.raises(RefundTooLarge):
        refund(payment, "1.00", note)
    assert everything() == before
    assert is_sound()


def test_a_refund_above_the_limit_waits_for_somebody_else() -> None:
    _, invoice, payment = paid()
    note = credit(invoice)
    ApprovalPolicy.objects.create(action="refund", currency="EUR", limit_minor=euros("100.00"))
    with pytest.raises(ApprovalRequired) as refused:
        refund(payment, "117.81", note)
    assert not Refund.objects.exists()
    request = str(refused.value.details["approval"])
    decide_approval(approval_id=request, approve=False, reason="Too much", actor=OSCAR, at=NOV_1)
    with pytest.raises(ApprovalRequired) as asked_again:
        refund(payment, "117.81", note)
    second = str(asked_again.value.details["approval"])
    assert second != request
    decide_approval(approval_id=second, approve=True, actor=OSCAR, at=NOV_1)
    assert refund(payment, "117.81", note).status == "succeeded"
    assert is_sound()


class SlowGateway(TestGateway):
    """A gateway at the edge that pays refunds out and does not answer the first time, or refuses them."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses, self.asked = refuses, 0

    def refund(self, request: RefundRequest) -> GatewayResult:
        self.asked += 1
        if self.refuses:
            return GatewayResult(
                Outcome.FAILED, "", request.amount_minor, request.currency, "closed", "The account is closed."
            )
        result = super().refund(request)
        if self.asked == 1:
            raise GatewayUnanswered("no answer")
        return result


def test_a_refund_without_an_answer_stays_pending_and_is_asked_about_until_it_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story, invoice, payment = paid()
    note = credit(invoice)
    gateway = SlowGateway()
    monkeypatch.setitem(gateways._GATEWAYS, "test", gateway)
    made = refund(payment, "117.81", note)
    assert made.status == "pending"
    assert story.books(NOV_1.date())["2070"] == "-117.81"
    before = everything()
    with pytest.raises(RefundTooLarge):  # what is under way is not owed a second time
        refund(payment, "117.81", note)
    assert check_open_payments() == 0
    assert everything() == before
    story.advance(NOV_1 + timedelta(minutes=5))
    assert check_open_payments() == 1
    made.refresh_from_db()
    assert (made.status, gateway.asked) == ("succeeded", 2)
    assert check_open_payments() == 0
    assert is_sound()


def test_a_refund_that_the_gateway_refuses_is_owed_still_and_can_be_made_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    story, invoice, payment = paid()
    note = credit(invoice)
    monkeypatch.setitem(gateways._GATEWAYS, "test", SlowGateway(refuses=True))
    made = refund(payment, "117.81", note)
    assert (made.status, made.failure_message) == ("failed", "The account is closed.")
    payment.refresh_from_db()
    note.refresh_from_db()
    assert (payment.status, payment.refunded_minor, note.refunded_minor) == ("succeeded", 0, 0)
    assert story.books(NOV_1.date())["2070"] == "-117.81"
    monkeypatch.setitem(gateways._GATEWAYS, "test", TestGateway())
    assert refund(payment, "117.81", note).status == "succeeded"
    assert is_sound()


def test_a_payment_under_refund_is_only_refunded_once_all_of_it_came_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One part unanswered, the other paid: the payment is partially refunded until both are known."""
    story, invoice, payment = paid()
    note = credit(invoice)
    monkeypatch.setitem(gateways._GATEWAYS, "test", SlowGateway())
    refund(payment, "100.00", note)
    refund(payment, "17.81", note)
    payment.refresh_from_db()
    assert payment.status == "partially_refunded"
    story.advance(utc(2023, 11, 2))
    assert check_open_payments() == 1
    payment.refresh_from_db()
    assert payment.status == "refunded"
    assert is_sound()
