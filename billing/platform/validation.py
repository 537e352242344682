"""Checks that the services of every app share: each refuses with InvalidInput and names the field."""

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.db.models import Model

from billing.core.errors import BillingError, InvalidInput, InvalidMoney
from billing.core.money import exponent
from billing.platform.countries import COUNTRIES

_CODE = re.compile(r"[a-z0-9](?:[a-z0-9_.-]{0,58}[a-z0-9])?")
_UNIT_CODE = re.compile(r"[A-Z0-9]{2,3}")
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")  # tabs and line breaks may stay


def require_fields(
    instance: Model, *, names: Mapping[str, str] | None = None, exclude: Collection[str] = ()
) -> None:
    """Check every plain column of an unsaved or changed row: required, choices, lengths, ranges, formats.

    names: how callers know a column, where it differs (`line1` -> `address.line1`). Relations are not looked at.
    Raises InvalidInput with all wrong fields at once. Text with control characters or lone surrogates is refused:
    PostgreSQL cannot store it, or a document cannot print it.
    """
    relations = {field.name for field in instance._meta.fields if field.is_relation}
    wrong: dict[str, list[str]] = {}
    try:
        instance.clean_fields(exclude=relations | set(exclude))
    except ValidationError as error:
        wrong = {name: [str(text) for text in texts] for name, texts in error.message_dict.items()}
    for field in instance._meta.fields:
        value = None if field.is_relation else getattr(instance, field.attname)
        if isinstance(value, str) and _UNSTORABLE.search(value):
            wrong[field.name] = ["This text contains characters that cannot be stored."]
    if wrong:
        known_as = names or {}
        raise InvalidInput(
            "Some fields are not right.",
            fields={known_as.get(name, name): texts for name, texts in wrong.items()},
        )


def require_code(value: str, *, field: str = "code") -> str:
    """A stable name for programs: lower case letters, digits, `_`, `-` and `.`, at most 60, e.g. `inference-pro`."""
    if not isinstance(value, str) or not _CODE.fullmatch(value):
        raise InvalidInput("A code has 1 to 60 lower case letters, digits, '_', '-' or '.'.", field=field)
    return value


def require_unit_code(value: str, *, field: str = "unit_code") -> str:
    """A unit as UN/ECE recommendation 20 codes it: two or three capital letters or digits, C62 is 'one'."""
    if not isinstance(value, str) or not _UNIT_CODE.fullmatch(value):
        raise InvalidInput(
            "A unit code has two or three capital letters or digits, for example C62.", field=field
        )
    return value


def require_country(value: str, *, field: str = "country") -> str:
    """An ISO 3166-1 alpha-2 code."""
    if value not in COUNTRIES:
        raise InvalidInput("This is not an ISO 3166-1 country code such as DE.", field=field)
    return value


def require_currency(value: str, *, field: str = "currency") -> str:
    """An ISO 4217 code."""
    try:
        exponent(value)
    except InvalidMoney as error:
        raise InvalidInput("This is not an ISO 4217 currency code such as EUR.", field=field) from error
    return value


def require_time_zone(value: str, *, field: str = "time_zone") -> str:
    """A name of the IANA time zone database, e.g. Europe/Berlin."""
    if value not in _time_zones():
        raise InvalidInput("This is not a time zone such as Europe/Berlin.", field=field)
    return value


def require_instant(value: datetime, *, field: str) -> datetime:
    """An instant with its offset from UTC, between the years 2000 and 2199."""
    if value.tzinfo is None:
        raise InvalidInput(
            "An instant needs an offset from UTC, for example 2023-11-01T00:00:00Z.", field=field
        )
    if not 2000 <= value.year < 2200:
        raise InvalidInput("An instant lies between the years 2000 and 2199.", field=field)
    return value


@contextmanager
def within(prefix: str) -> Iterator[None]:
    """Name the fields of refusals in the block as parts of `prefix`: `code` becomes `prices[0].code`."""
    try:
        yield
    except BillingError as error:
        error.rename_fields(lambda name: f"{prefix}{name}")
        raise


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())
