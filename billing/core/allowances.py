"""Allowances: what is taken off a line before tax, each with its reason (EN 16931 BG-27).

A line's gross amount less its allowances is its net amount: what is taxed, deferred, accrued and credited.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from billing.core.errors import InvalidInput


class AllowanceKind(StrEnum):
    """Why less is charged. coupon: a discount that the customer redeemed."""

    COUPON = "coupon"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """amount_minor is taken off one line, above zero. reference: public id of what grants it; label is printed.

    Raises InvalidInput for an amount that is not above zero or an allowance without a label.
    """

    kind: AllowanceKind
    reference: str
    label: str
    amount_minor: int

    def __post_init__(self) -> None:
        if self.amount_minor <= 0:
            raise InvalidInput("an allowance is above zero", field="amount")
        if not self.label.strip():
            raise InvalidInput("an allowance names its reason", field="label")


def allowances_minor(allowances: Sequence[Allowance]) -> int:
    """Their sum in minor units."""
    return sum(one.amount_minor for one in allowances)


def allowances_json(allowances: Sequence[Allowance]) -> list[dict[str, Any]]:
    """As stored with a line; amounts in minor units."""
    return [
        {
            "kind": one.kind.value,
            "reference": one.reference,
            "label": one.label,
            "amount_minor": one.amount_minor,
        }
        for one in allowances
    ]


def read_allowances(stored: Sequence[Mapping[str, Any]]) -> tuple[Allowance, ...]:
    """What `allowances_json` stored."""
    return tuple(
        Allowance(
            kind=AllowanceKind(row["kind"]),
            reference=row["reference"],
            label=row["label"],
            amount_minor=row["amount_minor"],
        )
        for row in stored
    )
