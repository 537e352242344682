"""Kind `proration`: how much of a recurring price falls in a range, and what a change within a period costs."""

from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

from billing.core.errors import InvalidInput
from billing.core.money import Rounding, to_major, to_minor
from billing.core.periods import Interval, IntervalUnit, Period, boundary
from billing.core.proration import ProrationPolicy, days_of_fixed_months, prorate, share_of
from valueverse.simulation.calendar import UTC, service_periods, terms_of
from valueverse.simulation.reading import Fields, Unsupported, shown

DIGITS = 28
DAY = timedelta(days=1)


def answer(case: Fields) -> dict[str, Any]:
    """The share, or the amounts, that such a case asks for. Raises Unsupported, InvalidInput, InvalidPeriod."""
    if case.has("change"):
        return _change(case)
    if case.has("full_period"):
        return _amount(case)
    if case.has("day_count"):
        return {"fraction": _day_count(case)}
    if case.has("period_start"):
        return {"cycles": shown(_decimal(_lago_share(case)))}
    if case.has("part") or not case.has("interval"):
        return _stretch(case)
    return _cycles(case)


def _span(start_on: date, end_on: date) -> Period:
    day = Interval(IntervalUnit.DAY)
    return Period(boundary(start_on, day, 0, UTC), boundary(end_on, day, 0, UTC))


def _fraction(policy: ProrationPolicy, part: Period, whole: Period) -> Fraction:
    share = share_of(policy, part, whole, UTC)
    return Fraction(1) if share is None else share.fraction


def _decimal(fraction: Fraction) -> Decimal:
    return prorate(Decimal(1), fraction)


def _rounded(case: Fields, fraction: Fraction) -> Decimal:
    """A share to the decimals that the source rounds each stretch to."""
    if not case.has("rounding"):
        return _decimal(fraction)
    scale = Decimal(1).scaleb(-case.part("rounding").whole("scale"))
    return _decimal(fraction).quantize(scale, rounding=ROUND_HALF_UP)


def _cycles(case: Fields) -> dict[str, Any]:
    """What is charged in advance by the target day: the stretch before the first billing day, whole periods, a rest."""
    start_on = case.day("start")
    end_on = case.day("end") if case.has("end") else None
    target_on = case.day("target_date")
    if target_on < start_on or (end_on is not None and end_on < start_on):
        raise InvalidInput("must not be before the start", field="target_date")
    periods = service_periods(terms_of(case, start_on=start_on, end_on=end_on), until=target_on)
    shares = [_rounded(case, _fraction(ProrationPolicy.DAY, one.service, one.whole)) for one in periods]
    return {"cycles": shown(sum(shares, Decimal(0)))}


def _stretch(case: Fields) -> dict[str, Any]:
    """A stretch before the first whole period (leading) or after the last one (trailing), or its days alone."""
    start_on, end_on = case.day("start"), case.day("end")
    fixed = case.whole("fixed_days_in_month", 0)
    days = days_of_fixed_months(start_on, end_on, length=fixed) if fixed else (end_on - start_on).days
    if not case.has("interval"):
        return {"days": str(days)}
    interval = case.interval()
    if case.text("part") == "leading":
        whole = _span(boundary(end_on, interval, -1, UTC).date(), end_on)
    else:
        whole = _span(start_on, boundary(start_on, interval, 1, UTC).date())
    if fixed:
        of = days_of_fixed_months(whole.start.date(), whole.end.date(), length=fixed)
        return {"cycles": shown(_rounded(case, Fraction(days, of)))}
    return {"cycles": shown(_rounded(case, _fraction(ProrationPolicy.DAY, _span(start_on, end_on), whole)))}


def _lago_share(case: Fields) -> Fraction:
    """Inclusive local days; the day of an upgrade belongs to the new plan, days of a trial to nobody."""
    whole = _span(case.day("period_start"), case.day("period_end") + DAY)
    start_on, end_on = case.day("from"), case.day("to") + DAY
    if case.text("event", "") == "upgrade" and end_on < whole.end.date():
        end_on -= DAY
    if case.has("trial_days"):
        start_on = max(start_on, case.day("start") + case.whole("trial_days") * DAY)
    return (
        Fraction(0) if start_on >= end_on else _fraction(ProrationPolicy.DAY, _span(start_on, end_on), whole)
    )


