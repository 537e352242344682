"""Serializer fields that mean the same everywhere: money, quantities, instants, strict text."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from billing.core.errors import BillingError, InvalidMoney
from billing.core.money import format_major
from billing.core.quantity import format_quantity, parse_quantity

MONEY = {"type": "string", "example": "193.02", "description": "Major units, as a decimal string."}
QUANTITY = {"type": "string", "example": "22361870", "description": "A plain decimal, as a string."}


@extend_schema_field(OpenApiTypes.STR)
class TextField(serializers.CharField):
    """Text, and nothing that could be turned into it: a number is refused."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class FlagField(serializers.BooleanField):
    """true or false, and nothing that resembles them."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


@extend_schema_field(MONEY)
class MoneyField(serializers.Field):  # type: ignore[type-arg]
    """Output of booked money: minor units and the `currency` of the same object, as a decimal string."""

    def __init__(self, *, currency: str = "currency", **kwargs: Any) -> None:
        self.currency = currency
        super().__init__(read_only=True, **kwargs)

    def get_attribute(self, instance: Any) -> tuple[int, str] | None:
        minor = super().get_attribute(instance)
        return None if minor is None else (minor, _attribute(instance, self.currency))

    def to_representation(self, value: tuple[int, str]) -> str:
        return format_major(*value)


@extend_schema_field(MONEY)
class AmountField(TextField):
    """Input of an amount: a decimal string. The service reads it in its currency and says what is wrong with it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=40, **kwargs)


@extend_schema_field(QUANTITY)
class QuantityField(serializers.Field):  # type: ignore[type-arg]
    """A quantity or rate: a decimal string; integers are understood too, JSON fractions are not."""

    def __init__(self, *, allow_negative: bool = True, **kwargs: Any) -> None:
        self.allow_negative = allow_negative
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> Decimal:
        try:
            return parse_quantity(data, allow_negative=self.allow_negative)
        except BillingError as error:
            raise serializers.ValidationError(error.message, code=error.code) from error

    def to_representation(self, value: Decimal) -> str:
        return format_quantity(value)


@extend_schema_field(OpenApiTypes.DATETIME)
class InstantField(serializers.Field):  # type: ignore[type-arg]
    """An instant: ISO 8601 with an offset; answered in UTC with a Z."""

    default_error_messages = {
        "invalid": "This is not an instant such as 2023-11-01T00:00:00Z.",
        "no_offset": "An instant needs an offset from UTC, for example 2023-11-01T00:00:00Z.",
    }

    def to_internal_value(self, data: Any) -> datetime:
        if not isinstance(data, str) or len(data) > 40 or "T" not in data.upper():
            self.fail("invalid")
        try:
            value = datetime.fromisoformat(data)
            if value.tzinfo is None:
                self.fail("no_offset")
            return value.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail("invalid")

    def to_representation(self, value: datetime) -> str:
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


@extend_schema_field(OpenApiTypes.STR)
class PublicIdOf(serializers.SlugRelatedField):  # type: ignore[type-arg]
    """Output of a related object as its public id."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(slug_field="public_id", read_only=True, **kwargs)


def _attribute(instance: Any, name: str) -> str:
    """The currency beside an amount: of the row itself, or along a path such as `invoice.currency`."""
    value = instance
    for part in name.split("."):
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    if not isinstance(value, str):
        raise InvalidMoney("the amount has no currency beside it")
    return value
