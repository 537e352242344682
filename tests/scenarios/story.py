"""A seller with customers on one test clock, driven through the services as the product's faces drive them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

from django.db import connection

from billing.activity import services as activity
from billing.activity.models import Activity
from billing.approvals.models import ApprovalRequest
from billing.catalog.models import Meter, PlanVersion
from billing.catalog.services import PriceInput
from billing.core.money import format_major, parse_major
from billing.core.quantity import format_quantity
from billing.invoices import services as invoices
from billing.invoices.models import (
    BillRun,
    BillRunCustomer,
    CreditNote,
    DocumentMail,
    Invoice,
    StoredDocument,
)
from billing.ledger.models import AccountingPeriod, JournalEntry
from billing.ledger.selectors import trial_balance
from billing.platform.actors import Actor, ActorKind
from billing.platform.clock import now
from billing.reports.books import check_books
from billing.revenue.models import RevenueSlice, UsageAccrual
from billing.revenue.services import RecognitionResult, recognize_revenue
from billing.subscriptions import services as subscriptions
from billing.subscriptions.models import BilledPeriod, Subscription
from billing.usage.services import IncomingEvent, ingest
from customers import services as customers
from customers.models import Customer, LegalEntity, TestClock
from payments.gateways.test import TestMethod
from payments.models import (
    CollectionSchedule,
    Payment,
    PaymentAllocation,
    PaymentMail,
    PaymentMethod,
    Refund,
)
from payments.services import add_payment_method
from tests import factories
from valueverse.closing import close_month
from valueverse.outbox import drain_outbox

FIONA = Actor(ActorKind.USER, "usr_fiona", "Fiona (finance)")
OSCAR = Actor(ActorKind.USER, "usr_oscar", "Oscar (operations)")

LISBON = customers.Address(country="PT", line1="Rua Augusta 1", postal_code="1100-048", city="Lisboa")
PARIS = customers.Address(country="FR", line1="1 rue de Rivoli", postal_code="75001", city="Paris")

_numbers = count(1)


def utc(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


NOV_1 = utc(2023, 11, 1)
DEC_1 = utc(2023, 12, 1)
JAN_1 = utc(2024, 1, 1)
NOVEMBER, DECEMBER = date(2023, 11, 1), date(2023, 12, 1)

PER_UNIT = {"unit_amount": "0.01"}


@dataclass
class Story:
    """One seller, its clock and its meters. Everything happens at the clock's time."""

    now_at: datetime = NOV_1
    currency: str = "EUR"
    country: str = "DE"
    zone: str = "Europe/Berlin"
    rate: str = "19"
    seller: LegalEntity = field(init=False)
    clock: TestClock = field(init=False)

    def __post_init__(self) -> None:
        changes: dict[str, Any] = {"accounting_currency": self.currency, "time_zone": self.zone}
        if self.country != "DE":
            changes["address"] = customers.Address(
                country=self.country, line1="1 Main Street", postal_code="1", city="Capital"
            )
            changes["tax_registrations"] = [
                customers.TaxRegistrationInput(
                    country=self.country, tax_number="T-1", valid_from=date(2020, 1, 1)
                )
            ]
        self.seller = factories.legal_entity(**changes)
        if self.rate:
            factories.tax_rate(self.country, self.rate)
        self.clock = factories.test_clock(
            entity=self.seller, now_at=self.now_at, name=f"clock {next(_numbers)}"
        )

    # Who buys what

    def customer(self, *, method: TestMethod | None = TestMethod.SUCCEEDS, **changes: Any) -> Customer:
        """A customer in the seller's country and currency, on the clock, with a card of the test gateway."""
        given: dict[str, Any] = {"currency": self.currency, "test_clock": self.clock}
        if self.country != "DE":
            given["address"] = customers.Address(
                country=self.country, line1="2 Main Street", postal_code="2", city="Capital"
            )
        customer = factories.customer(**{**given, **changes})
        if method is not None:
            self.card(customer, method)
        return customer

    def card(self, customer: Customer, method: TestMethod) -> PaymentMethod:
        return add_payment_method(
            customer=customer,
            gateway_code="test",
            gateway_ref=f"{method.value}:{customer.public_id}:{next(_numbers)}",
            label="card ...4242",
            actor=factories.ACTOR,
            at=self.now_at,
        )

    def version(
        self, *prices: PriceInput, interval: str = "month", anchor: str = "calendar", **changes: Any
    ) -> PlanVersion:
        return factories.plan_version(
            prices=list(prices) or None,
            currency=self.currency,
            interval_unit=interval,
            anchor=anchor,
            **changes,
        )

    def subscribe(
        self, customer: Customer, version: PlanVersion, *, started_at: datetime | None = None
    ) -> Subscription:
        return subscriptions.start_subscription(
            customer=customer,
            plan_version=version,
            started_at=started_at,
            actor=FIONA,
            at=self.now_at,
        )

    def cancel_now(self, subscription: Subscription) -> Subscription:
        return subscriptions.cancel_subscription_now(
            subscription_id=subscription.public_id, actor=FIONA, at=self.now_at
        )

    def cancel_at_period_end(self, subscription: Subscription) -> Subscription:
        return subscriptions.cancel_subscription_at_period_end(
            subscription_id=subscription.public_id, actor=FIONA, at=self.now_at
        )

    # Time and usage

    def advance(self, to: datetime) -> None:
        self.now_at = to
        self.clock.refresh_from_db()
        customers.advance_test_clock(clock=self.clock, to=to, actor=OSCAR, at=now())

    def use(
        self,
        customer: Customer,
        at: datetime,
        quantity: int | str = 1,
        *,
        type: str = "api_call",
        name: str = "units",
        event_id: str | None = None,
    ) -> str:
        """One event of `quantity` units; the verdict it gets."""
        event = IncomingEvent(
            id=event_id or f"event-{next(_numbers)}",
            customer=customer.public_id,
            type=type,
            at=at,
            properties={name: quantity},
        )
        return ingest(events=[event])[0].kind.value

    # The work of a day

    def bill(self) -> list[Invoice]:
        """Bill what is due as the command does; the invoices issued by this run, in order of their numbers."""
        known = set(Invoice.objects.filter(number__isnull=False).values_list("pk", flat=True))
        invoices.bill_due(as_of=now(), actor=OSCAR, at=now())
        issued = Invoice.objects.filter(legal_entity=self.seller, number__isnull=False).exclude(pk__in=known)
        return list(issued.order_by("series_year", "series_number"))

    def bill_one(self) -> Invoice:
        (invoice,) = self.bill()
        return invoice

    def recognize(self, as_of: date) -> RecognitionResult:
        """Recognize a day that is over, whatever the clock of the story shows."""
        over = utc(as_of.year, as_of.month, as_of.day) + timedelta(days=2)
        return recognize_revenue(
            legal_entity=self.seller, as_of=as_of, actor=OSCAR, at=max(self.now_at, over)
        )

    def close(self, month_on: date, *, is_soft: bool = False) -> RecognitionResult:
        return close_month(
            legal_entity=self.seller, month_on=month_on, is_soft=is_soft, actor=FIONA, at=self.now_at
        )

    def follow_up(self) -> int:
        """Documents, mails and first payments: everything that follows from events."""
        return drain_outbox()

    # What the books say

    def books(self, as_of: date) -> dict[str, str]:
        """The trial balance by role code in decimals, debit positive; zero balances left out."""
        rows = trial_balance(legal_entity=self.seller, as_of=as_of)
        return {row.role: format_major(row.balance_minor, self.currency) for row in rows if row.balance_minor}


