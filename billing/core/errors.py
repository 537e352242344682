"""Typed errors: one base, a stable `code` for programs, a `kind` that each face turns into its own answer.

A face (API, admin, command) looks only at `kind`, `code`, `message` and `fields`; it never parses text.
Errors of the apps are declared beside the service that raises them; the ones of the core are here.
"""

from collections.abc import Callable
from enum import StrEnum


class Kind(StrEnum):
    """What sort of refusal it is. A face maps it once: HTTP status, exit code, form error."""

    INVALID = "invalid"
    CONFLICT = "conflict"
    NOT_FOUND = "not_found"
    FORBIDDEN = "forbidden"
    UNAVAILABLE = "unavailable"


class BillingError(Exception):
    """A refusal the caller can understand and act on; nothing was changed.

    message: one sentence for people. field: the input that is wrong; fields: several of them with their
    messages.
    details: further plain values for programs, e.g. `limit=1000`.

    >>> error = InvalidInput("must be positive", field="amount", limit=5)
    >>> error.code, error.kind.value, error.fields, error.details
    ('invalid_input', 'invalid', {'amount': ['must be positive']}, {'limit': 5})
    """

    code: str = "billing_error"
    kind: Kind = Kind.INVALID

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        fields: dict[str, list[str]] | None = None,
        **details: str | int,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.fields: dict[str, list[str]] = {name: list(texts) for name, texts in (fields or {}).items()}
        if field is not None:
            self.fields.setdefault(field, []).append(message)
        self.details: dict[str, str | int] = details

    def rename_fields(self, rename: Callable[[str], str]) -> None:
        """Name the wrong inputs as an outer caller knows them: `code` becomes `prices[0].code`."""
        self.fields = {rename(name): texts for name, texts in self.fields.items()}


class InvalidInput(BillingError):
    """An argument is malformed or outside its range."""

    code = "invalid_input"


class InvalidMoney(BillingError):
    """Not an amount of money: unknown currency, surplus decimals, not a number, too large."""

    code = "invalid_money"


class InvalidQuantity(BillingError):
    """Not a quantity: not a plain decimal, too many digits, negative where that is refused."""

    code = "invalid_quantity"


class InvalidPeriod(BillingError):
    """Not a period: naive instants, end not after start, a part outside its whole."""

    code = "invalid_period"


class InvalidPrice(BillingError):
    """A price definition that cannot be rated; `fields` names the place, e.g. `tiers[1].up_to`.

    It is told what goes on from the field's name, and its message is the whole sentence:

    >>> error = InvalidPrice("is missing", field="tiers[1].up_to")
    >>> error.message, error.fields
    ('tiers[1].up_to is missing.', {'tiers[1].up_to': ['is missing']})
    """

    code = "invalid_price"

    def __init__(self, says: str, *, field: str) -> None:
        super().__init__(f"{field} {says}.", fields={field: [says]})

    def rename_fields(self, rename: Callable[[str], str]) -> None:
        super().rename_fields(rename)
        self.message = " ".join(f"{name} {says}." for name, texts in self.fields.items() for says in texts)
        self.args = (self.message,)


class InvalidTransition(BillingError):
    """The object is not in a state from which this move is allowed."""

    code = "invalid_transition"
    kind = Kind.CONFLICT


class TaxUndetermined(BillingError):
    """The facts at hand do not decide the tax; `fields` names what is missing."""

    code = "tax_undetermined"
    kind = Kind.CONFLICT


class Unbalanced(BillingError):
    """The postings of an entry do not sum to zero, or there are too few of them."""

    code = "unbalanced"
    kind = Kind.CONFLICT


def require_invariant(holds: bool, message: str) -> None:
    """Stop with AssertionError if the code broke its own promise: a defect, never the caller's fault.

    A function and not an `assert`, which `python -O` would take out of the very places that guard money.
    """
    if not holds:
        raise AssertionError(message)
