"""Kinds `rounding`, `tax`, `tax_determination` and `revrec`: a value, the totals of a document, its tax, its months."""

from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from typing import Any

from billing.catalog.services.loading import is_published, published_rates
from billing.core.money import Rounding, to_major, to_minor
from billing.core.recognition import Convention, spread, spread_time
from billing.core.tax import CustomerKind, TaxCategory, TaxCode, TaxParty, TaxSubtotal, determine
from billing.core.tax_documents import DocumentAmount, IncludedRounding, breakdown, document_totals
from valueverse.simulation.reading import Fields, Unsupported, shown

ZERO = Decimal(0)


def rounding(case: Fields) -> dict[str, Any]:
    """The value in minor units of its currency, half up."""
    currency = case.text("currency")
    return {"amount": shown(to_major(to_minor(case.number("value"), currency, Rounding.HALF_UP), currency))}


def tax(case: Fields) -> dict[str, Any]:
    """The totals of a document by category and rate (EN 16931, BR-CO-10 to BR-CO-17).

    `rounding` names which part of a price with tax is rounded, or is the rounding amount of the document (BT-114).
    """
    currency = case.text("currency")
    text = case.data.get("rounding")
    policy = IncludedRounding(text) if text in list(IncludedRounding) else IncludedRounding.TAX
    rounded = case.number("rounding", "0") if text not in list(IncludedRounding) else ZERO
    totals = document_totals(
        [_line(row, currency) for row in case.parts("lines")],
        [_adjustment(row, currency) for row in case.parts("allowances")],
        currency,
        included_rounding=policy,
        prepaid_minor=_minor(case.number("prepaid", "0"), currency),
        rounding_minor=_minor(rounded, currency),
    )
    amounts = {
        field.name.removesuffix("_minor"): shown(to_major(getattr(totals, field.name), currency))
        for field in fields(totals)
        if field.name.endswith("_minor")
    }
    return amounts | {"breakdown": [_breakdown(one, currency) for one in totals.breakdown]}


def _minor(value: Decimal, currency: str) -> int:
    return to_minor(value, currency, Rounding.HALF_UP)


def _line(row: Fields, currency: str) -> DocumentAmount:
    if row.data.get("inclusive"):
        name = "gross" if row.has("gross") else "net"
        return DocumentAmount(_minor(row.number(name), currency), *_rate(row), includes_tax=True)
    return DocumentAmount(_minor(row.number("net"), currency), *_rate(row))


def _adjustment(row: Fields, currency: str) -> DocumentAmount:
    sign = 1 if row.text("type") == "charge" else -1
    return DocumentAmount(sign * _minor(row.number("amount"), currency), *_rate(row))


def _rate(row: Fields) -> tuple[TaxCategory, Decimal]:
    """Category and percent; without a category the rate decides."""
    percent = row.number("rate", "0")
    category = row.text("category", "S" if percent else "Z")
    if category not in list(TaxCategory):
        raise Unsupported(f"the tax category {category} is not one of {', '.join(TaxCategory)}")
    return TaxCategory(category), percent


def _breakdown(one: TaxSubtotal, currency: str) -> dict[str, str]:
    return {
        "category": one.category.value,
        "rate": shown(one.percent),
        "net": shown(to_major(one.base_minor, currency)),
        "tax": shown(to_major(one.tax_minor, currency)),
    }


def tax_determination(case: Fields) -> dict[str, Any]:
    """The tax of a net amount by who sells to whom, at the standard rates that the EU publishes.

    A business has a VAT number; the product is of the standard tax code, unless the case names another, or its source
    is a test of one by its name (`..._zero_rate`).
    """
    currency = case.text("currency", "EUR")
    kinds = {"b2b": CustomerKind.BUSINESS, "b2c": CustomerKind.CONSUMER}
    kind = case.text("customer_type", "b2b")
    if kind not in kinds:
        raise Unsupported(f"a customer is b2b or b2c, not {kind}")
    seller, buyer = case.text("seller"), case.text("buyer")
    known = [country for country in dict.fromkeys((seller, buyer)) if is_published(country)]
    standard = {
        rate.country: rate.percents[0] for rate in published_rates(known) if rate.tax_code is TaxCode.STANDARD
    }
    treatment = determine(
        TaxParty(seller, f"{seller}1"),
        TaxParty(buyer, f"{buyer}1" if kind == "b2b" else None, kind=kinds[kind]),
        standard,
        tax_code=_tax_code(case),
    )
    (row,) = breakdown(
        [DocumentAmount(_minor(case.number("net"), currency), treatment.category, treatment.percent)],
        currency,
    )
    return {
        "tax": shown(to_major(row.tax_minor, currency)),
        "rate": shown(treatment.percent),
        "category": treatment.category.value,
        "country": treatment.country,
    }


def _tax_code(case: Fields) -> TaxCode:
    named = case.data.get("tax_code")
    if named in list(TaxCode):
        return TaxCode(str(named))
    test = case.text("source", "").rpartition(" ")[2]
    return next((code for code in (TaxCode.ZERO, TaxCode.EXEMPT) if f"_{code}" in test), TaxCode.STANDARD)


def revrec(case: Fields) -> dict[str, Any]:
    """Revenue per month by the convention that the case names. By days, a start in the course of a day counts whole."""
    name = case.text("convention")
    if name not in list(Convention):
        raise Unsupported(f"the convention {name} is not one of {', '.join(Convention)}")
    currency = case.text("currency")
    total = to_minor(case.number("total"), currency, Rounding.HALF_UP)
    if name == Convention.MILLISECOND:
        months = spread_time(total, case.instant("start"), case.instant("end"))
    else:
        end_on = case.day("end") + timedelta(days=1 if case.data.get("end_inclusive") else 0)
        booked_on = case.day("booked_on") if case.has("booked_on") else None
        months = spread(total, case.day("start"), end_on, Convention(name), booked_on)
    return {
        "rows": [
            {"month": one.month, "amount": shown(to_major(one.amount_minor, currency))} for one in months
        ]
    }
