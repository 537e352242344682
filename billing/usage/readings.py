"""What a meter reads from an event, once in Python for what comes in and once in SQL for what is stored.

A meter reads the events of its type that pass its filters. One that counts reads no property; the others read one, and
an event without a readable value there is not read by them (it came in before the meter, or it would have been
rejected). Both versions give the same answer, and a property test holds them to that.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from billing.catalog.models import Meter
from billing.core.aggregation import OPERATION, Aggregation, MeterRule, Operation, passes, unique_value
from billing.core.errors import InvalidQuantity
from billing.core.expression import InvalidExpression, evaluate
from billing.core.quantity import parse_quantity

READING_DIGITS_MAX = 18
"""Integer digits of one event's quantity. Rollups hold 26, so a hundred million of the largest fit into one bucket."""

BUCKET = timedelta(minutes=15)
TICK = timedelta(microseconds=1)

_LIMIT = Decimal(10) ** READING_DIGITS_MAX
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def reading(meter: Meter, rule: MeterRule, properties: Mapping[str, object]) -> Decimal | None:
    """The quantity that `meter` takes from an event's properties: zero where it adds up nothing (it counts, tells
    values apart, or computes an expression when it is asked), None for an event that its filters leave out.

    rule: the meter's own, handed in because it is made once for many events.
    Raises InvalidQuantity, naming the property: missing, not a plain number, NaN or infinite, more than 18 integer
    digits or 12 decimals, negative where the meter forbids it; an expression without a value for these numbers; an
    operation other than add and remove.
    """
    if not passes(rule, properties):
        return None
    match rule.aggregation:
        case Aggregation.COUNT:
            return Decimal(0)
        case Aggregation.EXPRESSION:
            _require_value(meter, rule, properties)
            return Decimal(0)
        case Aggregation.UNIQUE_COUNT:
            _require_unique(meter, rule, properties)
            return Decimal(0)
        case _:
            return _number(meter, properties)


def _require_value(meter: Meter, rule: MeterRule, properties: Mapping[str, object]) -> None:
    assert rule.expression is not None, "a rule of this kind has its expression"
    numbers = {
        name: _property(meter, name, properties, allow_negative=True)
        for name in sorted(rule.expression.names)
    }
    try:
        value = evaluate(rule.expression, numbers)
    except InvalidExpression as error:
        raise InvalidQuantity(f"the meter {meter.code}: {error.message}", field="properties") from error
    if value.copy_abs() >= _LIMIT or (value < 0 and not meter.allow_negative):
        raise InvalidQuantity(f"the meter {meter.code} makes {value:f} of it", field="properties")


def _require_unique(meter: Meter, rule: MeterRule, properties: Mapping[str, object]) -> None:
    if unique_value(rule, properties) is None:
        raise InvalidQuantity(
            f"the meter {meter.code} needs the property '{meter.property}'",
            field=f"properties.{meter.property}",
        )
    if properties.get(OPERATION) not in (None, *Operation):
        raise InvalidQuantity(
            f"the meter {meter.code} knows the operations add and remove", field=f"properties.{OPERATION}"
        )


def _number(meter: Meter, properties: Mapping[str, object]) -> Decimal:
    return _property(meter, meter.property, properties, allow_negative=meter.allow_negative)


def _property(meter: Meter, name: str, properties: Mapping[str, object], *, allow_negative: bool) -> Decimal:
    field = f"properties.{name}"
    if name not in properties:
        raise InvalidQuantity(f"the meter {meter.code} needs the property '{name}'", field=field)
    quantity = parse_quantity(properties[name], field=field, allow_negative=allow_negative)
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
            WHEN meter.filters <> '{{}}' AND EXISTS (
                SELECT FROM jsonb_each(meter.filters) AS filter
                WHERE NOT coalesce(filter.value ? (event.properties ->> filter.key), false)
            ) THEN NULL
            WHEN meter.aggregation IN ('{Aggregation.COUNT.value}', '{Aggregation.EXPRESSION.value}')
            THEN 0::numeric
            WHEN meter.aggregation = '{Aggregation.UNIQUE_COUNT.value}'
            THEN CASE WHEN event.properties ->> meter.property <> '' THEN 0::numeric END
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
"""  # noqa: S608  (constants only)

# What a meter that looks for the smallest or largest keeps of `reading.quantity`; the others keep no bounds.
BOUNDED_SQL = (
    f"CASE WHEN meter.aggregation IN ('{Aggregation.MIN.value}', '{Aggregation.MAX.value}')"
    " THEN reading.quantity END"
)

# Everything that was ever said about usage, as `event`: each event once, and its later signs. What counted at a
# cut-off is the sum of the signs received by then.
FACTS_SQL = """(
    SELECT customer_id, event_type, at, received_at, properties, 1 AS sign FROM usage_usageevent
    UNION ALL
    SELECT customer_id, event_type, at, received_at, properties, sign::int FROM usage_usagesign
)"""

# The events that count now, as `event`; for recounting rollups, and nothing that has a cut-off.
LIVE_SQL = """(
    SELECT event.* FROM usage_usageevent event WHERE NOT EXISTS (
        SELECT FROM usage_usagesign taken WHERE taken.event_id = event.id
        GROUP BY taken.event_id HAVING sum(taken.sign) < 0
    )
)"""
