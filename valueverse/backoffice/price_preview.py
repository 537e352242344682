"""Trying a quantity at a price: the tiers it touches, each amount, the rounding, and the curve around it.

Priced by `billing.core.pricing.rate` and rounded as an invoice line is, so it says what billing will say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any

from django import forms

from billing.catalog.models import Price
from billing.catalog.selectors import price_model
from billing.core.money import Rounding, format_major, to_minor
from billing.core.pricing import Capacity, Flat, Modified, Package, PriceModel, Rated, rate
from billing.platform import display
from valueverse.backoffice.fields import read_figure, typed

CHARTS_MAX = 6
STEPS_OF_CURVE = 48
ROWS_OF_TABLE = 14
PACKAGES_MAX = 60
"""Packages whose steps are drawn; a curve over more looks like a line anyway."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Amounts by quantity, exact; `table` is an excerpt for those who do not see the chart."""

    points: list[tuple[Decimal, Decimal]]
    table: list[tuple[Decimal, Decimal]]

    def data(self, label: str) -> dict[str, Any]:
        """As the chart's script reads it."""
        return {
            "label": label,
            "x": [f"{quantity:f}" for quantity, _ in self.points],
            "y": [f"{amount:f}" for _, amount in self.points],
        }


@dataclass(frozen=True, slots=True)
class Tried:
    """A price with the quantity that was typed for it and what that costs. amount_minor: rounded, net."""

    price: Price
    field: str
    text: str
    error: str
    rated: Rated | None
    amount_minor: int | None
    curve: Curve | None

    @property
    def is_fee(self) -> bool:
        return self.price.meter_id is None

    @property
    def is_rounded(self) -> bool:
        """Whether rounding changed anything."""
        if self.rated is None or self.amount_minor is None:
            return False
        currency = self.price.plan_version.currency
        return Decimal(format_major(self.amount_minor, currency)) != self.rated.amount


@dataclass(frozen=True, slots=True)
class Preview:
    """All prices of a version with what was typed. total_minor: of those with a quantity, net."""

    rows: list[Tried]
    total_minor: int
    is_tried: bool


def preview(prices: Sequence[Price], given: Mapping[str, str], *, with_curves: bool = False) -> Preview:
    """Rate what was typed: one field per price, named q_<key of the price>. A fee counts once unless told."""
    rows = [_tried(price, given.get(f"q_{price.pk}"), with_curve=with_curves) for price in prices]
    amounts = [row.amount_minor for row in rows if row.amount_minor is not None]
    return Preview(rows, sum(amounts), any(f"q_{price.pk}" in given for price in prices))


def _tried(price: Price, given: str | None, *, with_curve: bool) -> Tried:
    model = price_model(price)
    text, error, rated, minor = (given or "").strip()[:60], "", None, None
    if not text and price.meter_id is None:
        text = "1"
    if text:
        try:
            rated = rate(model, read_figure(text))
            minor = to_minor(rated.amount, price.plan_version.currency, Rounding.HALF_UP)
        except forms.ValidationError as wrong:
            error = " ".join(wrong.messages)
    quantity = rated.quantity if rated else Decimal(0)
    curve = curve_of(model, quantity) if with_curve and not isinstance(model, Flat) else None
    shown = typed(rated.quantity) if rated else text
    return Tried(price, f"q_{price.pk}", shown, error, rated, minor, curve)


def curve_of(model: PriceModel, quantity: Decimal) -> Curve:
    """The curve from zero to beyond the last bound and the quantity, with a point on each side of every bound."""
    bounds = _bounds(model)
    top = max([quantity, *bounds]) * Decimal("1.5") or Decimal(1000)
    step = (top / STEPS_OF_CURVE).to_integral_value(ROUND_CEILING) or Decimal(1)
    even = {step * index for index in range(STEPS_OF_CURVE + 1)}
    if isinstance(model, Package) and top < model.free_units + model.size * PACKAGES_MAX:
        count = int((top - model.free_units) / model.size)
        bounds = [model.free_units + model.size * index for index in range(count + 1)]
    edges = {bound + extra for bound in bounds for extra in (0, 1)}
    wanted = sorted(even | edges | ({quantity} if quantity else set()))
    points = [(one, rate(model, one).amount) for one in wanted]
    marked = sorted(edges | {quantity} | {step * index for index in range(0, STEPS_OF_CURVE + 1, 8)})
    table = [(one, rate(model, one).amount) for one in marked if one][:ROWS_OF_TABLE]
    return Curve(points, table)


def _bounds(model: PriceModel) -> list[Decimal]:
    if isinstance(model, Modified):
        free = model.modifiers.free_units
        factor = model.modifiers.conversion.units_per if model.modifiers.conversion else Decimal(1)
        return [free, *((bound + free) * factor for bound in _bounds(model.base))]
    if isinstance(model, Capacity):
        return [model.included]
    if isinstance(model, Package):
        return [model.free_units + model.size * count for count in range(6)]
    tiers: Sequence[Any] = getattr(model, "tiers", ())
    return [tier.up_to for tier in tiers if tier.up_to is not None][:40]


def charts(found: Preview) -> dict[str, Any]:
    """The curves for the chart's script, by the price's key; the first few only."""
    with_curve = [row for row in found.rows if row.curve is not None][:CHARTS_MAX]
    return {
        str(row.price.pk): {
            **row.curve.data(f"Amount in {row.price.plan_version.currency}"),
            "unit": row.price.name,
            "mark": f"{row.rated.quantity:f}" if row.rated else "",
        }
        for row in with_curve
        if row.curve is not None
    }


def reach(lower: Decimal, up_to: Decimal | None) -> str:
    """The bounds of a tier in a table: 'to 10,000,000', 'above 10,000,000'."""
    return f"to {display.quantity(up_to)}" if up_to is not None else f"above {display.quantity(lower)}"
