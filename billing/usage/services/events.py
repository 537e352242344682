"""An event as it was sent, what it must look like, and the verdict it gets. No database in here."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from billing.core.quantity import format_quantity

ID_LENGTH_MAX = 128
NAME_LENGTH_MAX = 120  # type, property name, reference to a customer
PROPERTIES_MAX = 50
PROPERTIES_BYTES_MAX = 16 * 1024
_EXPONENT_MAX = 120  # a number with more digits on either side of the point measures nothing

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # PostgreSQL's text holds neither
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,12})?(Z|z|[+-][0-9]{2}:?[0-9]{2})?"
)
_encode = msgspec.json.Encoder(decimal_format="number").encode


class VerdictKind(StrEnum):
    """What became of an event. Accepted means committed."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    CONFLICT = "conflict"
    REJECTED = "rejected"


class Reason(StrEnum):
    """Why an event was refused; stable, for programs."""

    INVALID_EVENT = "invalid_event"
    INVALID_ID = "invalid_id"
    INVALID_TIMESTAMP = "invalid_timestamp"
    INVALID_PROPERTIES = "invalid_properties"
    INVALID_QUANTITY = "invalid_quantity"
    TIMESTAMP_OUT_OF_WINDOW = "timestamp_out_of_window"
    UNKNOWN_CUSTOMER = "unknown_customer"
    UNKNOWN_TYPE = "unknown_type"
    OTHER_CONTENT = "other_content"


