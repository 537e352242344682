"""The totals of a document: lines with or without tax in their price, allowances and charges, what is left to pay.

Source: EN 16931, BR-CO-10 to BR-CO-17; tax per category and rate on the sum of its amounts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from billing.core.errors import require_invariant
from billing.core.quantity import EXACT
from billing.core.tax import TaxableLine, TaxCategory, TaxRounding, TaxSubtotal, summarize


class IncludedRounding(StrEnum):
    """Which part of a price with tax is rounded half up; the other one is the rest. They differ where both end in a
    half: 2.99 with 4 % is 2.87 and 0.12, or 2.88 and 0.11.
    """

    TAX = "tax"
    NET = "net"


@dataclass(frozen=True, slots=True)
class DocumentAmount:
    """A line, or an allowance (negative) or charge of the whole document, in minor units."""

    amount_minor: int
    category: TaxCategory
    percent: Decimal
    includes_tax: bool = False


@dataclass(frozen=True, slots=True)
class DocumentTotals:
    """All in minor units. breakdown: per category and rate; payable = gross - prepaid + rounding."""

    line_total_minor: int
    allowance_total_minor: int
    charge_total_minor: int
    net_minor: int
    tax_minor: int
    gross_minor: int
    prepaid_minor: int
    rounding_minor: int
    payable_minor: int
    breakdown: tuple[TaxSubtotal, ...]


def included_tax(
    gross_minor: int, percent: Decimal, rounding: IncludedRounding = IncludedRounding.TAX
) -> int:
    """The tax within an amount that includes it, in minor units.

    >>> included_tax(60000, Decimal(10)), included_tax(299, Decimal(4))
    (5455, 12)
    >>> included_tax(299, Decimal(4), IncludedRounding.NET)
    11
    """
    whole = EXACT.add(Decimal(100), percent)
    if rounding is IncludedRounding.TAX:
        return _quotient(EXACT.multiply(Decimal(gross_minor), percent), whole)
    return gross_minor - _quotient(EXACT.multiply(Decimal(gross_minor), Decimal(100)), whole)


def _quotient(dividend: Decimal, divisor: Decimal) -> int:
    """dividend / divisor to a whole number, half away from zero, without rounding before."""
    quotient, remainder = EXACT.divmod(abs(dividend), divisor)
    up = EXACT.multiply(remainder, Decimal(2)) >= divisor
    whole = int(quotient.to_integral_value(rounding=ROUND_HALF_UP)) + up
    return -whole if dividend < 0 else whole


def breakdown(
    amounts: Iterable[DocumentAmount],
    currency: str,
    tax_rounding: TaxRounding = TaxRounding.DOCUMENT,
    included_rounding: IncludedRounding = IncludedRounding.TAX,
) -> tuple[TaxSubtotal, ...]:
    """The tax table of a document whose amounts partly include their tax.

    What includes tax keeps its sum: base + tax of its part is what was to be paid, to the cent. So the tax of such a
    row may be a cent beside rate x base, which EN 16931 allows (BR-CO-17 is checked with a tolerance).
    """
    given = list(amounts)
    rows = {
        (row.category, row.percent): row
        for row in summarize((_taxable(one) for one in given if not one.includes_tax), currency, tax_rounding)
    }
    gross: dict[tuple[TaxCategory, Decimal], list[int]] = {}
    for one in given:
        if one.includes_tax:
            gross.setdefault((one.category, one.percent), []).append(one.amount_minor)
    for key, values in gross.items():
        parts = [sum(values)] if tax_rounding is TaxRounding.DOCUMENT else values
        tax = sum(included_tax(part, key[1], included_rounding) for part in parts)
        row = rows.get(key, TaxSubtotal(*key, 0, 0))
        rows[key] = TaxSubtotal(*key, row.base_minor + sum(values) - tax, row.tax_minor + tax)
    return tuple(row for _, row in sorted(rows.items()))


def _taxable(one: DocumentAmount) -> TaxableLine:
    return TaxableLine(one.amount_minor, one.category, one.percent)


def document_totals(
    lines: Sequence[DocumentAmount],
    adjustments: Sequence[DocumentAmount],
    currency: str,
    *,
    tax_rounding: TaxRounding = TaxRounding.DOCUMENT,
    included_rounding: IncludedRounding = IncludedRounding.TAX,
    prepaid_minor: int = 0,
    rounding_minor: int = 0,
) -> DocumentTotals:
    """Add a document up. adjustments: allowances below zero, charges above.

    Under split payment (category B) the buyer pays the tax to the state: it counts as paid beforehand.
    """
    rows = breakdown((*lines, *adjustments), currency, tax_rounding, included_rounding)
    net, tax = sum(row.base_minor for row in rows), sum(row.tax_minor for row in rows)
    split = sum(row.tax_minor for row in rows if row.category is TaxCategory.B)
    added = sum(one.amount_minor for one in adjustments if one.amount_minor > 0)
    taken = -sum(one.amount_minor for one in adjustments if one.amount_minor < 0)
    total = DocumentTotals(
        line_total_minor=net - added + taken,
        allowance_total_minor=taken,
        charge_total_minor=added,
        net_minor=net,
        tax_minor=tax,
        gross_minor=net + tax,
        prepaid_minor=prepaid_minor + split,
        rounding_minor=rounding_minor,
        payable_minor=net + tax - prepaid_minor - split + rounding_minor,
        breakdown=rows,
    )
    if all(one.includes_tax for one in (*lines, *adjustments)):
        promised = sum(one.amount_minor for one in (*lines, *adjustments))
        require_invariant(total.gross_minor == promised, "prices with tax do not add up to what was promised")
    return total
