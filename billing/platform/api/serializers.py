"""Bases of serializers. What comes in and what goes out are different classes."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from billing.platform.api.fields import TextField

Error = dict[str, list[ErrorDetail]]


class Input(serializers.Serializer):  # type: ignore[type-arg]
    """Input of a request: a field that it does not name is refused by name, so that a typo is never lost."""

    def to_internal_value(self, data: Any) -> Any:
        unknown: Error = {}
        if isinstance(data, Mapping):
            for name in data:
                if name not in self.fields:
                    unknown[str(name)[:60]] = [
                        ErrorDetail("There is no field of this name.", code="unknown_field")
                    ]
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if isinstance(error.detail, dict):
                raise serializers.ValidationError({**error.detail, **unknown}) from error
            raise
        if unknown:
            raise serializers.ValidationError(unknown)
        return value


class Query(Input):
    """Parameters of a list request; `limit` and `cursor` are read by the pagination. Each may be given once."""

    limit = TextField(required=False, help_text="How many rows a page holds: 1 to 200, 50 unless told.")
    cursor = TextField(required=False, help_text="`next_cursor` of the page before.")

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, QueryDict):
            twice = [name for name, values in data.lists() if len(values) > 1]
            if twice:
                error = ErrorDetail("This parameter is given more than once.", code="repeated")
                raise serializers.ValidationError({name[:60]: [error] for name in twice})
            data = data.dict()
        return super().to_internal_value(data)


class Output(serializers.Serializer):  # type: ignore[type-arg]
    """Output of a request: it translates rows, and computes nothing."""


def list_of(
    child: serializers.BaseSerializer[Any], *, most: int, **kwargs: Any
) -> serializers.ListSerializer[Any]:
    """A list of objects as a field, of at most `most`."""
    return serializers.ListSerializer(child=child, max_length=most, **kwargs)