def _day_count(case: Fields) -> str:
    """A share of a month under a named day count, as days over days."""
    start_on, end_on = case.day("start"), case.day("end") + DAY
    first_on = start_on.replace(day=1)
    month = _span(first_on, boundary(first_on, Interval(IntervalUnit.MONTH), 1, UTC).date())
    match case.text("day_count"):
        case "actual/actual":
            return f"{(end_on - start_on).days}/{(month.end - month.start).days}"
        case "actual/30":
            return f"{(end_on - start_on).days}/30"
        case "30/30 strict":
            return f"{days_of_fixed_months(start_on, end_on, length=30)}/30"
        case name:
            raise InvalidInput(f"there is no day count {name}", field="day_count")


def _amount(case: Fields) -> dict[str, Any]:
    """A price by elapsed seconds; an empty period has no share and costs the whole."""
    currency, price = case.text("currency"), case.number("price")
    spans = [case.part(name) for name in ("full_period", "period")]
    is_cut = case.data.get("prorate", True) and all(
        span.instant("from") < span.instant("to") for span in spans
    )
    share = share_of(ProrationPolicy.SECOND, _period(spans[1]), _period(spans[0]), UTC) if is_cut else None
    exact = price if share is None else prorate(price, share.fraction)
    return {"amount": shown(_money(exact, currency))}


def _period(fields: Fields) -> Period:
    return Period(fields.instant("from"), fields.instant("to"))


def _money(exact: Decimal, currency: str) -> Decimal:
    return to_major(to_minor(exact, currency, Rounding.HALF_UP), currency)


def _change(case: Fields) -> dict[str, Any]:
    """Credit for what is left of the old price and charge for what is left of the new one, rounded apart."""
    change = case.part("change")
    left = _left(case, change)
    credits, charges = [], []
    if change.has("from_price"):
        credits.append(-_money(prorate(change.number("from_price"), left), "EUR"))
    if change.has("to_price"):
        charges.append(_money(prorate(change.number("to_price"), left), "EUR"))
    credits += [-amount for amount in _components(case, change, "removed", left)]
    charges += _components(case, change, "added", left)
    lines = [amount for amount in (*credits, *charges) if amount]
    net = sum(lines, Decimal(0))
    result = {
        "credit": shown(sum(credits, Decimal(0))),
        "charge": shown(sum(charges, Decimal(0))),
        "net": shown(net),
        "lines": [{"amount": shown(amount)} for amount in lines],
    }
    if change.has("to_price"):
        result["next_invoice"] = shown(change.number("to_price") + net)
    return result


def _left(case: Fields, change: Fields) -> Fraction:
    if change.has("at_fraction"):
        return 1 - Fraction(change.number("at_fraction"))
    period = case.part("period")
    whole = _span(period.day("from"), period.day("to"))
    return _fraction(ProrationPolicy.DAY, _span(change.day("at"), whole.end.date()), whole)


def _components(case: Fields, change: Fields, name: str, left: Fraction) -> list[Decimal]:
    rows = change.data.get(name) or []
    return [_component(case, change, row, f"change.{name}", left) for row in rows]


def _component(case: Fields, change: Fields, row: object, place: str, left: Fraction) -> Decimal:
    """A price alone, or with a quantity, or of an interval of its own: then the share of that is charged."""
    fields = Fields({"price": row} if isinstance(row, str) else row, place)
    amount = fields.number("price") * fields.number("quantity", "1")
    if fields.has("interval") and fields.text("interval") != case.text("interval"):
        period = case.part("period")
        start_on = period.day("from")
        whole = _span(start_on, boundary(start_on, fields.interval(), 1, UTC).date())
        part = _span(change.day("at"), period.day("to"))
        if part.end > whole.end:
            raise Unsupported("a price of a shorter interval than the period is not added within it")
        left = _fraction(ProrationPolicy.DAY, part, whole)
    return _money(prorate(amount, left), "EUR")
