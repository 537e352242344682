"""An event as a meter sees it, and what the meter reads from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from billing.core.aggregation.rules import Aggregation, MeterRule
from billing.core.errors import BillingError
from billing.core.expression import evaluate, rounded_to
from billing.core.quantity import DECIMALS_MAX, format_quantity, parse_quantity

OPERATION = "operation"
"""The property by which an event of a unique count says that its value is removed."""


class Operation(StrEnum):
    """What an event of a unique count does with its value."""

    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class MeterEvent:
    """One event. `at` is aware; properties are plain JSON values whose numbers are int or Decimal.

    id: the sender's; events of one id count once, the first given.
    """

    at: datetime
    properties: Mapping[str, object]
    id: str = ""
    operation: Operation = Operation.ADD


def property_text(value: object) -> str | None:
    """A property as filters and groups compare it: the text that PostgreSQL's ->> gives; None where there is none.

    >>> property_text(Decimal("1E+3")), property_text(True), property_text("eu"), property_text(None)
    ('1000', 'true', 'eu', None)
    """
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value if value else value.copy_abs():f}"
        case _:
            return str(value)


def passes(rule: MeterRule, properties: Mapping[str, object]) -> bool:
    """Whether an event with these properties is one that the meter reads."""
    return _holds(rule.filters, properties) and not any(_holds(one, properties) for one in rule.excluded)


def _holds(filters: tuple[tuple[str, tuple[str, ...]], ...], properties: Mapping[str, object]) -> bool:
    return all(property_text(properties.get(name)) in allowed for name, allowed in filters)


def group_of(rule: MeterRule, properties: Mapping[str, object]) -> tuple[str | None, ...]:
    """The values that part the events, in the order of `group_by`; None for an event without the property."""
    return tuple(property_text(properties.get(name)) for name in rule.group_by)


def quantity_in(rule: MeterRule, properties: Mapping[str, object]) -> Decimal | None:
    """The number that the meter takes from an event; None where there is none to take. One for each event counted."""
    if rule.aggregation is Aggregation.COUNT:
        return Decimal(1)
    if rule.aggregation is Aggregation.EXPRESSION:
        return _expressed(rule, properties)
    return _number(properties.get(rule.property))


def unique_value(rule: MeterRule, properties: Mapping[str, object]) -> str | None:
    """The value that a unique count tells apart; numbers by value, so that 1.0 is 1."""
    value = properties.get(rule.property)
    if isinstance(value, Decimal):
        return format_quantity(value)
    text = property_text(value)
    return text or None


def _number(value: object) -> Decimal | None:
    try:
        return parse_quantity(value)
    except BillingError:
        return None


def _expressed(rule: MeterRule, properties: Mapping[str, object]) -> Decimal | None:
    assert rule.expression is not None, "a rule of this kind has its expression"
    found = {name: _number(properties.get(name)) for name in rule.expression.names}
    numbers = {name: number for name, number in found.items() if number is not None}
    try:
        value = evaluate(rule.expression, numbers)
    except BillingError:
        return None
    return parse_quantity(rounded_to(value, DECIMALS_MAX, "ROUND_HALF_UP"))
