"""What a meter is: its aggregation, which events it reads, and what it makes of the result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from enum import StrEnum

from billing.core.errors import InvalidInput
from billing.core.expression import Expression, parse_expression, rounded_to
from billing.core.quantity import DECIMALS_MAX, format_quantity

FILTERS_MAX, VALUES_MAX, GROUPS_MAX = 10, 100, 4
NAME_LENGTH_MAX = 120


class InvalidMeter(InvalidInput):
    """A meter that cannot measure: `fields` names what is wrong."""


class Aggregation(StrEnum):
    """How many events become one number. `property` is the property that a meter reads.

    count: number of events. sum: total of the property. min, max, average: of the property. latest: the property of
    the last event. unique_count: different values of the property, each added until it is removed. weighted_sum: the
    running total of the property, weighted by how long it lasted, by the second. percentile: the smallest value that
    at least p % of the events do not exceed (nearest rank). sum_with_multiplier: the total times a fixed number.
    expression: the total of an arithmetic expression over the properties of each event.
    """

    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    AVERAGE = "average"
    LATEST = "latest"
    UNIQUE_COUNT = "unique_count"
    WEIGHTED_SUM = "weighted_sum"
    PERCENTILE = "percentile"
    SUM_WITH_MULTIPLIER = "sum_with_multiplier"
    EXPRESSION = "expression"


CARRIED = frozenset(
    {
        Aggregation.COUNT,
        Aggregation.SUM,
        Aggregation.LATEST,
        Aggregation.UNIQUE_COUNT,
        Aggregation.WEIGHTED_SUM,
        Aggregation.SUM_WITH_MULTIPLIER,
        Aggregation.EXPRESSION,
    }
)
"""What can be carried over into the next period: what stands until something changes it."""

PRORATED = frozenset(
    {
        Aggregation.COUNT,
        Aggregation.SUM,
        Aggregation.UNIQUE_COUNT,
        Aggregation.SUM_WITH_MULTIPLIER,
        Aggregation.EXPRESSION,
    }
)
"""What can be counted for the days it lasted: what each event adds or takes away."""


class UnitRounding(StrEnum):
    """What a meter does to its units before they are priced. round: half away from zero; ceil: up; floor: down."""

    NONE = "none"
    ROUND = "round"
    CEIL = "ceil"
    FLOOR = "floor"


_DECIMAL_ROUNDING = {
    UnitRounding.ROUND: ROUND_HALF_UP,
    UnitRounding.CEIL: ROUND_CEILING,
    UnitRounding.FLOOR: ROUND_FLOOR,
}


@dataclass(frozen=True, slots=True)
class MeterRule:
    """A meter as core measures by it. Make it with `meter_rule`, which refuses nonsense.

    filters: property and the texts it may have; all must hold. excluded: filters of others, whose events are not
    read. group_by: properties whose values part the events.
    rounding_decimals may be negative: tens, hundreds. recurring: what was there at the start of a period counts too.
    prorated: every change counts for the local days it lasted, of the days of the whole period.
    percentile: over 0 up to 100, for that aggregation only.
    """

    aggregation: Aggregation
    property: str = ""
    filters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    group_by: tuple[str, ...] = ()
    rounding: UnitRounding = UnitRounding.NONE
    rounding_decimals: int = 0
    recurring: bool = False
    prorated: bool = False
    percentile: Decimal | None = None
    multiplier: Decimal = Decimal(1)
    expression: Expression | None = None
    excluded: tuple[tuple[tuple[str, tuple[str, ...]], ...], ...] = ()


def meter_rule(
    aggregation: str,
    *,
    property: str = "",
    filters: Mapping[str, Sequence[str]] | None = None,
    group_by: Sequence[str] = (),
    rounding: str = "none",
    rounding_decimals: int = 0,
    recurring: bool = False,
    prorated: bool = False,
    percentile: Decimal | None = None,
    multiplier: Decimal | None = None,
    expression: str = "",
) -> MeterRule:
    """A meter out of plain values. Raises InvalidMeter or InvalidExpression with the field.

    >>> meter_rule("sum", property="tokens", rounding="ceil").rounding
    <UnitRounding.CEIL: 'ceil'>
    """
    if aggregation not in list(Aggregation):
        raise InvalidMeter(f"An aggregation is one of {', '.join(Aggregation)}.", field="aggregation")
    kind = Aggregation(aggregation)
    if (kind in (Aggregation.COUNT, Aggregation.EXPRESSION)) != (not property):
        raise InvalidMeter(
            "A meter names the property it adds up; one that counts, or has an expression, names none.",
            field="property",
        )
    if rounding not in list(UnitRounding) or not -12 <= rounding_decimals <= 12:
        raise InvalidMeter(
            f"A rounding is one of {', '.join(UnitRounding)}, with -12 to 12 decimals.", field="rounding"
        )
    if recurring and kind not in CARRIED:
        raise InvalidMeter(
            f"A meter of {kind} cannot be carried over; it starts anew each period.", field="recurring"
        )
    if prorated and kind not in PRORATED:
        raise InvalidMeter(f"A meter of {kind} cannot be prorated by days.", field="prorated")
    if (kind is Aggregation.PERCENTILE) != (percentile is not None):
        raise InvalidMeter("A percentile, and nothing else, names which one, like 95.", field="percentile")
    if percentile is not None and (
        not 0 < percentile <= 100 or percentile != rounded_to(percentile, 4, ROUND_FLOOR)
    ):
        raise InvalidMeter(
            "A percentile lies above 0, is at most 100 and has at most 4 decimals.", field="percentile"
        )
    if (kind is Aggregation.SUM_WITH_MULTIPLIER) != (multiplier is not None):
        raise InvalidMeter(
            "A sum with a multiplier, and nothing else, names the multiplier.", field="multiplier"
        )
    if multiplier is not None and (
        not 0 < multiplier < Decimal(10) ** 12 or multiplier != rounded_to(multiplier, 12, ROUND_FLOOR)
    ):
        raise InvalidMeter(
            "A multiplier is greater than 0, below a million millions, with at most 12 decimals.",
            field="multiplier",
        )
    if (kind is Aggregation.EXPRESSION) != bool(expression):
        raise InvalidMeter("A meter of expression, and no other, has an expression.", field="expression")
    parsed = parse_expression(expression, names=None) if expression else None
    if parsed is not None and not parsed.names:
        raise InvalidMeter("An expression reads at least one property of the event.", field="expression")
    return MeterRule(
        kind,
        property,
        meter_filters(filters),
        _groups(group_by),
        UnitRounding(rounding),
        rounding_decimals,
        recurring,
        prorated,
        percentile,
        multiplier if multiplier is not None else Decimal(1),
        parsed,
    )


def meter_filters(
    filters: Mapping[str, Sequence[str]] | None, *, field: str = "filters"
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Filters as a rule holds them: properties in order, each with its allowed texts. Raises InvalidMeter."""
    if not filters:
        return ()
    if not isinstance(filters, Mapping) or len(filters) > FILTERS_MAX:
        raise InvalidMeter(
            f"Filters are at most {FILTERS_MAX} properties, each with the values allowed.", field=field
        )
    for name, values in filters.items():
        if not isinstance(name, str) or not 0 < len(name) <= NAME_LENGTH_MAX:
            raise InvalidMeter("A filter names a property that no event can have.", field=field)
        if not isinstance(values, list | tuple) or not 0 < len(values) <= VALUES_MAX:
            raise InvalidMeter(f"The filter on '{name}' allows 1 to {VALUES_MAX} values.", field=field)
        if not all(isinstance(value, str) for value in values) or len(set(values)) != len(values):
            raise InvalidMeter(f"The values of the filter on '{name}' are different texts.", field=field)
    return tuple((name, tuple(filters[name])) for name in sorted(filters))


