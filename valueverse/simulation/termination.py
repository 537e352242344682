"""Kind `termination_credit`: the credit for unused time when a subscription ends or changes its plan."""

from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from billing.core.billing_moments import Terms, service_period
from billing.core.errors import InvalidInput
from billing.core.money import to_major
from billing.core.periods import IntervalUnit, calendar_anchor
from billing.core.unused_credit import BilledFee, UnusedPolicy, first_unused_on, unused_credit
from valueverse.simulation.reading import Fields, shown

NOTHING = {"none": True}
TRIAL_DAYS_MAX = 3_660


def answer(case: Fields) -> dict[str, Any]:
    """The credit note of such a case, or that there is none. Raises InvalidInput."""
    if _named(case, "timing", ("in_advance", "in_arrears"), "in_advance") == "in_arrears":
        return NOTHING
    policy = UnusedPolicy(_named(case, "unused", tuple(UnusedPolicy), "credit"))
    currency, zone = case.text("currency"), _zone(case)
    started_at, ended_at = case.instant("started_at"), case.instant("terminated_at")
    if ended_at < started_at:
        raise InvalidInput("must not be before the start", field="terminated_at")
    started_on, ended_on = (at.astimezone(zone).date() for at in (started_at, ended_at))
    whole = service_period(
        Terms(_anchor(case, started_on), case.interval(), zone, started_at, None), ended_at
    )
    fee = BilledFee(
        price=case.number("fee_billed" if case.has("fee_billed") else "fee"),
        start_on=whole.whole.start_on(zone),
        end_on=whole.whole.end_on(zone),
        tax_percent=case.number("tax_rate", "0"),
        coupon=case.number("coupon_on_fee", "0"),
        credited=case.number("already_credited", "0"),
        other_lines=case.number("other_lines", "0"),
        paid=case.number("paid", "0"),
    )
    is_replaced = _named(case, "reason", ("cancel", "upgrade"), "cancel") == "upgrade"
    found = unused_credit(
        fee,
        used_from=_trial_end(case, started_on),
        unused_from=first_unused_on(ended_on, is_replaced=is_replaced),
        currency=currency,
        policy=policy,
    )
    if found is None:
        return NOTHING
    parts = {
        "total": found.total_minor,
        "tax": found.tax_minor,
        "item": found.item_minor,
        "credit": found.credit_minor,
        "refund": found.refund_minor,
        "offset": found.offset_minor,
    }
    return {name: shown(to_major(minor, currency)) for name, minor in parts.items()}


def _anchor(case: Fields, started_on: date) -> date:
    """Calendar quarters and half-years are those of the year."""
    if _named(case, "billing", ("calendar", "anniversary"), "calendar") == "anniversary":
        return started_on
    interval = case.interval()
    if interval.unit is IntervalUnit.MONTH and 12 % interval.count == 0:
        return date(started_on.year, 1, 1)
    return calendar_anchor(started_on, interval)


def _trial_end(case: Fields, started_on: date) -> date:
    days = case.whole("trial_days", 0)
    if not 0 <= days <= TRIAL_DAYS_MAX:
        raise InvalidInput(f"must be 0 to {TRIAL_DAYS_MAX} days", field="trial_days")
    try:
        return started_on + timedelta(days=days)
    except OverflowError as error:
        raise InvalidInput("must end within the calendar", field="trial_days") from error


def _zone(case: Fields) -> ZoneInfo:
    try:
        return ZoneInfo(case.text("timezone", "UTC"))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InvalidInput("must be a time zone such as Europe/Berlin", field="timezone") from error


def _named(case: Fields, name: str, known: tuple[str, ...], default: str) -> str:
    value = case.text(name, default)
    if value not in known:
        raise InvalidInput(f"must be one of {', '.join(known)}", field=name)
    return value
