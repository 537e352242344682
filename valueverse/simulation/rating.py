"""Kind `rating`: a price applied to a quantity."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from billing.core.credits import CreditLine, CreditLot, LotKind, draw
from billing.core.errors import InvalidInput
from billing.core.money import Rounding, to_major, to_minor
from billing.core.pricing import Graduated, PriceModel, Rated, Step, StepKind, parse_price
from billing.core.pricing.by_event import (
    Dynamic,
    EventPercentage,
    fees_of_events,
    rate_dynamic,
    rate_event_percentage,
    rate_weighted,
)
from billing.core.pricing.capacity import PeakTier, rate_peaks
from billing.core.pricing.parts import Part, rate_part
from billing.core.pricing.usage import PricedEvent, Usage, usage_of_events
from billing.core.quantity import DECIMAL
from valueverse.simulation.reading import Fields, Unsupported, shown

FLAT_AT_ZERO = frozenset({"getlago", "openmeterio"})
"""Sources whose plans charge the first tier's fixed amount without usage too: a setting of a price here."""

_ANY_DAY = datetime(2000, 1, 1, tzinfo=UTC)
"""Credits of a rating case have no dates: all of them are there when the price is applied."""

_PER_EVENT = ("fixed_fee", "free_units_per_events", "free_units_per_total", "min_per_event", "max_per_event")
ESTIMATES = "estimate_instant"
"""In these sources an event is priced alone, so that its fixed amount is due for an amount of zero, too."""

_ROUNDING = {"ceiling": "up", "floor": "down", "round": "nearest"}


def answer(case: Fields) -> dict[str, Any]:
    """The amount, and what else such a case may ask for. Raises Unsupported, InvalidPrice, InvalidQuantity."""
    if case.has("charges"):
        return _charges(case)
    if case.has("peaks"):
        return {"amount": shown(_by_peaks(case).amount)}
    rated = rate_case(case)
    numbers = _tier_numbers(case.part("price"))
    units = rated.quantity
    result: dict[str, Any] = {
        "amount": shown(_amount(case, rated)),
        "tiers": _tiers(rated, numbers),
        "billed_units": shown(units),
        "events": [{"amount": shown(fee)} for fee in event_fees(case)],
    }
    if case.has("prior_amount") and not case.has("prior_units"):
        result |= _less_billed(case, rated)
    average = DECIMAL.divide(rated.amount, units) if units else Decimal(0)
    result["unit_amount"] = shown(_rounded(case, average))
    packages = [step.quantity for step in rated.steps if step.kind is StepKind.PACKAGE]
    result["packages"] = shown(sum(packages, Decimal(0)))
    lines = _dynamic_lines(case, rated) if is_dynamic(case) else _lines(rated, numbers)
    result["lines"] = _credited(case, lines) if case.has("credits_applied") else lines
    return result


def _charges(case: Fields) -> dict[str, Any]:
    """Several prices at once: each is priced apart, and its tiers name its unit."""
    amount, tiers = Decimal(0), []
    for given in case.parts("charges"):
        one = Fields({"source": case.text("source", ""), **given.data}, given.place)
        rated = rate_case(one)
        amount += rated.amount
        rows = _tiers(rated, _tier_numbers(one.part("price")))
        tiers += [{"unit": one.text("unit"), **row} for row in rows]
    return {"amount": shown(amount), "tiers": tiers}


def _by_peaks(case: Fields) -> Rated:
    tiers = [
        PeakTier(
            row.number("price"),
            {
                unit: None if limit is None else row.part("limits").number(unit)
                for unit, limit in _limits(row)
            },
        )
        for row in case.part("price").parts("tiers")
    ]
    peaks = case.part("peaks")
    return rate_peaks(tiers, {unit: peaks.number(unit) for unit in peaks.data})


def _limits(row: Fields) -> list[tuple[str, Any]]:
    return list(row.part("limits").data.items())


