"""Money recorded by hand, allocations and their reversal, and what is refused before anybody is asked to approve it."""

from datetime import date
from typing import Any

import pytest

from billing.approvals.models import ApprovalPolicy, ApprovalRequest
from billing.approvals.services import ApprovalRequired, decide_approval
from billing.core.errors import BillingError, InvalidInput
from billing.invoices import services as invoices
from billing.invoices.models import CreditReason, Invoice
from billing.ledger.models import JournalEntry
from billing.ledger.services import ForeignCurrency
from payments import services as payments
from payments.models import Payment
from payments.services.allocations import (
    AllocationAlreadyReversed,
    AllocationRefused,
    AllocationTooLarge,
    InvoiceAlreadySettled,
)
from payments.services.receipts import ReceiptInFuture
from tests import factories
from tests.people import integrator
from tests.scenarios.story import (
    DEC_1,
    FIONA,
    NOV_1,
    NOVEMBER,
    OSCAR,
    Story,
    entry,
    euros,
    everything,
    is_sound,
    utc,
)

pytestmark = pytest.mark.django_db


def invoiced(**changes: Any) -> tuple[Story, Invoice]:
    story = Story(NOV_1)
    buyer = story.customer(collection_method="send_invoice", **changes)
    story.subscribe(buyer, story.version(factories.fee()))
    return story, story.bill_one()


def receive(story: Story, invoice: Invoice | None = None, amount: str = "117.81", **changes: Any) -> Payment:
    given: dict[str, Any] = {
        "customer": invoice.customer if invoice else None,
        "amount_minor": euros(amount),
        "currency": "EUR",
        "received_on": story.now_at.date(),
        "reference": "transfer",
        "invoice": invoice,
        "actor": FIONA,
        "at": story.now_at,
    }
    return payments.record_manual_payment(**{**given, **changes})


def allocate(story: Story, payment: Payment, invoice: Invoice, amount: str) -> Any:
    return payments.allocate_payment(
        payment_id=payment.public_id,
        invoice_id=invoice.public_id,
        amount_minor=euros(amount),
        actor=FIONA,
        at=story.now_at,
    )


def test_two_equal_part_payments_of_one_invoice_are_two_payments() -> None:
    """An approval serves once: the second half is asked for anew, although it looks like the first."""
    story, invoice = invoiced()
    receive(story, invoice, "50.00")
    receive(story, invoice, "50.00")
    invoice.refresh_from_db()
    assert (invoice.settlement, invoice.open_minor) == ("partially_settled", euros("17.81"))
    used = ApprovalRequest.objects.filter(action="manual_payment", executed_at__isnull=False)
    assert used.count() == 2
    assert is_sound()


def test_a_receipt_without_an_invoice_stays_unapplied_until_it_is_allocated() -> None:
    story, invoice = invoiced()
    payment = receive(story, None, "200.00", customer=invoice.customer)
    assert payment.unapplied_minor == euros("200.00")
    allocate(story, payment, invoice, "100.00")
    allocate(story, payment, invoice, "17.81")
    payment.refresh_from_db()
    invoice.refresh_from_db()
    assert (payment.unapplied_minor, invoice.settlement) == (euros("82.19"), "settled")
    before = everything()
    with pytest.raises(InvoiceAlreadySettled):
        allocate(story, payment, invoice, "1.00")
    assert everything() == before
    assert is_sound()


@pytest.mark.parametrize("amount", ["0.00", "-5.00", "117.82"])
def test_an_allocation_is_above_zero_and_no_more_than_what_is_open(amount: str) -> None:
    story, invoice = invoiced()
    payment = receive(story, None, "500.00", customer=invoice.customer)
    before = everything()
    with pytest.raises(AllocationTooLarge):
        allocate(story, payment, invoice, amount)
    assert everything() == before


def test_an_allocation_is_no_more_than_what_is_left_of_the_payment() -> None:
    story, invoice = invoiced()
    payment = receive(story, None, "10.00", customer=invoice.customer)
    before = everything()
    with pytest.raises(AllocationTooLarge):
        allocate(story, payment, invoice, "10.01")
    assert everything() == before


def refusals() -> dict[str, tuple[dict[str, Any], type[BillingError]]]:
    return {
        "nothing": ({"amount_minor": 0}, InvalidInput),
        "less than nothing": ({"amount_minor": -1}, InvalidInput),
        "tomorrow's money": ({"received_on": date(2023, 11, 2)}, ReceiptInFuture),
        "another currency": ({"currency": "USD"}, AllocationRefused),
    }


@pytest.mark.parametrize("refusal", refusals())
def test_a_receipt_that_makes_no_sense_is_refused_and_nobody_is_asked_to_approve_it(refusal: str) -> None:
    changes, error = refusals()[refusal]
    story, invoice = invoiced()
    before = everything()
    with pytest.raises(error):
        receive(story, invoice, **changes)
    assert everything() == before


def test_money_of_another_customer_does_not_pay_this_invoice() -> None:
    story, invoice = invoiced()
    stranger = story.customer()
    payment = receive(story, None, "117.81", customer=stranger)
    before = everything()
    with pytest.raises(AllocationRefused):
        receive(story, invoice, customer=stranger)
    with pytest.raises(AllocationRefused):
        allocate(story, payment, invoice, "117.81")
    assert everything() == before