def _groups(group_by: Sequence[str]) -> tuple[str, ...]:
    if len(group_by) > GROUPS_MAX or len(set(group_by)) != len(group_by):
        raise InvalidMeter(f"A meter groups by at most {GROUPS_MAX} different properties.", field="group_by")
    if not all(isinstance(name, str) and 0 < len(name) <= NAME_LENGTH_MAX for name in group_by):
        raise InvalidMeter("A group names a property that no event can have.", field="group_by")
    return tuple(group_by)


class OverlappingFilters(InvalidMeter):
    """An event could fall to two prices of one meter."""

    code = "overlapping_filters"


def narrowed(
    rule: MeterRule,
    *,
    filters: Mapping[str, Sequence[str]] | None = None,
    excluded: Sequence[Mapping[str, Sequence[str]]] = (),
) -> MeterRule:
    """The rule over fewer events: those that pass `filters` too, and none that passes one of `excluded`."""
    return replace(
        rule,
        filters=rule.filters + meter_filters(filters),
        excluded=tuple(meter_filters(one) for one in excluded),
    )


def require_disjoint(buckets: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
    """Raise OverlappingFilters unless every event falls to one bucket at most, by the buckets' names.

    Two buckets are apart if they allow no common value of some property. One bucket may be without filters: it takes
    what the others leave.

    >>> require_disjoint({"large": {"model": ["l"]}, "small": {"model": ["s", "m"]}, "others": {}})
    """
    names = list(buckets)
    for place, first in enumerate(names):
        for second in names[place + 1 :]:
            one, other = buckets[first], buckets[second]
            rest = bool(one) != bool(other)
            apart = any(not set(one[name]) & set(other[name]) for name in set(one) & set(other))
            if not rest and not apart:
                raise OverlappingFilters(
                    f"An event could fall to '{first}' and to '{second}': give both the same property with different"
                    " values, and leave one price without filters for the rest.",
                    field="filters",
                )


def rounded_units(rule: MeterRule, units: Decimal) -> Decimal:
    """Units as the meter rounds them; without a rounding to the 12 decimals of a quantity, half away from zero.

    >>> rounded_units(meter_rule("count", rounding="ceil", rounding_decimals=2), Decimal("48.434"))
    Decimal('48.44')
    """
    if rule.rounding is UnitRounding.NONE:
        plain = Decimal(format_quantity(units))
        exponent = plain.as_tuple().exponent
        assert isinstance(exponent, int), "units are finite"
        return plain if exponent >= -DECIMALS_MAX else rounded_to(plain, DECIMALS_MAX, ROUND_HALF_UP)
    return rounded_to(units, rule.rounding_decimals, _DECIMAL_ROUNDING[rule.rounding])
