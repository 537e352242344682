"""How many questions a page asks the database does not depend on how many rows it shows, and is bounded by a number."""

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from billing.ledger.services import ensure_period
from customers.models import Customer, TestClock
from payments.gateways.test import TestMethod
from tests import factories
from tests.billing_factories import (
    billed_customer,
    credit_note,
    draft_invoice,
    finalized_invoice,
    paid_invoice,
    payment_of,
    receipt,
    subscription_of,
    version_with_fee,
)
from tests.valueverse.backoffice.office import office, page
from tests.valueverse.portal.visitors import visitor

pytestmark = pytest.mark.django_db

LIST = 14
"""What a list may ask: who is looking, their rights, badges, how many rows, the rows."""

OURS = ("billing.", "customers.", "payments.", "valueverse.")

PINNED = {
    "/admin/": 75,
    "/admin/customers/customer/": 24,  # what each has and owes, each asked once for the page
    "customer": 40,
    "invoice": 28,
    "payment": 18,
    "period": 32,
    "/admin/search/?part=1&q=customer": 38,
    "/portal/": 22,
    "/portal/usage/": 12,
    "/portal/invoices/": 12,
    "/portal/payments/": 10,
    "/portal/subscriptions/": 20,
    "/portal/company/": 10,
    "/portal invoice": 14,
}
"""What other pages may ask at most."""


def a_customer_with_everything(clock: TestClock, version: Any) -> Customer:
    """A customer with an invoice of each kind, a payment of each kind, a credit note and a mail."""
    customer = billed_customer(clock=clock, version=version, method=TestMethod.SUCCEEDS)
    credit_note(paid_invoice(customer))
    receipt(customer, 5000)
    finalized_invoice(billed_customer(clock=clock, version=version))
    draft_invoice(billed_customer(clock=clock, version=version))
    factories.user(is_staff=True)
    return customer


def lists() -> list[str]:
    """The address of every list of the back office."""
    found = []
    for model in admin.site._registry:
        if model.__module__.startswith(OURS):  # nobody in a group of ours may see what Django itself keeps
            found.append(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
    return found


def asked(client: Client, address: str) -> int:
    """How many questions a page asks; the first visit, which fills what is kept per process, does not count."""
    assert client.get(address).status_code == 200, address
    with CaptureQueriesContext(connection) as questions:
        client.get(address)
    return len(questions)


def counts(staff: Client, buyer: Client, customer: Customer) -> dict[str, int]:
    invoice = customer.invoices.filter(status="finalized").order_by("pk")[0]
    period = ensure_period(legal_entity=invoice.legal_entity, on=invoice.issued_on)
    pages = {
        "customer": page(customer),
        "invoice": page(invoice),
        "payment": page(payment_of(invoice)),
        "period": page(period),
        "/portal invoice": f"/portal/invoices/{invoice.public_id}/",
    }
    found = {
        address: asked(staff, address) for address in [*lists(), *(key for key in PINNED if _is_staff(key))]
    }
    for name, address in pages.items():
        found[name] = asked(buyer if address.startswith("/portal") else staff, address)
    found |= {address: asked(buyer, address) for address in PINNED if address.startswith("/portal/")}
    return found


def _is_staff(key: str) -> bool:
    return key.startswith("/admin")


def test_no_page_asks_more_because_there_is_more() -> None:
    clock, version = factories.test_clock(), version_with_fee()
    customer = a_customer_with_everything(clock, version)
    staff, buyer = office(), visitor(customer)
    few = counts(staff, buyer, customer)
    for _ in range(2):
        a_customer_with_everything(clock, version)
    _more_for(customer)
    many = counts(staff, buyer, customer)
    assert {name: (few[name], many[name]) for name in few if many[name] > few[name]} == {}
    assert {name: count for name, count in many.items() if count > PINNED.get(name, LIST)} == {}


def _more_for(customer: Customer) -> None:
    """Three times as much on the customer's own pages."""
    for amount in (6000, 7000):
        receipt(customer, amount)
    subscription_of(customer)
