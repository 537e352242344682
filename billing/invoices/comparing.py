"""A draft beside the customer's last invoice: what changed, line by line, and why it deserves a look.

Reads rows that are loaded already; only `last_invoices` asks the database. Amounts in minor units.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.core.invoice import ChargeKind
from billing.core.lifecycles import InvoiceStatus
from billing.core.quantity import format_quantity
from billing.invoices.models import Invoice, InvoiceLine, ReviewFlag
from billing.platform import display

FLAG_PERCENT = 30
"""A customer whose drafts differ from their last invoices by more than this is flagged."""

NOTE_LENGTH_MAX = 300


@dataclass(frozen=True, slots=True)
class LineChange:
    """A line of the draft, the line of the last invoice it answers to, and why the amount is another one.

    line is None for what is gone, last for what is new. what: the change in one word, for the eye.
    """

    line: InvoiceLine | None
    last: InvoiceLine | None
    change_minor: int
    what: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """A draft (or what became of it) beside the last invoice of its subscription; None without one."""

    invoice: Invoice
    last: Invoice | None
    lines: tuple[LineChange, ...]
    change_minor: int | None
    percent: int | None


def last_invoices(invoices: Iterable[Invoice]) -> dict[int, Invoice]:
    """The last invoice before these, by subscription id: issued, not voided, not canceled. Two queries."""
    given = list(invoices)
    subscriptions = {invoice.subscription_id for invoice in given if invoice.subscription_id}
    if not subscriptions:
        return {}
    found = (
        Invoice.objects.filter(
            subscription_id__in=subscriptions,
            status=InvoiceStatus.FINALIZED,
            pk__lt=max(invoice.pk for invoice in given),
        )
        .exclude(pk__in=[invoice.pk for invoice in given])
        .exclude(credit_notes__is_cancellation=True, credit_notes__status="finalized")
        .order_by("subscription_id", "-pk")
        .distinct("subscription_id")
        .prefetch_related("lines")
    )
    return {last.subscription_id: last for last in found if last.subscription_id}


def compare(invoices: Sequence[Invoice]) -> list[Compared]:
    """Each invoice with the one before it of the same subscription, in a fixed number of queries."""
    earlier = last_invoices(invoices)
    return [
        compare_with(invoice, earlier.get(invoice.subscription_id) if invoice.subscription_id else None)
        for invoice in invoices
    ]


def compare_with(invoice: Invoice, last: Invoice | None) -> Compared:
    """An invoice beside another one; one in another currency is no measure."""
    if last is None or last.currency != invoice.currency:
        return Compared(invoice, None, line_changes(invoice, None), None, None)
    change = invoice.total_minor - last.total_minor
    return Compared(invoice, last, line_changes(invoice, last), change, percent_of(change, last.total_minor))


def percent_of(change_minor: int, last_minor: int) -> int | None:
    """A change in whole percent; None where there is no base."""
    return round(change_minor * 100 / last_minor) if last_minor else None


def line_changes(invoice: Invoice, last: Invoice | None) -> tuple[LineChange, ...]:
    """The lines of the draft in their order, then those that the last invoice had and this one has not."""
    before = {_place(line): line for line in last.lines.all()} if last else {}
    changes = []
    for line in invoice.lines.all():
        was = before.pop(_place(line), None)
        changes.append(_changed(line, was, invoice.currency, is_first=last is None))
    for was in before.values():
        if was.amount_minor:
            changes.append(LineChange(None, was, -was.amount_minor, "gone", (_gone(was),)))
    return tuple(changes)


def _place(line: InvoiceLine) -> tuple[object, ...]:
    """What makes a line of one invoice answer to one of another: late usage only to that of the same period."""
    return (line.code, line.kind, line.service_start_at if line.kind == ChargeKind.LATE_USAGE else None)


def _changed(line: InvoiceLine, was: InvoiceLine | None, currency: str, *, is_first: bool) -> LineChange:
    if was is None:
        what, reason = _new(line, is_first=is_first)
        return LineChange(line, None, line.amount_minor, what, (reason,))
    change = line.amount_minor - was.amount_minor
    reasons = [
        text
        for text in (
            price_change(line, was, currency),
            _quantity_change(line, was),
            _share_change(line, was),
            tax_change(line, was),
        )
        if text
    ]
    if not reasons:
        version, earlier = line.working.get("price_version"), was.working.get("price_version")
        same = "same" if version == earlier else f"same price, now {version}"
        return LineChange(line, was, change, "same", (same,))
    return LineChange(line, was, change, "changed", tuple(reasons))


def _new(line: InvoiceLine, *, is_first: bool) -> tuple[str, str]:
    if line.kind == ChargeKind.LATE_USAGE:
        days = display.days(line.service_start_on, line.service_last_on)
        return "late", f"late usage: received after {days} was billed"
    if is_first:
        return "first", "first invoice"
    if line.kind == ChargeKind.USAGE:
        return (
            "new",
            "first usage billed" if line.quantity else "metered since the last invoice, nothing used",
        )
    return "new", "not on the last invoice"


def _gone(was: InvoiceLine) -> str:
    return "no late usage this time" if was.kind == ChargeKind.LATE_USAGE else "was on the last invoice only"


def price_change(line: InvoiceLine, was: InvoiceLine, currency: str) -> str:
    """From which price to which, where the price itself is another one; empty where it is the same."""
    now, then = line.working, was.working
    if (now.get("model"), now.get("definition")) == (then.get("model"), then.get("definition")):
        return ""
    text = f"price {then.get('price_version')} to {now.get('price_version')}"
    if line.unit_amount is not None and was.unit_amount is not None:
        text += f", {display.exact(was.unit_amount, currency)} to {display.exact(line.unit_amount, currency)} each"
    elif now.get("model") != then.get("model"):
        text += f", {then.get('model')} to {now.get('model')}"
    return text


def _quantity_change(line: InvoiceLine, was: InvoiceLine) -> str:
    if line.quantity == was.quantity:
        return ""
    if not was.quantity:
        return "first usage billed"
    if not line.quantity:
        return f"nothing used, {display.quantity(was.quantity)} last time"
    percent = round((line.quantity - was.quantity) * 100 / was.quantity)
    sign = display.MINUS if percent < 0 else "+"
    figures = f"{display.quantity(was.quantity)} to {display.quantity(line.quantity)}"
    return f"quantity {figures} ({sign}{abs(percent)} %)"


def _share_change(line: InvoiceLine, was: InvoiceLine) -> str:
    now, then = line.working.get("fraction"), was.working.get("fraction")
    if now == then:
        return ""
    return f"{_share(then)} to {_share(now)}"


def _share(fraction: dict[str, int] | None) -> str:
    return f"{fraction['days']} of {fraction['of']} days" if fraction else "a whole period"


def tax_change(line: InvoiceLine, was: InvoiceLine) -> str:
    """From which tax to which; empty where it is the same."""
    now, then = (line.tax_category, line.tax_percent), (was.tax_category, was.tax_percent)
    return "" if now == then else f"tax {_tax(*then)} to {_tax(*now)}"


def _tax(category: str, percent: Decimal) -> str:
    return f"{category} {format_quantity(percent)} %"


def flags_of(
    compared: Sequence[Compared], *, total_minor: int, last_minor: int | None, currency: str
) -> dict[str, str]:
    """Why a customer's drafts deserve a look: flag -> what it is about, in words. Sums are of one currency."""
    flags: dict[str, str] = {}
    if any(one.last is None for one in compared):
        flags[ReviewFlag.FIRST_INVOICE] = "No earlier invoice to compare with"
    if last_minor is not None and abs(total_minor - last_minor) * 100 > FLAG_PERCENT * abs(last_minor):
        flags[ReviewFlag.OFF] = (
            f"{display.figure(last_minor, currency)} to {display.amount(total_minor, currency)}"
        )
    unused = _unused_meters(compared)
    if unused:
        flags[ReviewFlag.NO_USAGE] = f"Nothing used of {', '.join(unused)}"
    pairs = [
        (change.line, change.last, one.invoice.currency)
        for one in compared
        for change in one.lines
        if change.line is not None and change.last is not None
    ]
    prices = [f"{line.code}: {text}" for line, was, code in pairs if (text := price_change(line, was, code))]
    if prices:
        flags[ReviewFlag.PRICE_CHANGED] = "; ".join(prices)
    taxes = {text: None for line, was, _ in pairs if (text := tax_change(line, was))}
    if taxes:
        flags[ReviewFlag.TAX_CHANGED] = "; ".join(taxes)
    return {flag: text[:NOTE_LENGTH_MAX] for flag, text in flags.items()}


def _unused_meters(compared: Sequence[Compared]) -> list[str]:
    """Meters without usage this time: those that had some last time, or all of a draft's if it has none at all."""
    found: dict[str, None] = {}
    for one in compared:
        metered = [change for change in one.lines if change.line and change.line.kind == ChargeKind.USAGE]
        unused = [change for change in metered if change.line and not change.line.quantity]
        nothing_at_all = len(unused) == len(metered)
        for change in unused:
            assert change.line is not None
            if nothing_at_all or (change.last is not None and change.last.quantity):
                found[change.line.meter_code] = None
    return list(found)
