"""Kinds `rounding`, `tax` and `revrec`: a value in a currency, the totals of a document, revenue per month."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

from billing.core.money import Rounding, to_major, to_minor
from billing.core.revenue import slices
from billing.core.tax import TaxableLine, TaxCategory, TaxSubtotal, summarize
from valueverse.simulation.reading import Fields, Unsupported, shown

ZERO = Decimal(0)


def rounding(case: Fields) -> dict[str, Any]:
    """The value in minor units of its currency, half up."""
    currency = case.text("currency")
    return {"amount": shown(to_major(to_minor(case.number("value"), currency, Rounding.HALF_UP), currency))}


def tax(case: Fields) -> dict[str, Any]:
    """The totals of a document by category and rate (EN 16931, BR-CO-10 to BR-CO-17)."""
    currency = case.text("currency")
    lines = case.parts("lines")
    if any(line.data.get("inclusive") for line in lines):
        raise Unsupported("prices that include tax are not there yet")
    sums = {"allowance": ZERO, "charge": ZERO}
    taxable = [_taxable(line, currency, line.number("net")) for line in lines]
    for row in case.parts("allowances"):
        kind = row.text("type")
        sums[kind] += row.number("amount")
        taxable.append(_taxable(row, currency, row.number("amount") * (1 if kind == "charge" else -1)))
    subtotals = summarize(taxable, currency)
    net, due = (_total(subtotals, name, currency) for name in ("base_minor", "tax_minor"))
    prepaid, rounded = case.number("prepaid", "0"), case.number("rounding", "0") if _is_number(case) else ZERO
    return {
        "line_total": shown(sum((line.number("net") for line in lines), ZERO)),
        "allowance_total": shown(sums["allowance"]),
        "charge_total": shown(sums["charge"]),
        "net": shown(net),
        "tax": shown(due),
        "gross": shown(net + due),
        "prepaid": shown(prepaid),
        "rounding": shown(rounded),
        "payable": shown(net + due - prepaid + rounded),
        "breakdown": [_breakdown(one, currency) for one in subtotals],
    }


def _is_number(case: Fields) -> bool:
    return isinstance(case.data.get("rounding"), str) and case.data["rounding"][:1] in "-0123456789"


def _taxable(row: Fields, currency: str, net: Decimal) -> TaxableLine:
    category = row.text("category", "S")
    if category not in list(TaxCategory):
        raise Unsupported(f"the tax category {category} is not one of {', '.join(TaxCategory)}")
    minor = to_minor(net, currency, Rounding.HALF_UP)
    return TaxableLine(minor, TaxCategory(category), row.number("rate", "0"))


def _total(subtotals: Sequence[TaxSubtotal], name: str, currency: str) -> Decimal:
    return to_major(sum(getattr(one, name) for one in subtotals), currency)


def _breakdown(one: TaxSubtotal, currency: str) -> dict[str, str]:
    return {
        "category": one.category.value,
        "rate": shown(one.percent),
        "net": shown(to_major(one.base_minor, currency)),
        "tax": shown(to_major(one.tax_minor, currency)),
    }


def revrec(case: Fields) -> dict[str, Any]:
    """Revenue per month by days of service. A start in the course of a day counts that day in full."""
    if case.text("convention") != "daily":
        raise Unsupported("revenue is recognized by days of service, not by months of equal weight")
    currency = case.text("currency")
    start_on, end_on = case.day("start"), case.day("end")
    if case.data.get("end_inclusive"):
        end_on += timedelta(days=1)
    total = to_minor(case.number("total"), currency, Rounding.HALF_UP)
    rows = [
        {"month": one.month, "amount": shown(to_major(one.amount_minor, currency))}
        for one in slices(total, start_on, end_on)
    ]
    return {"rows": rows}
