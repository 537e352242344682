"""Billed customers, invoices, payments and credit notes: every step through the services, on a test clock.

Amounts count up from one fee of 99.00: with German VAT an invoice is 117.81.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction

from billing.catalog.models import Meter, PlanVersion, TaxRate
from billing.invoices import services as invoices
from billing.invoices.models import CreditNote, CreditReason, Invoice
from billing.subscriptions.models import Subscription
from billing.subscriptions.services import start_subscription
from customers.models import Customer, TestClock
from customers.selectors import now_for
from customers.services import advance_test_clock
from payments import services as payments
from payments.gateways.test import TestGateway, TestMethod
from payments.models import Payment
from tests import factories
from tests.factories import ACTOR

TOTAL_MINOR = 11781
"""What the first invoice of a billed customer says: 99.00 and 19 % VAT."""


def version_with_fee(*, meters: Sequence[Meter] = ()) -> PlanVersion:
    """A monthly plan version with a fee of 99.00, and one cent per unit for each meter; the tax rate with it."""
    if not TaxRate.objects.filter(country="DE", category="S").exists():
        factories.tax_rate()
    usage = [
        factories.usage_price(meter, model="per_unit", definition={"unit_amount": "0.01"}) for meter in meters
    ]
    return factories.plan_version(prices=[*usage, factories.fee()])


def billed_customer(
    *,
    clock: TestClock | None = None,
    version: PlanVersion | None = None,
    method: TestMethod | None = TestMethod.SUCCEEDS,
    **changes: Any,
) -> Customer:
    """A customer on a test clock whose subscription has just started, so that the first fee is due."""
    customer = factories.customer(test_clock=clock or factories.test_clock(), **changes)
    at = now_for(customer)
    if method is not None:
        payments.add_payment_method(
            customer=customer,
            gateway_code=TestGateway.code,
            gateway_ref=f"{method.value}:{customer.public_id}",
            label="card ...4242",
            actor=ACTOR,
            at=at,
        )
    start_subscription(customer=customer, plan_version=version or version_with_fee(), actor=ACTOR, at=at)
    return customer


def subscription_of(customer: Customer) -> Subscription:
    """The customer's subscription."""
    return Subscription.objects.get(customer=customer)


def draft_invoice(customer: Customer | None = None) -> Invoice:
    """What is due of a customer, drafted: one invoice."""
    customer = customer or billed_customer()
    at = now_for(customer)
    with transaction.atomic():
        (drafted,) = invoices.draft_due_invoices(customer=customer, as_of=at, cutoff=at, actor=ACTOR)
    return drafted


def finalized_invoice(customer: Customer | None = None) -> Invoice:
    """What is due of a customer, issued and booked, neither mailed nor paid."""
    draft = draft_invoice(customer)
    return invoices.finalize_invoice(invoice_id=draft.public_id, actor=ACTOR, at=now_for(draft.customer))


def paid_invoice(customer: Customer | None = None) -> Invoice:
    """An invoice paid by the test gateway."""
    invoice = finalized_invoice(customer)
    payments.collect_invoice(invoice_id=invoice.public_id, actor=ACTOR, at=now_for(invoice.customer))
    invoice.refresh_from_db()
    assert invoice.open_minor == 0
    return invoice


def payment_of(invoice: Invoice) -> Payment:
    """The payment that was made for an invoice."""
    return Payment.objects.get(invoice=invoice)


def receipt(customer: Customer, amount_minor: int, *, invoice: Invoice | None = None) -> Payment:
    """Money received by hand; without an invoice it stays unapplied."""
    at = now_for(customer)
    return payments.record_manual_payment(
        customer=customer,
        amount_minor=amount_minor,
        currency="EUR",
        received_on=at.date(),
        reference="cheque",
        invoice=invoice,
        actor=ACTOR,
        at=at,
    )


def credit_note(invoice: Invoice) -> CreditNote:
    """A credit note over the whole of an invoice."""
    return invoices.credit_invoice(
        invoice_id=invoice.public_id,
        reason=CreditReason.SERVICE_ISSUE,
        actor=ACTOR,
        at=now_for(invoice.customer),
    )


def advance(customer: Customer, to: datetime) -> None:
    """Move the customer's test clock on."""
    assert customer.test_clock is not None
    advance_test_clock(clock=customer.test_clock, to=to, actor=ACTOR, at=now_for(customer))
    customer.test_clock.refresh_from_db()
