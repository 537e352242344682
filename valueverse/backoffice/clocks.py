"""Test clocks in the back office: make one, move it with what will run before it does, and read its story by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from billing.activity.models import Activity
from billing.core.billing_moments import billing_moment
from billing.core.lifecycles import SubscriptionStatus, TestClockStatus
from billing.invoices.models import CreditNote, DocumentMail, Invoice
from billing.platform import display
from billing.platform.actors import Actor
from billing.platform.clock import now
from billing.subscriptions.models import Subscription
from billing.subscriptions.selectors import terms_of
from customers import services
from customers.admin import TestClockAdmin
from customers.models import CollectionMethod, Customer, LegalEntity, TestClock
from payments.models import Payment
from valueverse.backoffice.making import Creation
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.verbs import Data, Outcome, Verb

STORY_ROWS = 300
CUSTOMERS_MAX = 500
MOMENTS_MAX = 60
"""How many billing dates ahead are looked at for each subscription."""

FORMATS = ["%Y-%m-%d %H:%M", "%Y-%m-%d"]
KINDS: dict[str, Any] = {
    "invoice": Invoice,
    "credit_note": CreditNote,
    "payment": Payment,
    "subscription": Subscription,
    "customer": Customer,
}


class ClockForm(forms.Form):
    name = forms.CharField(max_length=120)
    legal_entity = forms.ModelChoiceField(
        LegalEntity.objects.filter(is_test=True).order_by("name"),
        label="Legal entity",
        empty_label="Choose a test entity",
        help_text="Only those marked as test: their numbers and books are apart.",
    )
    now_at = forms.DateTimeField(
        label="It shows (UTC)",
        input_formats=FORMATS,
        help_text="Like 2023-11-01 00:00. It only moves forward.",
    )


class NewClock(Creation):
    """A clock; customers are put on it when they are made."""

    __test__ = False

    def __init__(self) -> None:
        super().__init__(
            "new",
            "New test clock",
            "customers.add_testclock",
            "Customers are put on a clock when they are made, and stay on it.",
            ClockForm,
            model=TestClock,
        )

    def button(self, row: Any, data: Data) -> str:
        return "Create test clock"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.create_test_clock(**data, actor=actor, at=at)
        return Outcome(f"Created {made.name}. Next: a customer on it.", made)


@dataclass(frozen=True, slots=True)
class WillRun:
    """What falls due on a day while a clock moves."""

    on: date
    invoices: int
    collects: int


def will_run(clock: TestClock, to: datetime) -> list[WillRun]:
    """The billing dates up to an instant, by day; no more than 60 for each subscription."""
    found = (
        Subscription.objects.filter(customer__test_clock=clock, next_billing_at__lte=to)
        .exclude(status=SubscriptionStatus.CANCELED, next_billing_at=None)
        .select_related("plan_version", "customer__payer")
        .order_by("pk")[:CUSTOMERS_MAX]
    )
    days: dict[date, list[int]] = {}
    for subscription in found:
        payer = subscription.customer.payer or subscription.customer
        charges = payer.collection_method == CollectionMethod.CHARGE_AUTOMATICALLY
        terms, moment = terms_of(subscription), subscription.next_billing_at
        for _ in range(MOMENTS_MAX):
            if moment is None or moment > to:
                break
            counts = days.setdefault(max(moment, clock.now_at).astimezone(UTC).date(), [0, 0])
            counts[0] += 1
            counts[1] += charges
            moment = billing_moment(terms, moment).next_at
    return [WillRun(on, *counts) for on, counts in sorted(days.items())]


class AdvanceForm(forms.Form):
    to = forms.DateTimeField(
        label="New time (UTC)", input_formats=FORMATS, help_text="For example 2023-12-01 00:00."
    )


class Advance(Verb):
    """Forward, and everything that falls due is worked off."""

    def __init__(self) -> None:
        super().__init__(
            "advance",
            "Advance clock",
            "customers.change_testclock",
            "A clock never goes back. What falls due is billed in the background, in order of time.",
            AdvanceForm,
            asks_first=True,
            is_live=True,
        )

    def at(self, row: Any) -> datetime:
        return now()

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.now_at, row.status)

    def form(self, row: Any, data: Any = None) -> forms.Form:
        following = (row.now_at.replace(day=1) + timedelta(days=32)).replace(day=1)
        to = following if row.now_at.day == 1 else following.replace(day=min(row.now_at.day, 28))
        return AdvanceForm(data, initial={"to": f"{to:%Y-%m-%d %H:%M}"})

    def is_offered(self, row: Any) -> bool:
        return bool(row.status == TestClockStatus.READY)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [
            ("It shows (UTC)", display.instant(row.now_at)),
            ("Customers on it", f"{row.customers.count():,}"),
        ]

    def button(self, row: Any, data: Data) -> str:
        return f"Advance to {data['to']:%Y-%m-%d %H:%M}" if "to" in data else self.label

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.advance_test_clock(clock=row, to=data["to"], actor=actor, at=at)
        return Outcome(
            f"{made.name} shows {made.now_at:%Y-%m-%d %H:%M} UTC. What fell due is being worked off.", made
        )

    def aside(self, row: Any, made: Outcome) -> dict[str, Any]:
        moved: Any = made.row
        rows = will_run(row, moved.now_at)
        return {
            "template": "backoffice/parts/will_run.html",
            "rows": rows,
            "invoices": sum(one.invoices for one in rows),
            "collects": sum(one.collects for one in rows),
        }


@dataclass(frozen=True, slots=True)
class StoryRow:
    """One thing that happened to a customer on the clock. day: printed where a new day begins."""

    day: str
    at: datetime
    name: str
    customer: str
    customer_row: Model | None
    target: Model | None


def story(clock: TestClock) -> list[StoryRow]:
    """What happened to the clock's customers, by its own time, newest last; the latest 300."""
    customers = {one.public_id: one for one in clock.customers.order_by("pk")[:CUSTOMERS_MAX]}
    happened = Activity.objects.filter(customer_id__in=list(customers)).order_by("-happened_at", "-id")
    rows = list(happened[:STORY_ROWS])[::-1]
    targets = _targets(rows)
    told, last = [], ""
    for row in rows:
        day = f"{row.happened_at:%Y-%m-%d}"
        told.append(
            StoryRow(
                "" if day == last else day,
                row.happened_at,
                row.name,
                str(customers[row.customer_id]),
                customers[row.customer_id],
                targets.get(row.object_id),
            )
        )
        last = day
    return told


