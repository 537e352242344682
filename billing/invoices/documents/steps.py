"""From the working stored on a line to the steps printed on the document."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from billing.invoices.documents.snapshot import Step, StepKind

KIND_OF_MODEL = {
    "flat": StepKind.FLAT,
    "per_unit": StepKind.UNIT,
    "graduated": StepKind.GRADUATED,
    "volume": StepKind.VOLUME,
    "package": StepKind.PACKAGE,
}


def steps_of(working: Mapping[str, object]) -> tuple[Step, ...]:
    """The printed steps of a line from its working, as `billing.core.invoice.calculate` wrote it (rules version 1).

    The shares are taken as they were rounded then; nothing is computed again.
    Raises KeyError or ValueError if the working is of another shape.
    """
    kind = KIND_OF_MODEL[str(working["model"])]
    definition = working["definition"]
    steps = working["steps"]
    if not isinstance(definition, Mapping) or not isinstance(steps, Sequence):
        raise ValueError("A working holds a price definition and a list of steps.")
    return tuple(_step(kind, definition, step) for step in steps)


def proration_of(working: Mapping[str, object]) -> tuple[int, int] | None:
    """Days charged and days of the whole period, or None if the line is not prorated."""
    fraction = working.get("fraction")
    if not isinstance(fraction, Mapping):
        return None
    return int(fraction["days"]), int(fraction["of"])


def _step(kind: StepKind, definition: Mapping[str, object], step: Mapping[str, object]) -> Step:
    unit_amount, flat_amount = _decimal(step["unit_amount"]), _decimal(step["flat_amount"])
    amount_minor, quantity = int(str(step["amount_minor"])), Decimal(str(step["quantity"]))
    if unit_amount is None and flat_amount is None:
        return Step(kind=StepKind.ALREADY_BILLED, amount_minor=amount_minor, quantity=quantity)
    if kind is StepKind.FLAT:
        # A flat price is charged once, whatever the quantity.
        return Step(kind=kind, amount_minor=amount_minor, quantity=Decimal(1), flat_amount=flat_amount)
    package = kind is StepKind.PACKAGE
    return Step(
        kind=kind,
        amount_minor=amount_minor,
        quantity=quantity,
        unit_amount=unit_amount,
        flat_amount=flat_amount,
        from_quantity=None if package else _decimal(step["from_quantity"]),
        up_to=None if package else _decimal(step["up_to"]),
        package_size=_decimal(definition["size"]) if package else None,
        free_units=_decimal(definition.get("free_units")) if package else None,
    )


def _decimal(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))
