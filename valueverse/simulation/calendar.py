"""Kind `billing_dates`: when a subscription bills, and for which period."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from billing.core.billing_moments import ServicePeriod, Terms, service_period
from billing.core.periods import Interval, IntervalUnit, billing_day_anchor, boundary, period_index
from valueverse.simulation.reading import Fields, Unsupported

UTC = ZoneInfo("UTC")
PERIODS_MAX = 5_000


def terms_of(case: Fields, *, start_on: date, end_on: date | None) -> Terms:
    """The terms of a subscription that starts and ends with a day (the end is exclusive)."""
    interval = case.interval()
    anchor_on = start_on
    if case.has("anchor_day") and interval.unit in (IntervalUnit.MONTH, IntervalUnit.YEAR):
        anchor_on = billing_day_anchor(start_on, interval, case.whole("anchor_day"))
    return Terms(anchor_on, interval, UTC, _midnight(start_on), _midnight(end_on) if end_on else None)


def service_periods(terms: Terms, *, until: date) -> list[ServicePeriod]:
    """The consecutive service periods that begin by the end of a day, to the end of service."""
    periods: list[ServicePeriod] = []
    at, last = terms.started_at, _midnight(until)
    while at <= last and (terms.cancel_at is None or at < terms.cancel_at):
        period = service_period(terms, at)
        periods.append(period)
        at = period.service.end
        if len(periods) > PERIODS_MAX:
            raise Unsupported(f"a case runs for at most {PERIODS_MAX} periods")
    return periods


def answer(case: Fields) -> dict[str, Any]:
    """The dates that such a case may ask for. Raises InvalidInput, InvalidPeriod."""
    if case.has("invoice_date"):
        return {"period": _period_of_invoice(case)}
    start_on = case.day("start")
    terms = terms_of(case, start_on=start_on, end_on=case.day("end") if case.has("end") else None)
    result: dict[str, Any] = {"first_billing_date": _next_boundary(terms, start_on).isoformat()}
    if not case.has("target_date"):
        return result
    target_on = case.day("target_date")
    periods = service_periods(terms, until=max(target_on, start_on))
    held = periods[-1].service
    ended = [period for period in periods if period.service.end.date() <= target_on]
    result |= {
        "period": {"from": held.start.date().isoformat(), "to": held.end.date().isoformat()},
        "elapsed_cycles": len(ended),
    }
    return result | _arrears(case, terms, periods, target_on)


def _arrears(case: Fields, terms: Terms, periods: list[ServicePeriod], target_on: date) -> dict[str, Any]:
    """What a run on the target day has billed. Greedy: also the period that it lies in, unless that starts then."""
    if case.text("timing", "in_advance") != "in_arrears":
        return {}
    greedy = case.text("in_arrears_mode", "") == "greedy"
    billed = [
        period.service
        for period in periods
        if period.service.end.date() <= target_on or (greedy and period.service.start.date() < target_on)
    ]
    through = billed[-1].end.date() if billed else None
    if greedy and through is None:
        through = terms.started_at.date()
    next_on = _next_boundary(terms, max(through or terms.started_at.date(), terms.started_at.date()))
    if through is not None and next_on <= through:
        next_on = _next_boundary(terms, through + timedelta(days=1))
    return {
        "something_to_bill": through is not None,
        "billed_through": through.isoformat() if through else None,
        "next_billing_date": next_on.isoformat(),
    }


def _period_of_invoice(case: Fields) -> dict[str, str]:
    """The period that an invoice of a day bills: the one that starts then, or in arrears the one that ended."""
    invoice_on = case.day("invoice_date")
    in_arrears = case.text("timing") == "in_arrears"
    start_on = case.day("start") if case.has("start") else invoice_on
    terms = terms_of(case, start_on=start_on, end_on=None)
    at = _midnight(invoice_on) - timedelta(microseconds=1) if in_arrears else _midnight(invoice_on)
    period = service_period(terms, at).service
    return {"from": period.start.date().isoformat(), "to": period.end.date().isoformat()}


def _next_boundary(terms: Terms, on: date) -> date:
    """The first billing day on a day or after it."""
    at = _midnight(on)
    index = period_index(terms.anchor_on, terms.interval, at, UTC)
    here = boundary(terms.anchor_on, terms.interval, index, UTC)
    return (here if here == at else boundary(terms.anchor_on, terms.interval, index + 1, UTC)).date()


def _midnight(day: date) -> datetime:
    return boundary(day, Interval(IntervalUnit.DAY), 0, UTC)