def test_money_received_by_another_seller_does_not_pay_this_invoice() -> None:
    story, invoice = invoiced()
    other = Story(NOV_1, rate="")
    payment = receive(story, None, customer=invoice.customer, legal_entity=other.seller)
    before = everything()
    with pytest.raises(AllocationRefused):
        allocate(story, payment, invoice, "117.81")
    assert everything() == before
    assert is_sound()


def test_a_receipt_in_a_currency_that_the_books_do_not_keep_is_refused() -> None:
    story, invoice = invoiced()
    before = everything()
    with pytest.raises(ForeignCurrency):
        receive(story, None, customer=invoice.customer, currency="USD")
    assert everything() == before


@pytest.mark.parametrize("state", ["settled", "voided", "canceled"])
def test_an_invoice_with_nothing_open_takes_no_money(state: str) -> None:
    story, invoice = invoiced()
    if state == "settled":
        receive(story, invoice)
    elif state == "voided":
        invoices.void_invoice(invoice_id=invoice.public_id, reason="wrong", actor=FIONA, at=NOV_1)
    else:
        invoices.cancel_invoice(
            invoice_id=invoice.public_id, reason=CreditReason.OTHER, actor=FIONA, at=NOV_1
        )
    invoice.refresh_from_db()
    before = everything()
    with pytest.raises(InvoiceAlreadySettled):
        receive(story, invoice)
    assert everything() == before
    assert is_sound()


def test_a_receipt_above_the_limit_waits_for_somebody_else_and_then_goes_through_once() -> None:
    story, invoice = invoiced()
    ApprovalPolicy.objects.create(action="manual_payment", currency="EUR", limit_minor=euros("100.00"))
    with pytest.raises(ApprovalRequired) as refused:
        receive(story, invoice)
    assert not Payment.objects.exists()
    assert not JournalEntry.objects.filter(source_type="payment").exists()
    decide_approval(approval_id=str(refused.value.details["approval"]), approve=True, actor=OSCAR, at=NOV_1)
    receive(story, invoice)
    before = everything()
    with pytest.raises(InvoiceAlreadySettled):
        receive(story, invoice)
    assert everything() == before
    assert is_sound()


def test_the_payer_pays_by_transfer_for_the_customer_it_pays_for() -> None:
    story = Story(NOV_1)
    parent = story.customer()
    child = story.customer(payer=parent, collection_method="send_invoice")
    story.subscribe(child, story.version(factories.fee()))
    invoice = story.bill_one()
    assert receive(story, invoice, customer=parent).unapplied_minor == 0
    assert is_sound()


def test_a_receipt_of_a_closed_month_is_booked_late_and_the_month_does_not_move() -> None:
    story, invoice = invoiced()
    story.advance(DEC_1)
    story.close(NOVEMBER)
    closed = story.books(date(2023, 11, 30))
    payment = receive(story, invoice, received_on=date(2023, 11, 28))
    assert payment.received_on == date(2023, 11, 28)
    assert entry(payment.public_id)[0] == "2023-12-01"
    client = integrator()
    shown = client.get(f"/api/v1/payments/{payment.public_id}").json()
    assert (shown["received_on"], shown["accounting_on"]) == ("2023-11-28", "2023-12-01")
    assert [row["accounting_on"] for row in client.get("/api/v1/payments").json()["data"]] == ["2023-12-01"]
    assert story.books(date(2023, 11, 30)) == closed
    assert is_sound()


def test_a_receipt_of_before_a_closed_month_does_not_move_that_month_either() -> None:
    """October never had an entry and so no period: it is closed with November all the same (I23)."""
    story, invoice = invoiced()
    story.advance(DEC_1)
    story.close(NOVEMBER)
    closed = story.books(date(2023, 11, 30))
    payment = receive(story, invoice, received_on=date(2023, 10, 28))
    assert entry(payment.public_id)[0] == "2023-12-01"
    assert JournalEntry.objects.get(source_id=payment.public_id).is_late
    assert story.books(date(2023, 11, 30)) == closed
    assert is_sound()


def test_a_receipt_of_a_soft_closed_month_is_booked_in_the_next() -> None:
    story, invoice = invoiced()
    story.advance(DEC_1)
    story.close(NOVEMBER, is_soft=True)
    payment = receive(story, invoice, received_on=date(2023, 11, 28))
    assert entry(payment.public_id)[0] == "2023-12-01"
    assert is_sound()


def test_an_allocation_is_taken_back_once() -> None:
    story, invoice = invoiced()
    payment = receive(story, invoice)
    allocation = payment.allocations.get()
    story.advance(utc(2023, 11, 5))
    reversal = payments.reverse_allocation(allocation_id=allocation.public_id, actor=FIONA, at=story.now_at)
    invoice.refresh_from_db()
    payment.refresh_from_db()
    assert (invoice.settlement, payment.unapplied_minor) == ("open", 11781)
    before = everything()
    for again in (allocation, reversal):
        with pytest.raises(AllocationAlreadyReversed):
            payments.reverse_allocation(allocation_id=again.public_id, actor=FIONA, at=story.now_at)
    assert everything() == before
    allocate(story, payment, invoice, "117.81")
    assert is_sound()