@dataclass(frozen=True, slots=True)
class IncomingEvent:
    """An event as a face received it: nothing is checked yet, so each part may be anything.

    customer: public id or external id. at: an ISO 8601 text with its offset, or an aware datetime. properties: an
    object of plain values whose numbers are int or Decimal, never float. strays: names that no event has.
    """

    id: object = None
    customer: object = None
    type: object = None
    at: object = None
    properties: object = None
    strays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one event. id: as sent, where it was a text. reason, message, field: where it was refused."""

    kind: VerdictKind
    id: str | None
    reason: Reason | None = None
    message: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class CheckedEvent:
    """A well-formed event: `at` in UTC, properties as JSON text with exact numerals, and the hash of its content."""

    id: str
    customer: str
    type: str
    at: datetime
    properties: Mapping[str, object]
    properties_json: str
    content_hash: str


class Refused(Exception):
    """An event is not what it must be; carried to the verdict of that one event."""

    def __init__(self, reason: Reason, message: str, field: str = "") -> None:
        super().__init__(message)
        self.reason, self.message, self.field = reason, message, field

    def verdict(self, event_id: object) -> Verdict:
        """The verdict `rejected` with this reason."""
        known = event_id if isinstance(event_id, str) else None
        return Verdict(VerdictKind.REJECTED, known, self.reason, self.message, self.field)


def event_from_json(value: object) -> IncomingEvent:
    """The event in a decoded JSON value, whatever it is; a name that no event has is remembered, to be refused."""
    if not isinstance(value, Mapping):
        return IncomingEvent(strays=("",))
    strays = tuple(sorted(name for name in value if name not in _NAMES))
    return IncomingEvent(**{name: value.get(name) for name in _NAMES}, strays=strays)


_NAMES = ("id", "customer", "type", "at", "properties")


def check_event(event: IncomingEvent) -> CheckedEvent:
    """The event if it is well-formed. Raises Refused with the first thing that is wrong."""
    if event.strays:
        stray = event.strays[0]
        if not stray:
            raise Refused(Reason.INVALID_EVENT, "an event is a JSON object")
        raise Refused(Reason.INVALID_EVENT, f"an event has no '{_shown(stray)}'", _shown(stray))
    if not isinstance(event.id, str) or not 0 < len(event.id) <= ID_LENGTH_MAX or _CONTROL.search(event.id):
        raise Refused(
            Reason.INVALID_ID,
            f"an id is a text of 1 to {ID_LENGTH_MAX} characters, none of them control",
            "id",
        )
    customer = _name(event.customer, "customer")
    event_type = _name(event.type, "type")
    at = _instant(event.at)
    properties = _properties(event.properties)
    encoded = _encode(properties)
    if len(encoded) > PROPERTIES_BYTES_MAX:
        raise Refused(
            Reason.INVALID_PROPERTIES, f"properties take at most {PROPERTIES_BYTES_MAX} bytes", "properties"
        )
    return CheckedEvent(
        id=event.id,
        customer=customer,
        type=event_type,
        at=at,
        properties=properties,
        properties_json=encoded.decode(),
        content_hash=content_hash(event_type, properties),
    )


def content_hash(event_type: str, properties: Mapping[str, object]) -> str:
    """SHA-256 of what an event says: type and properties, by value and not by spelling (1.50 is 1.5; "1.5" is not)."""
    facts = [[name, *_canonical(value)] for name, value in sorted(properties.items())]
    return hashlib.sha256(json.dumps([event_type, facts]).encode()).hexdigest()


def _canonical(value: object) -> tuple[object, ...]:
    match value:
        case bool() | None | str():
            return (value,)
        case _:
            assert isinstance(value, int | Decimal)
            return ("number", format_quantity(Decimal(value)))


def _name(value: object, field: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= NAME_LENGTH_MAX or _CONTROL.search(value):
        raise Refused(
            Reason.INVALID_EVENT,
            f"{field} is a text of 1 to {NAME_LENGTH_MAX} characters, none of them control",
            field,
        )
    return value


def _instant(value: object) -> datetime:
    """`at` in UTC, cut to microseconds."""
    if isinstance(value, str):
        if not _INSTANT.fullmatch(value):
            raise Refused(
                Reason.INVALID_TIMESTAMP, "at is an instant such as 2023-11-16T18:15:46.680590Z", "at"
            )
        try:
            value = datetime.fromisoformat(value.upper())
        except ValueError as error:
            raise Refused(Reason.INVALID_TIMESTAMP, "at is not a date and time that exists", "at") from error
    if not isinstance(value, datetime):
        raise Refused(Reason.INVALID_TIMESTAMP, "at is a text such as 2023-11-16T18:15:46Z", "at")
    if value.tzinfo is None:
        raise Refused(Reason.INVALID_TIMESTAMP, "at needs its offset from UTC, such as Z or +01:00", "at")
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise Refused(Reason.INVALID_TIMESTAMP, "at is not a date and time that exists", "at") from error


def _properties(value: object) -> dict[str, object]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Refused(Reason.INVALID_PROPERTIES, "properties are a JSON object", "properties")
    if len(value) > PROPERTIES_MAX:
        raise Refused(
            Reason.INVALID_PROPERTIES, f"an event has at most {PROPERTIES_MAX} properties", "properties"
        )
    for name, inner in value.items():
        if not isinstance(name, str) or not 0 < len(name) <= NAME_LENGTH_MAX or _CONTROL.search(name):
            raise Refused(
                Reason.INVALID_PROPERTIES,
                f"names of properties have 1 to {NAME_LENGTH_MAX} characters",
                "properties",
            )
        _check_value(inner, f"properties.{name}")
    return dict(value)


def _check_value(value: object, field: str) -> None:
    match value:
        case str():
            if _UNSTORABLE.search(value):
                raise Refused(
                    Reason.INVALID_PROPERTIES, "a text holds a character that cannot be stored", field
                )
        case bool() | None:
            pass
        case int():
            if abs(value) >= 10**_EXPONENT_MAX:
                raise Refused(Reason.INVALID_QUANTITY, "the number is absurdly large", field)
        case Decimal():
            if not value.is_finite():
                raise Refused(Reason.INVALID_QUANTITY, "a number is finite", field)
            if abs(value.adjusted()) > _EXPONENT_MAX or len(value.as_tuple().digits) > _EXPONENT_MAX:
                raise Refused(Reason.INVALID_QUANTITY, "the number is absurdly large or small", field)
        case _:
            raise Refused(
                Reason.INVALID_PROPERTIES, "a property is a text, a number, true, false or null", field
            )


def _shown(name: str) -> str:
    """A stranger's name, fit to be repeated in a message."""
    return _CONTROL.sub("?", name)[:60]
