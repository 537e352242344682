"""One case in, one answer out: the table of kinds."""

from collections.abc import Callable, Mapping
from typing import Any

from billing.core.errors import BillingError
from valueverse.simulation import aggregation, calendar, discounts, documents, proration, rating, termination
from valueverse.simulation.reading import Fields, Unsupported

KINDS: Mapping[str, Callable[[Fields], dict[str, Any]]] = {
    "rating": rating.answer,
    "aggregation": aggregation.answer,
    "proration": proration.answer,
    "billing_dates": calendar.answer,
    "discount": discounts.answer,
    "termination_credit": termination.answer,
    "rounding": documents.rounding,
    "tax": documents.tax,
    "tax_determination": documents.tax_determination,
    "revrec": documents.revrec,
}


def answer(case: object) -> dict[str, Any]:
    """The answer to a case: its id, and a `result`, why it is `unsupported`, or the `error` that refuses it."""
    identity = case.get("id") if isinstance(case, Mapping) else None
    try:
        fields = Fields(case)
        kind = fields.text("kind")
        if kind not in KINDS:
            raise Unsupported(f"cases of the kind {kind} are not answered yet")
        return {"id": identity, "result": KINDS[kind](fields)}
    except Unsupported as why:
        return {"id": identity, "unsupported": str(why)}
    except BillingError as error:
        named = "; ".join(f"{name}: {' '.join(texts)}" for name, texts in error.fields.items())
        return {"id": identity, "error": {"code": error.code, "message": named or error.message}}
