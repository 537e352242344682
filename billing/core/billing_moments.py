"""When a subscription bills, and for which service: one moment after another, each computed from the anchor.

At a moment the period that ends is billed for what is due in arrears, and the period that starts for what is due in
advance. The first moment is the start of service, the last one its end.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from billing.core.periods import Interval, Period, boundary, period_index

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides the moments. started_at <= cancel_at; cancel_at None: no end is known."""

    anchor_on: date
    interval: Interval
    zone: ZoneInfo
    started_at: datetime
    cancel_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ServicePeriod:
    """A period of service and the whole period of the calendar it is part of; both differ in a stub."""

    service: Period
    whole: Period


@dataclass(frozen=True, slots=True)
class BillingMoment:
    """What is due at `at`: `ended` in arrears, `starting` in advance. next_at is None when service has ended."""

    at: datetime
    ended: ServicePeriod | None
    starting: ServicePeriod | None
    next_at: datetime | None


def billing_moment(terms: Terms, at: datetime) -> BillingMoment:
    """The moment at an instant: the start of service, a period bound, or the end of service.

    >>> utc = ZoneInfo("UTC")
    >>> from billing.core.periods import IntervalUnit
    >>> start = datetime(2023, 11, 10, tzinfo=utc)
    >>> terms = Terms(date(2023, 11, 1), Interval(IntervalUnit.MONTH, 1), utc, start)
    >>> first = billing_moment(terms, start)
    >>> first.ended, first.starting.service.end.day, first.next_at.month
    (None, 1, 12)
    """
    ended = service_period(terms, at - _INSTANT) if at > terms.started_at else None
    if terms.cancel_at is not None and at >= terms.cancel_at:
        return BillingMoment(at, ended, None, None)
    starting = service_period(terms, at)
    return BillingMoment(at, ended, starting, starting.service.end)


def service_period(terms: Terms, at: datetime) -> ServicePeriod:
    """The service period that holds an instant, clipped to the start and the end of service."""
    index = period_index(terms.anchor_on, terms.interval, at, terms.zone)
    whole = Period(
        boundary(terms.anchor_on, terms.interval, index, terms.zone),
        boundary(terms.anchor_on, terms.interval, index + 1, terms.zone),
    )
    start = max(whole.start, terms.started_at)
    end = whole.end if terms.cancel_at is None else min(whole.end, terms.cancel_at)
    return ServicePeriod(Period(start, end), whole)