def _less_billed(case: Fields, rated: Rated) -> dict[str, Any]:
    """What is left after earlier bills of the period: both rounded to the currency before they are compared."""
    currency = case.text("currency")
    full_minor = to_minor(rated.amount, currency, Rounding.HALF_UP)
    left_minor = full_minor - to_minor(case.number("prior_amount"), currency, Rounding.HALF_UP)
    return {
        "amount": shown(to_major(left_minor, currency)),
        "full_amount": shown(to_major(full_minor, currency)),
        "new_lines": 1 if left_minor else 0,
    }


def _amount(case: Fields, rated: Rated) -> Decimal:
    """The amount, rounded where the source rounded before it asserted."""
    if is_dynamic(case) and not case.has("events"):
        return _in_currency(case, rated.amount)
    if not case.has("amount_rounded_to"):
        return rated.amount
    places = case.whole("amount_rounded_to")
    return rated.amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP, context=DECIMAL)


def _in_currency(case: Fields, amount: Decimal) -> Decimal:
    currency = case.text("currency")
    return to_major(to_minor(amount, currency, Rounding.HALF_UP), currency)


def _dynamic_lines(case: Fields, rated: Rated) -> list[dict[str, Any]]:
    """A dynamic price as OpenMeter bills it: one unit at the amount of all."""
    one = [
        replace(step, quantity=Decimal(1), unit_amount=_in_currency(case, step.amount))
        if step.kind is StepKind.UNIT
        else step
        for step in rated.steps
        if step.amount
    ]
    return _lines(replace(rated, steps=tuple(one)), {})


