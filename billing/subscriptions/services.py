"""Starting and canceling subscriptions, and marking what has been billed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from billing.activity import services as activity
from billing.catalog.models import PlanVersion
from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.invoice import Timing
from billing.core.lifecycles import SUBSCRIPTION_MOVES, SubscriptionStatus, check_move
from billing.core.periods import Anchor, Interval, IntervalUnit, calendar_anchor
from billing.platform.actors import Actor
from billing.subscriptions.models import BilledPeriod, Subscription, SubscriptionItem
from billing.subscriptions.selectors import current_period
from customers.models import Customer, LegalEntity

START_AHEAD_MAX = timedelta(days=730)
START_BEHIND_MAX = timedelta(days=366)


class PlanVersionNotPublished(BillingError):
    """Only a published plan version is sold."""

    code = "plan_version_not_published"
    kind = Kind.CONFLICT


class StartOutOfRange(BillingError):
    """The start of service is too far away from now."""

    code = "start_out_of_range"


class CurrencyMismatch(BillingError):
    """Plan and legal entity disagree on the currency."""

    code = "currency_mismatch"
    kind = Kind.CONFLICT


class ExternalIdTaken(BillingError):
    """Another live subscription has this external id (I32)."""

    code = "external_id_taken"
    kind = Kind.CONFLICT


class SubscriptionEnded(BillingError):
    """The subscription is canceled already."""

    code = "subscription_ended"
    kind = Kind.CONFLICT


class SubscriptionNotStarted(BillingError):
    """The subscription has no period yet at whose end it could be canceled."""

    code = "subscription_not_started"
    kind = Kind.CONFLICT


@transaction.atomic
def start_subscription(
    *,
    customer: Customer,
    plan_version: PlanVersion,
    actor: Actor,
    at: datetime,
    started_at: datetime | None = None,
    external_id: str | None = None,
    legal_entity: LegalEntity | None = None,
) -> Subscription:
    """Start service now, in the past (what is due since then is billed by the next run) or in the future.

    started_at defaults to `at`; seller and zone are the customer's defaults, copied here. Every price of the plan
    version becomes an item. Locks the customer. Emits subscription.started.
    Raises PlanVersionNotPublished, StartOutOfRange, CurrencyMismatch, ExternalIdTaken.
    """
    customer = Customer.objects.select_for_update().get(pk=customer.pk)
    seller = legal_entity or customer.legal_entity
    started_at = started_at or at
    _check_start(plan_version, seller, started_at, at)
    if (
        external_id
        and Subscription.objects.filter(external_id=external_id)
        .exclude(status=SubscriptionStatus.CANCELED)
        .exists()
    ):
        raise ExternalIdTaken(
            f"A live subscription has the external id '{external_id}'.", field="external_id"
        )
    start_on = started_at.astimezone(ZoneInfo(customer.time_zone)).date()
    interval = Interval(IntervalUnit(plan_version.interval_unit), plan_version.interval_count)
    is_calendar = plan_version.anchor == Anchor.CALENDAR
    subscription = Subscription.objects.create(
        external_id=external_id or None,
        customer=customer,
        legal_entity=seller,
        plan_version=plan_version,
        currency=plan_version.currency,
        time_zone=customer.time_zone,
        status=SubscriptionStatus.SCHEDULED if started_at > at else SubscriptionStatus.ACTIVE,
        started_at=started_at,
        anchor_on=calendar_anchor(start_on, interval) if is_calendar else start_on,
        next_billing_at=started_at,
        created_at=at,
    )
    SubscriptionItem.objects.bulk_create(
        SubscriptionItem(subscription=subscription, price=price)
        for price in plan_version.prices.order_by("position")
    )
    _record(EventName.SUBSCRIPTION_STARTED, subscription, actor, at)
    return subscription


def _check_start(plan_version: PlanVersion, seller: LegalEntity, started_at: datetime, at: datetime) -> None:
    if plan_version.published_at is None:
        raise PlanVersionNotPublished(f"Publish {plan_version} before you sell it.", field="plan_version")
    if not at - START_BEHIND_MAX <= started_at <= at + START_AHEAD_MAX:
        raise StartOutOfRange(
            f"Start between {START_BEHIND_MAX.days} days ago and {START_AHEAD_MAX.days} days ahead.",
            field="started_at",
        )
    if plan_version.currency != seller.accounting_currency:
        raise CurrencyMismatch(
            f"{plan_version} is priced in {plan_version.currency}, {seller} keeps its books in "
            f"{seller.accounting_currency}.",
            field="plan_version",
        )


@transaction.atomic
def cancel_subscription_at_period_end(*, subscription_id: str, actor: Actor, at: datetime) -> Subscription:
    """Let service run to the end of the current period and bill nothing after it.

    The subscription stays active, with `cancel_at` set; asking again changes nothing. Locks customer and
    subscription. Emits subscription.cancel_scheduled. Raises SubscriptionEnded, SubscriptionNotStarted.
    """
    subscription = _lock(subscription_id)
    if subscription.cancel_at is not None:
        return subscription
    period = current_period(subscription, at=at)
    if period is None:
        raise SubscriptionNotStarted("The subscription has not started; cancel it now instead.")
    subscription.cancel_at = period.service.end
    subscription.save(update_fields=["cancel_at"])
    _record(EventName.SUBSCRIPTION_CANCEL_SCHEDULED, subscription, actor, at)
    return subscription


@transaction.atomic
def undo_scheduled_cancellation(*, subscription_id: str, actor: Actor, at: datetime) -> Subscription:
    """Let service go on past the end that was scheduled; possible until that end has come.

    Idempotent: without a scheduled end nothing changes. Locks customer and subscription.
    Emits subscription.cancel_undone. Raises SubscriptionEnded.
    """
    subscription = _lock(subscription_id)
    if subscription.cancel_at is None:
        return subscription
    if subscription.cancel_at <= at:
        raise SubscriptionEnded("Service has ended already. Start a new subscription.")
    _record(EventName.SUBSCRIPTION_CANCEL_UNDONE, subscription, actor, at)
    subscription.cancel_at = None
    subscription.save(update_fields=["cancel_at"])
    return subscription


@transaction.atomic
def cancel_subscription_now(*, subscription_id: str, actor: Actor, at: datetime) -> Subscription:
    """End service at once. Usage until now is billed by the next run; fees already billed are not credited.

    Locks customer and subscription. Emits subscription.canceled. Raises SubscriptionEnded.
    """
    subscription = _lock(subscription_id)
    never_started = subscription.started_at >= at
    check_move(SUBSCRIPTION_MOVES, subscription.status, SubscriptionStatus.CANCELED)
    ends_at = min(at, subscription.cancel_at or at)  # a scheduled end that has passed is not put off
    subscription.cancel_at = subscription.started_at if never_started else ends_at
    if never_started:
        subscription.next_billing_at = None
    else:
        subscription.next_billing_at = min(subscription.next_billing_at or ends_at, ends_at)
    subscription.status = SubscriptionStatus.CANCELED
    subscription.canceled_at = at
    subscription.save(update_fields=["cancel_at", "next_billing_at", "status", "canceled_at"])
    _record(EventName.SUBSCRIPTION_CANCELED, subscription, actor, at)
    return subscription


def advance_billing(
    *, subscription: Subscription, next_at: datetime | None, actor: Actor, at: datetime
) -> None:
    """Note, in the transaction that billed a moment, when the next one is due; None ends the subscription.

    A scheduled subscription becomes active with its first moment. Emits subscription.canceled at the end.
    """
    subscription.next_billing_at = next_at
    if subscription.status == SubscriptionStatus.SCHEDULED:
        subscription.status = SubscriptionStatus.ACTIVE
    ended_now = next_at is None and subscription.status != SubscriptionStatus.CANCELED
    if ended_now:
        subscription.status = SubscriptionStatus.CANCELED
        subscription.canceled_at = subscription.cancel_at
    subscription.save(update_fields=["next_billing_at", "status", "canceled_at"])
    if ended_now:
        _record(EventName.SUBSCRIPTION_CANCELED, subscription, actor, at)


def mark_billed(*, periods: Sequence[BilledPeriod]) -> None:
    """Store what an invoice bills. The exclusion constraint refuses what is billed already (I10, I13)."""
    BilledPeriod.objects.bulk_create(periods)


def release_billed_periods(*, invoice_id: str, at: datetime) -> int:
    """Make what an invoice billed billable again, after a void or a cancellation; returns how many periods.

    The subscriptions' next billing goes back to the earliest released moment, so that the next run bills it again.
    Late usage has no moment of its own: it is found at any moment after its period.
    """
    periods = list(
        BilledPeriod.objects.select_for_update()
        .select_related("item__subscription", "item__price")
        .filter(invoice_id=invoice_id, released_at=None)
        .order_by("pk")
    )
    BilledPeriod.objects.filter(pk__in=[period.pk for period in periods]).update(released_at=at)
    due: dict[int, datetime] = {}
    late_due: dict[int, datetime] = {}
    for period in periods:
        subscription = period.item.subscription
        is_advance = period.item.price.timing == Timing.IN_ADVANCE
        moment = period.start_at if is_advance else period.end_at
        if period.received_after is None:
            due[subscription.pk] = min(due.get(subscription.pk, moment), moment)
        else:
            late_due[subscription.pk] = min(late_due.get(subscription.pk, moment), moment)
    due = late_due | due
    for subscription in Subscription.objects.select_for_update().filter(pk__in=due).order_by("pk"):
        if subscription.next_billing_at is None or due[subscription.pk] < subscription.next_billing_at:
            subscription.next_billing_at = due[subscription.pk]
            subscription.save(update_fields=["next_billing_at"])
    return len(periods)


def _lock(subscription_id: str) -> Subscription:
    found = Subscription.objects.only("customer_id").get(public_id=subscription_id)
    Customer.objects.select_for_update().get(pk=found.customer_id)
    subscription = (
        Subscription.objects.select_for_update(of=("self",))
        .select_related("customer", "plan_version")
        .get(public_id=subscription_id)
    )
    if subscription.status == SubscriptionStatus.CANCELED:
        raise SubscriptionEnded("The subscription is canceled already.")
    return subscription


def _record(name: EventName, subscription: Subscription, actor: Actor, at: datetime) -> None:
    activity.record(
        name=name,
        object_kind="subscription",
        object_id=subscription.public_id,
        customer_id=subscription.customer.public_id,
        actor=actor,
        at=at,
        data={
            "plan_version": subscription.plan_version.public_id,
            "started_at": subscription.started_at.isoformat(),
            "cancel_at": subscription.cancel_at.isoformat() if subscription.cancel_at else None,
        },
    )
