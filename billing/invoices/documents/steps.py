"""From the working stored on a line to the steps printed on the document."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from billing.core.pricing import StepKind
from billing.invoices.documents.snapshot import Step

# Workings written before steps named their kind.
KIND_OF_MODEL = {
    "flat": StepKind.FLAT,
    "per_unit": StepKind.UNIT,
    "graduated": StepKind.GRADUATED,
    "volume": StepKind.VOLUME,
    "package": StepKind.PACKAGE,
}
BOUNDED = frozenset(
    {
        StepKind.GRADUATED,
        StepKind.VOLUME,
        StepKind.STAIRSTEP,
        StepKind.PERCENTAGE,
        StepKind.FLAT,
        StepKind.UNIT,
    }
)
"""Kinds whose bounds are printed: of a tier, or of what an amount includes."""


def steps_of(working: Mapping[str, object]) -> tuple[Step, ...]:
    """The printed steps of a line from its working, as `billing.core.invoice.calculate` wrote it (rules version 1).

    The shares are taken as they were rounded then; nothing is computed again.
    Raises KeyError or ValueError if the working is of another shape.
    """
    model = KIND_OF_MODEL.get(str(working["model"]))
    definition = working["definition"]
    steps = working["steps"]
    if not isinstance(definition, Mapping) or not isinstance(steps, Sequence):
        raise ValueError("A working holds a price definition and a list of steps.")
    return tuple(_step(_kind(model, step), definition, step) for step in steps)


def proration_of(working: Mapping[str, object]) -> tuple[int, int, str] | None:
    """Units charged, units of the whole period and the unit (day, second), or None if the line is not prorated."""
    fraction = working.get("fraction")
    if not isinstance(fraction, Mapping):
        return None
    unit = "second" if "seconds" in fraction else "day"
    return int(fraction[f"{unit}s"]), int(fraction["of"]), unit


def _kind(model: StepKind | None, step: Mapping[str, object]) -> StepKind:
    if "kind" in step:
        return StepKind(str(step["kind"]))
    if model is None:
        raise ValueError("A step of this price model names its kind.")
    carries_amount_only = step["unit_amount"] is None and step["flat_amount"] is None
    return StepKind.ALREADY_BILLED if carries_amount_only else model


def _step(kind: StepKind, definition: Mapping[str, object], step: Mapping[str, object]) -> Step:
    unit_amount, flat_amount = _decimal(step["unit_amount"]), _decimal(step["flat_amount"])
    amount_minor, quantity = int(str(step["amount_minor"])), Decimal(str(step["quantity"]))
    if unit_amount is None and flat_amount is None:
        return Step(kind=kind, amount_minor=amount_minor, quantity=quantity)
    package = kind is StepKind.PACKAGE
    free_name = "free_amount" if kind is StepKind.PERCENTAGE else "free_units"
    return Step(
        kind=kind,
        amount_minor=amount_minor,
        # A fixed amount is charged once, whatever the quantity.
        quantity=Decimal(1) if kind in {StepKind.FLAT, StepKind.STAIRSTEP} else quantity,
        unit_amount=unit_amount,
        flat_amount=flat_amount,
        from_quantity=_decimal(step.get("from_quantity")) if kind in BOUNDED else None,
        up_to=_decimal(step.get("up_to")) if kind in BOUNDED else None,
        package_size=_decimal(definition["size"]) if package else _decimal(step.get("block_size")),
        free_units=_decimal(definition.get(free_name)),
    )


def _decimal(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))
