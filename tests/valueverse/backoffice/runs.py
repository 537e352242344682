"""Runs in review, for the tests of their pages."""

from datetime import timedelta
from typing import Any

from billing.invoices import services
from billing.invoices.models import BillRun, BillRunCustomer
from billing.invoices.tasks import perform_bill_run
from billing.platform.clock import now
from customers.models import Customer
from customers.services import ContactInput, update_customer
from tests import factories
from tests.billing_factories import billed_customer, version_with_fee
from tests.factories import ACTOR
from tests.valueverse.backoffice.office import page, text

REVIEW = "/admin/invoices/billrun/"


def run_in_review(count: int = 2, *, mailed: bool = False, **changes: Any) -> BillRun:
    """A run over new customers of one seller, drafted and waiting: 117.81 EUR each."""
    clock, version = factories.test_clock(), version_with_fee()
    for number in range(count):
        customer = billed_customer(
            clock=clock, version=version, method=None, name=f"Customer {number:02d}", **changes
        )
        if mailed:
            give_contact(customer)
    return drafted_run()


def drafted_run() -> BillRun:
    """What is due now, drafted for review."""
    run = services.start_bill_run(as_of=now(), needs_review=True, actor=ACTOR, at=now())
    return services.perform_bill_run(run=run, actor=ACTOR, at=now())


def give_contact(customer: Customer) -> None:
    """Somebody who gets the invoices."""
    contact = ContactInput(name="Ada", email=f"ada-{customer.pk}@acme.example", mail_roles=["billing"])
    update_customer(customer=customer, contacts=[contact], actor=ACTOR, at=now())


def row_of(run: BillRun, place: int = 0) -> BillRunCustomer:
    return run.customers.order_by("customer__name")[place]


def on_row(client: Any, row: BillRunCustomer, verb: str, **given: Any) -> Any:
    """Press the button of one customer, with the page as it is now."""
    fresh = BillRunCustomer.objects.get(pk=row.pk)
    seen = f"{fresh.status}-{fresh.total_minor}-{fresh.hold_id or 0}"
    return client.post(f"{REVIEW}{row.run_id}/customers/{row.pk}/{verb}/", {"seen": seen, **given})


def work(run: BillRun) -> BillRun:
    """What the worker does after a verb."""
    perform_bill_run(run.public_id)
    run.refresh_from_db()
    return run


def shown(client: Any, run: BillRun, query: str = "") -> str:
    return text(client, f"{page(run)}{query}")


A_MONTH = timedelta(days=31)
