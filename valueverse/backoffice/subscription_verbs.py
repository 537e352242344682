"""Starting and canceling subscriptions from the back office, with the invoice that follows before acting."""

from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.http import HttpRequest

from billing.catalog.models import PlanVersion
from billing.core.billing_moments import billing_moment
from billing.core.errors import BillingError, TaxUndetermined
from billing.core.lifecycles import SubscriptionStatus
from billing.invoices.charges import late_usage_waiting
from billing.invoices.selectors import preview_invoice
from billing.ledger.selectors import closed_until
from billing.platform import display
from billing.platform.actors import Actor
from billing.revenue import services as revenue
from billing.subscriptions import services
from billing.subscriptions.models import Subscription
from billing.subscriptions.selectors import current_period, terms_of
from billing.usage.selectors import receipt_cutoff
from customers.models import Customer
from customers.selectors import now_for
from valueverse.backoffice.customer_verbs import CustomerReference
from valueverse.backoffice.making import Creation
from valueverse.backoffice.verbs import Data, Outcome, Verb

VERSIONS_MAX = 500
MOMENTS_MAX = 400


class VersionChoice(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A published plan version with its currency."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.plan.name}: {obj}, {obj.currency}, every {obj.interval_count} {obj.interval_unit}"


class LateUsageForm(forms.Form):
    """What becomes of usage that was found after its period was billed."""

    decision = forms.ChoiceField(
        choices=[("bill", "Bill it with the next invoice"), ("forgive", "Let it go")], label="Decision"
    )
    reason = forms.CharField(max_length=500, help_text="Kept for good.")


class DecideLateUsage(Verb):
    """Bill late usage of a plan that asks, or let it go."""

    def __init__(self) -> None:
        super().__init__(
            "late-usage",
            "Decide late usage",
            "revenue.decide_late_usage",
            "The next invoice follows the decision. What is let go takes back what was accrued of it.",
            LateUsageForm,
            asks_first=True,
        )

    def at(self, row: Any) -> datetime:
        return now_for(row.customer)

    def waiting(self, row: Any) -> list[tuple[Any, int]]:
        cutoff = receipt_cutoff(customer=row.customer, at=now_for(row.customer))
        return late_usage_waiting(subscription=row, cutoff=cutoff)

    def is_offered(self, row: Any) -> bool:
        return bool(self.waiting(row))

    def state(self, row: Any) -> tuple[Any, ...]:
        return tuple(amount for _, amount in self.waiting(row))

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        zone = ZoneInfo(row.time_zone)
        found: list[tuple[str, Any]] = []
        for entry, amount in self.waiting(row):
            period = entry.charge.period
            days = f"{period.start_on(zone)} to {period.last_on(zone)}"
            label = f"{entry.charge.description}, {days}: {display.quantity(entry.charge.quantity)}"
            found.append((label, display.amount(amount, row.currency)))
        return found

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        revenue.decide_late_usage(subscription_id=row.public_id, **data, actor=actor, at=at)
        return Outcome("Decided. The next invoice follows it.", row)


class StartForm(forms.Form):
    """Who subscribes to what, from when."""

    customer = CustomerReference(help_text="Id, external id or exact name.")
    plan_version = VersionChoice(
        PlanVersion.objects.none(),
        label="Plan version",
        empty_label="Choose a published version",
        help_text="Not there? Publish it first.",
    )
    start_on = forms.DateField(
        required=False,
        label="Starts on",
        input_formats=["%Y-%m-%d"],
        help_text="Midnight in the customer's time zone. Empty: now. Up to 366 days back, two years ahead.",
    )
    accepts_late = forms.BooleanField(
        required=False,
        label="Start in a closed month all the same",
        help_text="Revenue of a closed month is posted in the next open one and marked late.",
    )
    external_id = forms.CharField(
        required=False,
        max_length=120,
        label="External id",
        help_text="Your own key for this subscription, if any.",
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        published = PlanVersion.objects.filter(published_at__isnull=False).select_related("plan")
        found = published.order_by("plan__code", "-version")
        self.fields["plan_version"].queryset = (  # type: ignore[attr-defined]
            found[:VERSIONS_MAX] if data is None else found
        )

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cleaned_data
        customer, start_on = found.get("customer"), found.get("start_on")
        found["started_at"] = None
        if customer is None or start_on is None:
            return found
        if start_on.year < 2000 or start_on.year > 2199:
            self.add_error(
                "start_on", f"{start_on} is too far away. Start within 366 days back and two years ahead."
            )
            return found
        found["started_at"] = datetime.combine(start_on, time(), ZoneInfo(customer.time_zone))
        closed = closed_until(legal_entity=customer.legal_entity)
        if closed is not None and start_on < closed and not found.get("accepts_late"):
            self.add_error(
                "start_on",
                f"{display.month(start_on)} is closed. Start on {closed} or later, or tick below that its revenue "
                "is posted late.",
            )
        return found

    def place(self, name: str) -> str:
        """The field that services know as `started_at`."""
        return {"started_at": "start_on"}.get(name, name)


def bill_of(subscription: Subscription, *, at: datetime) -> dict[str, Any]:
    """What the next invoice of a subscription would say, for `backoffice/parts/next_bill.html`."""
    billed_at = subscription.next_billing_at
    shown: dict[str, Any] = {
        "template": "backoffice/parts/next_bill.html",
        "currency": subscription.currency,
        "billed_at": billed_at,
        "zone": subscription.time_zone,
    }
    if billed_at is None:
        return shown
    zone = ZoneInfo(subscription.time_zone)
    try:
        cutoff = receipt_cutoff(customer=subscription.customer, at=at)
        found = preview_invoice(subscription=subscription, billed_at=billed_at, usage_until=cutoff)
    except BillingError as error:
        return shown | {"problem": _problem(error, subscription, billed_at)}
    moment = billing_moment(terms_of(subscription), billed_at)
    shown |= {"next_at": moment.next_at, "due_count": _due_count(subscription, billed_at, at)}
    if found is None:
        return shown
    lines = [
        (line, line.period.start_on(zone), line.period.last_on(zone), line.kind == "recurring")
        for line in found.lines
    ]
    return shown | {
        "lines": lines,
        "fixed_minor": sum(line.amount_minor for line, _, _, is_fee in lines if is_fee),
        "usage_minor": sum(line.amount_minor for line, _, _, is_fee in lines if not is_fee),
        "result": found,
        "taxes": [(row, found.treatment_of(row)) for row in found.taxes],
    }


def _problem(error: BillingError, subscription: Subscription, billed_at: datetime) -> str:
    """Why there is no next invoice yet, and what to do."""
    if isinstance(error, TaxUndetermined) and "tax_rate" in error.fields:
        zone = ZoneInfo(subscription.legal_entity.time_zone)
        day = billed_at.astimezone(zone).date()
        country = error.details.get("country", subscription.customer.country)
        return f"No standard rate of {country} is valid on {day}. Add a rate that starts by then."
    return f"This could not be billed yet: {error.message}."


def _due_count(subscription: Subscription, first: datetime, at: datetime) -> int:
    """How many billing moments have come already."""
    terms, count, moment = terms_of(subscription), 0, first
    while moment <= at and count < MOMENTS_MAX:
        count += 1
        next_at = billing_moment(terms, moment).next_at
        if next_at is None:
            break
        moment = next_at
    return count


class Start(Creation):
    """A subscription, with its first invoice before it starts."""

    def __init__(self) -> None:
        super().__init__(
            "new",
            "New subscription",
            "subscriptions.add_subscription",
            "Starting bills nothing by itself: the next bill run does. Plan version, seller and time zone stay.",
            StartForm,
            asks_first=True,
            is_live=True,
            model=Subscription,
        )

    def initial(self, request: HttpRequest) -> Data:
        given = {
            name: request.GET[name][:120] for name in ("customer", "plan_version") if request.GET.get(name)
        }
        if given.get("customer", "").isdecimal():
            found = Customer.objects.filter(pk=int(given["customer"][:18])).first()
            given["customer"] = found.public_id if found else ""
        return given

    def button(self, row: Any, data: Data) -> str:
        return f"Start {data['plan_version']} for {data['customer']}" if "customer" in data else self.label

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        customer = data["customer"]
        made = services.start_subscription(
            customer=customer,
            plan_version=data["plan_version"],
            started_at=data["started_at"],
            external_id=data["external_id"] or None,
            actor=actor,
            at=now_for(customer),
        )
        return Outcome(f"Started {made.plan_version} for {customer}.", made)

    def aside(self, row: Any, made: Outcome) -> dict[str, Any]:
        started: Any = made.row
        return bill_of(started, at=now_for(started.customer))

    def result(self, row: Any, made: Outcome) -> list[tuple[str, Any]]:
        started: Any = made.row
        return [
            ("Customer", started.customer.name),
            ("Seller", started.legal_entity.name),
            ("Service starts", _local(started.started_at, started.time_zone)),
            ("State", display.pill(started.status)),
        ]


def _local(at: datetime | None, zone: str) -> str:
    return "–" if at is None else f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"


class SubscriptionVerb(Verb):
    """What verbs on a subscription share."""

    def __init__(self, slug: str, label: str, before: str) -> None:
        super().__init__(slug, label, "subscriptions.change_subscription", before)

    def at(self, row: Any) -> datetime:
        return now_for(row.customer)

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.status, row.cancel_at, row.next_billing_at)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        period = current_period(row, at=self.at(row))
        return [
            ("Customer", row.customer.name),
            ("Plan version", str(row.plan_version)),
            ("Period ends", _local(period.service.end if period else None, row.time_zone)),
            ("Ends", _local(row.cancel_at, row.time_zone)),
        ]

    def result(self, row: Any, made: Outcome) -> list[tuple[str, Any]]:
        after: Any = made.row
        return [
            ("Service ends then", _local(after.cancel_at, after.time_zone) if after.cancel_at else "No end")
        ]

    def aside(self, row: Any, made: Outcome) -> dict[str, Any]:
        return bill_of(made.row, at=self.at(row)) if made.row is not None else {}  # type: ignore[arg-type]


class CancelAtEnd(SubscriptionVerb):
    """Service to the end of the period."""

    def __init__(self) -> None:
        super().__init__(
            "cancel-at-period-end",
            "Cancel at period end",
            "Nothing is billed for later periods. Undone until that day.",
        )

    def is_offered(self, row: Any) -> bool:
        return row.status == SubscriptionStatus.ACTIVE and row.cancel_at is None

    def button(self, row: Any, data: Data) -> str:
        period = current_period(row, at=self.at(row))
        return f"Cancel as of {_local(period.service.end, row.time_zone)}" if period else self.label

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.cancel_subscription_at_period_end(subscription_id=row.public_id, actor=actor, at=at)
        return Outcome(f"Ends {_local(made.cancel_at, made.time_zone)}.", made)


class CancelNow(SubscriptionVerb):
    """Service ends at once."""

    def __init__(self) -> None:
        super().__init__(
            "cancel-now",
            "Cancel now",
            "This cannot be undone. Usage until now is billed by the next run; fees billed already are not credited: "
            "credit them on their invoice.",
        )

    def is_offered(self, row: Any) -> bool:
        return row.status in (SubscriptionStatus.ACTIVE, SubscriptionStatus.SCHEDULED)

    def button(self, row: Any, data: Data) -> str:
        return "Cancel now, for good"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.cancel_subscription_now(subscription_id=row.public_id, actor=actor, at=at)
        return Outcome(f"Canceled as of {_local(made.cancel_at, made.time_zone)}.", made)


class UndoCancel(SubscriptionVerb):
    """Service goes on."""

    def __init__(self) -> None:
        super().__init__("undo-cancel", "Undo cancellation", "Service goes on and is billed as before.")

    def is_offered(self, row: Any) -> bool:
        return (
            row.status == SubscriptionStatus.ACTIVE
            and row.cancel_at is not None
            and row.cancel_at > self.at(row)
        )

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.undo_scheduled_cancellation(subscription_id=row.public_id, actor=actor, at=at)
        return Outcome("The cancellation is undone; service goes on.", made)


SUBSCRIPTION_VERBS: tuple[Verb, ...] = (UndoCancel(), CancelAtEnd(), CancelNow(), DecideLateUsage())


def day_of(at: datetime, zone: str) -> date:
    """The day of an instant in a time zone."""
    return at.astimezone(ZoneInfo(zone)).date()
