"""What a meter reads from an event, once in Python for what comes in and once in SQL for what is stored.

A counting meter reads every event of its type. A summing meter reads one property; an event without a readable
quantity there is not read by it (it came in before the meter, or it would have been rejected). Both versions give
the same answer, and a property test holds them to that.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from billing.catalog.models import Meter
from billing.core.aggregation import Aggregation
from billing.core.errors import InvalidQuantity
from billing.core.quantity import parse_quantity

READING_DIGITS_MAX = 18
"""Integer digits of one event's quantity. Rollups hold 26, so a hundred million of the largest fit into one bucket."""

BUCKET = timedelta(minutes=15)

_LIMIT = Decimal(10) ** READING_DIGITS_MAX
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def reading(meter: Meter, properties: Mapping[str, object]) -> Decimal:
    """The quantity that `meter` takes from an event's properties; zero for a meter that counts.

    Raises InvalidQuantity, naming the property: missing, not a plain number, NaN or infinite, more than 18 integer
    digits or 12 decimals, negative where the meter forbids it.
    """
    if meter.aggregation == Aggregation.COUNT:
        return Decimal(0)
    field = f"properties.{meter.property}"
    if meter.property not in properties:
        raise InvalidQuantity(f"the meter {meter.code} needs the property '{meter.property}'", field=field)
    quantity = parse_quantity(properties[meter.property], field=field, allow_negative=meter.allow_negative)
    if quantity.copy_abs() >= _LIMIT:  # abs() would round to 28 digits
        raise InvalidQuantity(f"a quantity has at most {READING_DIGITS_MAX} integer digits", field=field)
    return quantity


def bucket_of(at: datetime) -> datetime:
    """Start of the quarter of an hour, UTC, that holds the instant."""
    at = at.astimezone(UTC)
    return at - (at - _EPOCH) % BUCKET


# Reads `meter` (a row of catalog_meter) and `event` (a row of usage_usageevent); gives `reading.quantity`. The
# branches of CASE are evaluated in order, so that only what looks like a number is cast to one.
READING_SQL = f"""
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN meter.aggregation = '{Aggregation.COUNT.value}' THEN 0::numeric
            WHEN jsonb_typeof(event.properties -> meter.property) = 'number'
                OR (jsonb_typeof(event.properties -> meter.property) = 'string'
                    AND (event.properties ->> meter.property) ~ '^-?[0-9]{{1,120}}(\\.[0-9]{{1,120}})?$')
            THEN (event.properties ->> meter.property)::numeric
        END AS number
    ) AS found
    CROSS JOIN LATERAL (
        SELECT found.number AS quantity
        WHERE found.number > -1e{READING_DIGITS_MAX} AND found.number < 1e{READING_DIGITS_MAX}
          AND (found.number >= 0 OR meter.allow_negative)
          AND scale(trim_scale(found.number)) <= 12
    ) AS reading
"""