def _targets(rows: Sequence[Activity]) -> dict[str, Model]:
    """The objects that the rows are about, in a query per kind."""
    found: dict[str, Model] = {}
    for kind, model in KINDS.items():
        ids = {row.object_id for row in rows if row.object_kind == kind}
        if ids:
            rows_of_kind = model.objects.filter(public_id__in=ids)
            if kind == "subscription":
                rows_of_kind = rows_of_kind.select_related("customer", "plan_version__plan")
            found.update({one.public_id: one for one in rows_of_kind})
    return found


@admin.register(TestClock)
class TestClockPage(ObjectPage, TestClockAdmin):
    """A clock, who is on it, and what has happened by its time."""

    __test__ = False

    page_template = "backoffice/test_clock.html"
    create = NewClock()
    verbs = (Advance(),)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("legal_entity")

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        mails = DocumentMail.objects.filter(invoice__customer__test_clock=row)
        return {
            "title": f"Test clock {row.name}",
            "customers": list(row.customers.order_by("pk")[:50]),
            "customer_count": row.customers.count(),
            "story": story(row),
            "mails": list(mails.select_related("invoice", "credit_note").order_by("-pk")[:50])
            if request.user.has_perm("invoices.view_documentmail")
            else None,
            "under_way": row.status != TestClockStatus.READY,
        }
