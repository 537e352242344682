"""Live customers are on no test clock: they are billed, collected and checked by the machine's time."""

from datetime import timedelta

import pytest

from billing.invoices import services as invoices
from billing.invoices.models import CreditReason, Invoice
from billing.platform.clock import now
from billing.subscriptions.services import start_subscription
from billing.usage.services import IncomingEvent, ingest
from customers.models import Customer
from payments import gateways
from payments import services as payments
from payments.gateways.test import TestMethod
from payments.models import Payment, Refund
from payments.tasks import check_open_payments, collect_due
from tests import factories
from tests.payments.test_refunds import SlowGateway
from tests.scenarios.story import FIONA, OSCAR, is_sound, lines, usage
from valueverse.outbox import drain_outbox

pytestmark = pytest.mark.django_db


def live(method: TestMethod = TestMethod.SUCCEEDS) -> Customer:
    """A customer of a live seller, who subscribed a moment ago, with one event a minute before that."""
    entity = factories.legal_entity(is_test=False)
    buyer = factories.customer(legal_entity=entity)
    payments.add_payment_method(
        customer=buyer,
        gateway_code="test",
        gateway_ref=f"{method.value}:{buyer.public_id}",
        label="card ...4242",
        actor=FIONA,
        at=now(),
    )
    factories.tax_rate()
    version = factories.plan_version(
        prices=[usage(), factories.fee()], interval_unit="day", anchor="anniversary"
    )
    yesterday = now() - timedelta(days=1)
    event = IncomingEvent("e1", buyer.public_id, "api_call", yesterday, {"units": 100})
    assert ingest(events=[event])[0].kind == "accepted"
    start_subscription(customer=buyer, plan_version=version, started_at=yesterday, actor=FIONA, at=now())
    return buyer


def bill() -> list[Invoice]:
    invoices.bill_due(as_of=now(), actor=OSCAR, at=now())
    return list(Invoice.objects.order_by("pk"))


def test_a_live_customer_is_billed_mailed_and_charged() -> None:
    live()
    first, second = bill()
    assert lines(first)[0][0] == "platform-fee"
    assert lines(second)[0] == ("usage", "usage", "100", "1.00")
    drain_outbox()
    assert [invoice.settlement for invoice in Invoice.objects.all()] == ["settled"] * 2
    assert all(invoice.sent_at is not None for invoice in Invoice.objects.all())
    assert is_sound()


def test_a_declined_live_customer_is_tried_again_when_it_is_due() -> None:
    live(TestMethod.DECLINES_ONCE)
    invoice, *_ = bill()
    payments.collect_invoice(invoice_id=invoice.public_id, actor=OSCAR, at=now() - timedelta(hours=5))
    assert Payment.objects.get().status == "failed"
    assert collect_due() >= 1
    assert invoice.payment_attempts.filter(status="succeeded").count() == 1
    assert is_sound()


def test_a_live_payment_and_a_live_refund_without_an_answer_are_asked_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live(TestMethod.TIMES_OUT_AFTER_SUCCESS)
    invoice, *_ = bill()
    a_while_ago = now() - timedelta(minutes=6)
    payments.collect_invoice(invoice_id=invoice.public_id, actor=OSCAR, at=a_while_ago)
    assert Payment.objects.get().status == "unknown"
    assert check_open_payments() == 1
    assert Payment.objects.get().status == "succeeded"
    note = invoices.credit_invoice(
        invoice_id=invoice.public_id, reason=CreditReason.OTHER, actor=FIONA, at=now()
    )
    monkeypatch.setitem(gateways._GATEWAYS, "test", SlowGateway())
    payments.refund_payment(
        payment_id=Payment.objects.get().public_id,
        amount_minor=note.refund_minor,
        reason="all of it",
        credit_note_id=note.public_id,
        actor=FIONA,
        at=a_while_ago,
    )
    assert Refund.objects.get().status == "pending"
    assert check_open_payments() == 1
    assert Refund.objects.get().status == "succeeded"
    assert is_sound()


def test_nothing_is_due_of_a_live_customer_before_its_time() -> None:
    buyer = live()
    bill()
    assert not invoices.something_is_due(as_of=now())
    assert invoices.something_is_due(as_of=now() + timedelta(days=1), customer=buyer)
