"""Stopping the billing of a customer from its own page, and letting it go on."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms

from billing.core.lifecycles import BillRunStatus
from billing.invoices import services
from billing.invoices.models import BillingHold, BillRunCustomer, BillRunCustomerStatus
from billing.invoices.selectors import hold_in_force
from billing.platform import display
from billing.platform.actors import Actor
from customers.models import Customer
from customers.selectors import now_for
from valueverse.backoffice.bill_run_review import HoldForm
from valueverse.backoffice.verbs import Data, Outcome, Verb

RUNS_MAX = 5


def hold_of(customer: Customer) -> BillingHold | None:
    """The hold on a customer's billing, by the customer's clock."""
    return hold_in_force(customer=customer, at=now_for(customer))


def runs_with(customer: Customer, *statuses: BillRunCustomerStatus) -> list[BillRunCustomer]:
    """Runs under way that this customer is in."""
    under_way = (
        BillRunStatus.GENERATING, BillRunStatus.IN_REVIEW, BillRunStatus.APPROVED, BillRunStatus.FINALIZING
    )  # fmt: skip
    found = BillRunCustomer.objects.filter(customer=customer, status__in=statuses, run__status__in=under_way)
    return list(found.select_related("run").order_by("-pk")[:RUNS_MAX])


class HoldVerb(Verb):
    """What both have in common: the customer's clock, and the runs it touches."""

    def at(self, row: Any) -> datetime:
        return now_for(row)

    def state(self, row: Any) -> tuple[Any, ...]:
        hold = hold_of(row)
        return (hold.pk if hold else None,)

    def runs(self, row: Any) -> list[BillRunCustomer]:
        return []

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [
            (
                f"Run of {one.run.as_of:%Y-%m-%d}, {one.run.status.replace('_', ' ')}",
                display.amount(one.total_minor, one.currency) if one.currency else display.NONE,
            )
            for one in self.runs(row)
        ]


class HoldBilling(HoldVerb):
    """Nothing is drafted or finalized for the customer until it is released, or its day has come."""

    def __init__(self) -> None:
        super().__init__(
            "hold",
            "Hold billing",
            "invoices.hold_billing",
            "Runs skip this customer and drafts are not finalized while the hold lasts; what is due stays due. "
            "Undone by releasing it.",
            HoldForm,
            asks_first=True,
        )

    def form(self, row: Any, data: Any = None) -> forms.Form:
        return HoldForm(data)

    def is_offered(self, row: Any) -> bool:
        return hold_of(row) is None

    def runs(self, row: Any) -> list[BillRunCustomer]:
        return runs_with(
            row, BillRunCustomerStatus.PENDING, BillRunCustomerStatus.DRAFTED, BillRunCustomerStatus.PARKED
        )

    def button(self, row: Any, data: Data) -> str:
        until = data.get("until_on")
        return f"Hold {row.name}{f' until {until}' if until else ''}"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        services.place_hold(
            customer=row, reason=data["reason"], until_on=data["until_on"], actor=actor, at=at
        )
        return Outcome("On hold. Runs skip this customer until it is released.", row)


class ReleaseBilling(HoldVerb):
    """The customer is billed again."""

    def __init__(self) -> None:
        super().__init__(
            "release",
            "Release hold",
            "invoices.hold_billing",
            "Drafts in runs still in review come back in; whatever else is due, the next run bills.",
        )

    def is_offered(self, row: Any) -> bool:
        return hold_of(row) is not None

    def runs(self, row: Any) -> list[BillRunCustomer]:
        return runs_with(row, BillRunCustomerStatus.HELD)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        hold = hold_of(row)
        if hold is None:
            return []
        return [("On hold", hold.reason), *hold_facts(row, hold), *super().facts(row)]

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        hold = hold_of(row)
        if hold is not None:
            services.release_hold(hold_id=hold.public_id, actor=actor, at=at)
        return Outcome("Released. The next run bills what is due.", row)


def hold_facts(customer: Customer, hold: BillingHold) -> list[tuple[str, Any]]:
    """By whom, since when, until when."""
    zone = ZoneInfo(customer.time_zone)
    until = hold.until_at.astimezone(zone).date().isoformat() if hold.until_at else "somebody releases it"
    return [("By", hold.actor_label), ("Since (UTC)", display.instant(hold.held_at)), ("Until", until)]
