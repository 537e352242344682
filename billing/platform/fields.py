"""Columns that mean the same everywhere: public ids, money in minor units, currencies, quantities, percents."""

from collections.abc import Sequence
from typing import Any

from django.db import models

from billing.platform.ids import new_public_id

PUBLIC_ID_LENGTH = 36


class PublicIdField(models.CharField[str, str]):
    """The opaque id the outside world uses for a row; `prefix` says the kind (`cus`, `inv`, ...)."""

    def __init__(self, prefix: str = "", **kwargs: Any) -> None:
        self.prefix = prefix
        kwargs.setdefault("max_length", PUBLIC_ID_LENGTH)
        kwargs.setdefault("unique", True)
        kwargs.setdefault("editable", False)
        kwargs.setdefault("help_text", "Opaque id used in the API, in links and in the audit trail.")
        super().__init__(**kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        kwargs["prefix"] = self.prefix
        return name, path, args, kwargs

    def has_default(self) -> bool:
        return True

    def get_default(self) -> str:
        return new_public_id(self.prefix)


class ReferenceField(models.CharField[str, str]):
    """The public id of a row in a higher layer: a reference without a foreign key, since those only point down."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", PUBLIC_ID_LENGTH)
        super().__init__(**kwargs)


class MinorField(models.BigIntegerField[int, int]):
    """Booked money: a whole number of minor units of the currency in the same row."""


class CurrencyField(models.CharField[str, str]):
    """An ISO 4217 code such as EUR."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 3)
        super().__init__(**kwargs)


class CountryField(models.CharField[str, str]):
    """An ISO 3166-1 alpha-2 code such as DE."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 2)
        super().__init__(**kwargs)


class QuantityField(models.DecimalField[Any, Any]):
    """A quantity: 26 digits before the point and 12 after it."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 38)
        kwargs.setdefault("decimal_places", 12)
        super().__init__(**kwargs)


class PercentField(models.DecimalField[Any, Any]):
    """A percentage such as 19.0000."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 7)
        kwargs.setdefault("decimal_places", 4)
        super().__init__(**kwargs)


class ActorColumns(models.Model):
    """The three columns that store an actor: kind, public id and label at that time."""

    actor_kind = models.CharField(max_length=16, help_text="User, API key, command, task or policy.")
    actor_id = models.CharField(max_length=80, help_text="Public id of the actor, or its name.")
    actor_label = models.CharField(max_length=200, help_text="How the actor was called at that time.")

    class Meta:
        abstract = True


def is_one_of(field: str, values: Sequence[str]) -> models.Q:
    """The condition of a check constraint: the text column holds one of `values`."""
    return models.Q(**{f"{field}__in": [str(value) for value in values]})
