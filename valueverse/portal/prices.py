"""A price of a plan in the customer's words."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import assert_never

from billing.catalog.selectors import price_model
from billing.core.pricing import (
    Capacity,
    Flat,
    FlatTier,
    Graduated,
    GraduatedPercentage,
    Modified,
    Modifiers,
    Package,
    Percentage,
    PercentTier,
    PerUnit,
    PriceModel,
    Stairstep,
    Tier,
    Volume,
)
from billing.invoices.documents.formatting import format_percent, format_quantity, format_unit_amount
from billing.subscriptions.models import SubscriptionItem
from valueverse.portal.explanation import tier_words
from valueverse.portal.words import say


@dataclass(frozen=True, slots=True)
class PriceRow:
    """A price of a plan in words: name, price, and its tiers as label and price."""

    name: str
    price: str
    tiers: list[tuple[str, str]]
    note: str


def price_row(item: SubscriptionItem, currency: str, *, language: str, interval: str) -> PriceRow:
    """The price of one item of a subscription. interval: the words for the billing interval, like "month"."""
    words = _PriceWords(currency, language)
    model = price_model(item.price)
    if isinstance(model, Flat):
        times = f"{format_quantity(item.quantity, language)} × " if item.quantity != 1 else ""
        amount = times + words.priced(model.amount)
        return PriceRow(item.price.name, words.say("per_interval", amount=amount, interval=interval), [], "")
    price, tiers, notes = words.terms(model)
    return PriceRow(item.price.name, price, tiers, " ".join(_sentence(note) for note in notes))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


Terms = tuple[str, list[tuple[str, str]], list[str]]


class _PriceWords:
    """Puts the terms of one price into words: the price, its tiers, and notes."""

    def __init__(self, currency: str, language: str) -> None:
        self.currency, self.language = currency, language

    def terms(self, model: PriceModel) -> Terms:
        match model:
            case Flat():
                return self.priced(model.amount), [], []
            case PerUnit():
                return self.say("per_unit_price", price=self.priced(model.unit_amount)), [], []
            case Package():
                price = self.say(
                    "package_price", amount=self.priced(model.amount), size=self.quantity(model.size)
                )
                free = (
                    [self.say("package_free", free=self.quantity(model.free_units))]
                    if model.free_units
                    else []
                )
                return price, [], free
            case Percentage():
                free_amount = self.priced(model.free_amount)
                free = [self.say("percentage_free", free=free_amount)] if model.free_amount else []
                return self.share(model.percent), [], free
            case Capacity():
                price = self.say(
                    "capacity_price",
                    amount=self.priced(model.amount),
                    included=self.quantity(model.included),
                    price=self.priced(model.unit_amount),
                )
                return price, [], []
            case Graduated() | Volume() | Stairstep() | GraduatedPercentage():
                return self.tiered(model)
            case Modified():
                price, tiers, notes = self.terms(model.base)
                return price, tiers, [*notes, *self.modifiers(model.modifiers)]
            case _:
                assert_never(model)

    def tiered(self, model: Graduated | Volume | Stairstep | GraduatedPercentage) -> Terms:
        note = {
            Graduated: "graduated_note",
            Volume: "volume_note",
            Stairstep: "stairstep_note",
            GraduatedPercentage: "percentage_note",
        }[type(model)]
        notes = [self.say(note)]
        if model.flat_at_zero:
            notes.append(self.say("modifier_at_zero"))
        return self.say("usage_price"), self.tiers(model.tiers), notes

    def modifiers(self, modifiers: Modifiers) -> list[str]:
        notes = []
        if modifiers.conversion:
            notes.append(self.say("modifier_conversion", size=self.quantity(modifiers.conversion.units_per)))
        if modifiers.free_units:
            notes.append(self.say("modifier_free", free=self.quantity(modifiers.free_units)))
        if modifiers.discount_percent:
            percent = format_percent(modifiers.discount_percent, self.language)
            notes.append(self.say("modifier_discount", percent=percent))
        if modifiers.maximum is not None:
            notes.append(self.say("modifier_maximum", amount=self.priced(modifiers.maximum)))
        if modifiers.minimum is not None:
            notes.append(self.say("modifier_minimum", amount=self.priced(modifiers.minimum)))
        return notes

    def tiers(self, tiers: Iterable[Tier | FlatTier | PercentTier]) -> list[tuple[str, str]]:
        rows: list[tuple[str, str]] = []
        start: Decimal | None = None
        for tier in tiers:
            rows.append((tier_words(start, tier.up_to, language=self.language), self.tier(tier)))
            start = tier.up_to
        return rows

    def tier(self, tier: Tier | FlatTier | PercentTier) -> str:
        match tier:
            case FlatTier():
                return self.priced(tier.amount)
            case PercentTier():
                parts = [self.share(tier.percent)]
            case Tier():
                price = self.priced(tier.unit_amount)
                parts = [
                    self.say("per_unit_price", price=price)
                    if tier.block_size is None
                    else self.say("block_price", amount=price, size=self.quantity(tier.block_size))
                ]
        if tier.flat_amount:
            parts.append(self.say("tier_flat", amount=self.priced(tier.flat_amount)))
        if isinstance(tier, Tier) and tier.max_amount is not None:
            parts.append(self.say("tier_max", amount=self.priced(tier.max_amount)))
        return ", ".join(parts)

    def say(self, key: str, **values: object) -> str:
        return say(self.language, key, **values)

    def share(self, percent: Decimal) -> str:
        return self.say("percentage_price", percent=format_percent(percent, self.language))

    def quantity(self, quantity: Decimal) -> str:
        return format_quantity(quantity, self.language)

    def priced(self, amount: Decimal) -> str:
        return f"{format_unit_amount(amount, self.currency, self.language)} {self.currency}"