def meter(code: str = "", **changes: Any) -> Meter:
    """A meter that adds up `units` of events of the type `api_call`."""
    given = {"name": "Units", "event_type": "api_call", "aggregation": "sum", "property": "units"}
    return factories.meter(code, **{**given, **changes})


def usage(
    of: Meter | None = None,
    model: str = "per_unit",
    definition: Mapping[str, object] = PER_UNIT,
    code: str = "usage",
) -> PriceInput:
    return factories.usage_price(of or meter(), model=model, definition=definition, code=code)


def euros(amount: str) -> int:
    return parse_major(amount, "EUR")


def lines(invoice: Invoice | CreditNote) -> list[tuple[str, str, str, str]]:
    """Code, kind, quantity and amount of each line."""
    return [
        (
            line.code,
            line.kind,
            format_quantity(line.quantity),
            format_major(line.amount_minor, invoice.currency),
        )
        for line in invoice.lines.order_by("position")
    ]


def amounts(invoice: Invoice | CreditNote) -> tuple[str, str, str]:
    """Net, tax and total."""
    values = (invoice.subtotal_minor, invoice.tax_minor, invoice.total_minor)
    net, tax, total = (format_major(value, invoice.currency) for value in values)
    return net, tax, total


def service_days(invoice: Invoice) -> list[tuple[str, str]]:
    """First and last day of service of each line."""
    return [
        (line.service_start_on.isoformat(), line.service_last_on.isoformat())
        for line in invoice.lines.order_by("position")
    ]


def entry(source_id: str, purpose: str | None = None) -> tuple[str, dict[str, str]]:
    """The day of a fact's entry, and its postings by role, lines of one role added up."""
    found = JournalEntry.objects.filter(source_id=source_id)
    one = (found if purpose is None else found.filter(purpose=purpose)).get()
    sums: dict[str, int] = {}
    for posting in one.postings.select_related("account"):
        sums[posting.account.role] = sums.get(posting.account.role, 0) + posting.amount_minor
    return one.accounting_on.isoformat(), {
        role: format_major(amount, one.currency) for role, amount in sorted(sums.items())
    }


def accruals(customer: Customer) -> list[tuple[str, str, bool]]:
    """Day, amount and lateness of the accruals of a customer, in order."""
    found = UsageAccrual.objects.filter(customer=customer).select_related("entry").order_by("pk")
    return [
        (
            one.entry.accounting_on.isoformat(),
            format_major(one.amount_minor, one.currency),
            one.entry.is_late,
        )
        for one in found
    ]


def commit() -> None:
    """Fire the constraints that wait for the commit, which a test that rolls back never reaches."""
    connection.check_constraints()


def is_sound() -> bool:
    """Every scenario ends with this: the books agree with the documents, and all activity is chained."""
    commit()
    while activity.chain():
        pass
    assert not Activity.objects.filter(chain_position=None).exists()
    found = check_books()
    assert found == [], found
    return True


MONEY_ROWS = (
    Activity,
    JournalEntry,
    AccountingPeriod,
    Invoice,
    CreditNote,
    BillRun,
    BillRunCustomer,
    BilledPeriod,
    DocumentMail,
    PaymentMail,
    StoredDocument,
    RevenueSlice,
    UsageAccrual,
    Payment,
    PaymentAllocation,
    Refund,
    CollectionSchedule,
    ApprovalRequest,
)


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """All rows that a refused call might have touched: equal before and after means that nothing happened."""
    found = {model.__name__: list(model.objects.order_by("pk").values_list()) for model in MONEY_ROWS}
    found["Subscription"] = list(Subscription.objects.order_by("pk").values_list())
    return found