def _credited(case: Fields, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines less what credits pay of them: one lot per amount, in the order of the case, all of one age."""
    currency = case.text("currency")
    lots = [
        CreditLot(
            reference=f"{number:06}",
            kind=LotKind.GRANTED,
            remaining_minor=to_minor(row.number("amount"), currency, Rounding.HALF_UP),
            given_at=_ANY_DAY,
            priority=number,
        )
        for number, row in enumerate(case.parts("credits_applied"))
    ]
    amounts = [to_minor(Decimal(line["total"]), currency, Rounding.HALF_UP) for line in lines]
    draws = draw([CreditLine(minor) for minor in amounts], lots, _ANY_DAY)
    rows = []
    for index, line in enumerate(lines):
        paid = [one.amount_minor for one in draws if one.line == index]
        rows.append(
            line
            | {
                "credits": shown(to_major(sum(paid), currency)),
                "total": shown(to_major(amounts[index] - sum(paid), currency)),
                "credits_applied": [shown(to_major(minor, currency)) for minor in paid],
            }
        )
    return rows


def is_dynamic(case: Fields) -> bool:
    """Whether the events carry the price."""
    return case.part("price").text("model") == "dynamic"


def rate_case(case: Fields) -> Rated:
    """The price of a case applied to what it was used for: a quantity, events, or a part of a period."""
    price = case.part("price")
    usage = _usage(case)
    model = price.text("model")
    if model == "dynamic" and usage.events:
        return rate_dynamic(Dynamic(price.number("multiplier", "1")), usage)
    if model == "percentage" and (usage.events or [name for name in _PER_EVENT if price.has(name)]):
        return rate_event_percentage(_event_percentage(case, price), usage)
    parsed = price_of(case)
    if isinstance(parsed, Graduated) and any(event.weight is not None for event in usage.events):
        return rate_weighted(parsed, usage.events)
    position = case.text("line_position", "whole_period")
    before = case.number("prior_units") if case.has("prior_units") else None
    part = Part(before, is_last=position != "mid_period")
    return rate_part(parsed, usage.quantity, part, in_advance=price.text("timing", "") == "in_advance")


def event_fees(case: Fields) -> list[Decimal]:
    """What each event costs as it happens, for prices of quantities."""
    events = _usage(case).events
    if not events or case.part("price").text("model") in ("percentage", "dynamic"):
        return []
    if any(event.weight is not None for event in events):
        return []
    return fees_of_events(price_of(case), [event.value for event in events])


def _usage(case: Fields) -> Usage:
    """The units of a case, or its events; an event without a value is the amount it names."""
    if not case.has("events"):
        return Usage(case.number("units"))
    events = []
    for row in case.parts("events"):
        value = row.number("value") if row.has("value") else row.number("amount")
        carried = row.number("amount") if row.has("amount") else None
        weight = row.number("prorated_value") if row.has("prorated_value") else None
        events.append(PricedEvent(value, carried, weight))
    return usage_of_events(events)


def _event_percentage(case: Fields, price: Fields) -> EventPercentage:
    def optional(name: str) -> Decimal | None:
        return price.number(name) if price.has(name) else None

    return EventPercentage(
        percent=price.number("rate"),
        free_amount=price.number("free_units_per_total", "0"),
        fixed_amount=price.number("fixed_fee", "0"),
        free_events=int(price.number("free_units_per_events", "0")),
        minimum=optional("min_per_event"),
        maximum=optional("max_per_event"),
        charges_zero=ESTIMATES in case.text("source", ""),
    )


def price_of(case: Fields) -> PriceModel:
    """The price of a case in the product's terms."""
    price = case.part("price")
    definition = _definition(price)
    tiered = "tiers" in definition
    if tiered and case.text("source", "").partition("/")[0] in FLAT_AT_ZERO:
        definition["flat_at_zero"] = True
    modifiers = _modifiers(case, price)
    model = "per_unit" if is_dynamic(case) else price.text("model")
    return parse_price(model, {**definition, "modifiers": modifiers} if modifiers else definition)


def _definition(price: Fields) -> dict[str, Any]:
    match price.text("model"):
        case "flat":
            return {"amount": price.text("amount")}
        case "per_unit":
            return {"unit_amount": price.text("unit_price")}
        case "package":
            return {
                "size": price.text("package_size"),
                "amount": price.text("package_price", "0"),
                "free_units": price.text("free_units", "0"),
            }
        case "percentage":
            return {"percent": price.text("rate")}
        case "graduated" | "volume" | "stairstep" | "graduated_percentage" as model:
            rows = price.parts("tiers")
            return {"tiers": [_tier(row, model, is_last=row is rows[-1]) for row in rows]}
        case "dynamic":  # over a meter that adds up amounts of money
            return {"unit_amount": price.text("multiplier", "1")}
        case _:
            raise InvalidInput("is not a price model", field="price.model")


def _tier(row: Fields, model: str, *, is_last: bool) -> dict[str, Any]:
    """A tier; a quantity past the last bound stays in the last tier."""
    up_to = None if is_last or not row.has("up_to") else row.text("up_to")
    if model == "stairstep":
        return {"up_to": up_to, "amount": row.text("flat_fee")}
    flat = row.text("flat_fee", "0")
    if model == "graduated_percentage":
        return {"up_to": up_to, "percent": row.text("rate"), "flat_amount": flat}
    unit_amount = row.text("block_price") if row.has("block_price") else row.text("unit_price")
    tier = {"up_to": up_to, "unit_amount": unit_amount, "flat_amount": flat}
    return tier | {name: row.text(name) for name in row.given("block_size", "max_amount")}


def _tier_numbers(price: Fields) -> dict[str, int]:
    """The number of each tier by its bound; the last one has none."""
    rows = price.parts("tiers")
    bounds = ["" if row is rows[-1] or not row.has("up_to") else shown(row.number("up_to")) for row in rows]
    return {bound: number for number, bound in enumerate(bounds, start=1)}


def _modifiers(case: Fields, price: Fields) -> dict[str, Any]:
    modifiers: dict[str, Any] = {
        name: price.text(f"{name}_amount") for name in ("minimum", "maximum") if price.has(f"{name}_amount")
    }
    if case.has("discount"):
        discount = case.part("discount")
        if discount.has("percent"):
            modifiers["discount_percent"] = discount.text("percent")
        if discount.has("units"):
            modifiers["free_units"] = discount.text("units")
    if case.has("unit_conversion"):
        conversion = case.part("unit_conversion")
        if conversion.text("operation") not in ("divide", "none"):
            raise Unsupported("a quantity is divided for its price, never multiplied")
        modifiers["conversion"] = {
            "units_per": conversion.text("factor", "1"),
            "decimals": conversion.whole("decimals", 0),
            "rounding": _ROUNDING.get(conversion.text("rounding", "round"), "nearest"),
        }
    return modifiers


def _tiers(rated: Rated, numbers: dict[str, int]) -> list[dict[str, Any]]:
    return [_tier_row(_number(step, numbers), step) for step in rated.steps]


def _number(step: Step, numbers: dict[str, int]) -> int:
    """Which tier of the price a step stands for, counted from 1."""
    return numbers.get(shown(step.up_to) if step.up_to is not None else "", 1)


def _tier_row(index: int, step: Step) -> dict[str, Any]:
    flat = step.flat_amount or Decimal(0)
    without_flat = shown(step.amount - flat)
    row = {
        "tier": index,
        "units": shown(step.quantity),
        "flat_fee": shown(flat),
        "per_unit_total": without_flat,
        "amount": shown(step.amount),
    }
    if step.kind is StepKind.PERCENTAGE:
        return row | {"rate": shown((step.unit_amount or Decimal(0)) * 100), "rate_total": without_flat}
    return row | {"unit_price": shown((step.quantity and step.unit_amount) or Decimal(0))}


def _lines(rated: Rated, numbers: dict[str, int]) -> list[dict[str, Any]]:
    """What OpenMeter bills as lines: the units and the fixed amount of a tier apart, discounts from the last back."""
    lines: list[dict[str, Any]] = []
    discounts: list[tuple[str, Decimal]] = []
    for step in rated.steps:
        if step.kind is StepKind.MINIMUM:
            lines.append(
                {"kind": "commitment", "unit": step.amount, "units": Decimal(1), "charges": step.amount}
            )
        elif step.kind in (StepKind.DISCOUNT, StepKind.MAXIMUM):
            reason = "percentage" if step.kind is StepKind.DISCOUNT else "maximum_spend"
            discounts.append((reason, -step.amount))
        else:
            lines += _parts(_number(step, numbers), step)
    for reason, amount in discounts:
        _take_off(lines, reason, amount)
    return [_line_row(line) for line in lines]


def _parts(tier: int, step: Step) -> list[dict[str, Any]]:
    parts = []
    if step.unit_amount is not None and not (step.kind is StepKind.VOLUME and not step.unit_amount):
        parts.append({"kind": "usage", "tier": tier, "unit": step.unit_amount, "units": step.quantity})
    if step.flat_amount:
        parts.append({"kind": "flat", "tier": tier, "unit": step.flat_amount, "units": Decimal(1)})
    return parts


def _take_off(lines: list[dict[str, Any]], reason: str, amount: Decimal) -> None:
    for line in reversed(lines):
        left = line["unit"] * line["units"] - sum(taken for _, taken in line.get("discounts", []))
        taken = min(amount, left)
        if taken:
            line.setdefault("discounts", []).append((reason, taken))
            amount -= taken


def _line_row(line: dict[str, Any]) -> dict[str, Any]:
    amount = line["unit"] * line["units"]
    off = sum((taken for _, taken in line.get("discounts", [])), Decimal(0))
    row = {"kind": line["kind"], "unit_amount": shown(line["unit"]), "units": shown(line["units"])}
    row |= {"amount": shown(amount), "discounts": shown(off), "total": shown(amount - off)}
    row |= {"charges": shown(line["charges"])} if "charges" in line else {"tier": line["tier"]}
    named = [{"amount": shown(taken), "reason": reason} for reason, taken in line.get("discounts", [])]
    return row | {"discount_lines": named}


def _rounded(case: Fields, amount: Decimal) -> Decimal:
    for name in ("unit_amount_rounded_to", "amount_rounded_to"):
        if case.has(name):
            return round(amount, case.whole(name))
    return amount
