"""What a month needs before it is closed: each item a figure, whether it is in order, and where to put it right."""

from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db.models import Count, Sum
from django.urls import reverse

from billing.core.lifecycles import InvoiceStatus, PeriodStatus
from billing.core.postings import ROLE_NAMES, Role
from billing.invoices.models import Invoice
from billing.ledger.selectors import last_export_of
from billing.platform import display
from billing.reports.books import ControlRow, control_differences, controls
from billing.revenue.models import RevenueSlice, UsageAccrual
from customers.models import Customer, LegalEntity
from customers.selectors import now_for_seller
from valueverse.backoffice.reading import list_address

DIFFERENCES_MAX = 50


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the checklist. tone: good, caution (look at it), bad (stands in the way), neutral (not yet)."""

    title: str
    figure: str
    tone: str
    word: str
    address: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Checklist:
    """The items, the controls, and why the month cannot be closed now ("" if it can)."""

    items: list[Item]
    controls: list[tuple[str, ControlRow]]
    obstacle: str
    is_over: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """A customer whose ledger and documents disagree, with both figures, and where to look."""

    customer: Customer | None
    booked_minor: int
    expected_minor: int
    difference_minor: int
    address: str


def checklist_of(period: Any) -> Checklist:
    """The checklist of an accounting period as it stands."""
    entity: LegalEntity = period.legal_entity
    today = now_for_seller(entity).astimezone(ZoneInfo(entity.time_zone)).date()
    is_over = today >= period.end_on
    rows = [(ROLE_NAMES[Role(row.role)], row) for row in controls(legal_entity=entity)]
    off = [name for name, row in rows if row.difference_minor]
    if period.status == PeriodStatus.CLOSED:
        obstacle = ""
    elif not is_over:
        obstacle = f"{display.month(period.start_on)} ends on {display.last_day(period.end_on)}; it is {today} there."
    elif off:
        obstacle = f"{len(off)} control{'s' if len(off) > 1 else ''} differ: {', '.join(off)}."
    else:
        obstacle = ""
    return Checklist(
        [_drafts(period), _accrued(period, is_over), _released(period, is_over), _exported(period)],
        rows,
        obstacle,
        is_over,
    )


def _drafts(period: Any) -> Item:
    """Drafts made by the end of the month: what they bill would land in a later one."""
    entity = period.legal_entity
    end_at = datetime.combine(period.end_on, time.min, ZoneInfo(entity.time_zone))
    count = Invoice.objects.filter(
        legal_entity=entity, status=InvoiceStatus.DRAFT, created_at__lt=end_at
    ).count()
    address = list_address(
        "invoices_invoice",
        legal_entity__id__exact=entity.pk,
        status__exact="draft",
        created_at__lt=end_at.astimezone(UTC).isoformat(),
    )
    if not count:
        return Item("Drafts in the month", "0", "good", "None", address)
    note = "Finalize or delete them first if they belong into this month."
    return Item("Drafts in the month", f"{count:,}", "caution", "Look", address, note)


def _accrued(period: Any, is_over: bool) -> Item:
    """Usage of the month that became revenue."""
    entity = period.legal_entity
    found = UsageAccrual.objects.filter(legal_entity=entity, month_on=period.start_on)
    sums = dict(found.order_by().values_list("currency").annotate(total=Sum("amount_minor")))
    figure = _amounts(sums, entity.accounting_currency)
    address = list_address(
        "revenue_usageaccrual", legal_entity__id__exact=entity.pk, month_on__exact=period.start_on
    )
    if period.status == PeriodStatus.CLOSED:
        return Item("Usage accrued", figure, "good", "Done", address)
    if not is_over:
        return Item(
            "Usage accrued", figure, "neutral", "Not yet", address, "Usage is accrued when the month is over."
        )
    note = "Recognize revenue shows what a run would add; closing runs it too."
    return Item("Usage accrued", figure, "info", "So far", address, note)


def _released(period: Any, is_over: bool) -> Item:
    """Fees of the month released from deferred revenue, and those that wait."""
    entity = period.legal_entity
    found = RevenueSlice.objects.filter(
        schedule__legal_entity=entity, month_on=period.start_on, canceled_at=None
    )
    released = found.filter(entry__isnull=False).order_by()
    sums = dict(released.values_list("schedule__currency").annotate(total=Sum("amount_minor")))
    waiting = found.filter(entry=None).aggregate(count=Count("pk"))["count"]
    figure = _amounts(sums, entity.accounting_currency)
    address = (
        f"{reverse('admin:account_statement', args=[Role.SUBSCRIPTION_REVENUE.value])}"
        f"?entity={entity.pk}&start_on={period.start_on}&as_of={display.last_day(period.end_on)}"
    )
    if not waiting:
        return Item("Fees released", figure, "good", "Done", address)
    note = f"{waiting:,} part{'' if waiting == 1 else 's'} of schedules wait."
    if not is_over:
        return Item(
            "Fees released",
            figure,
            "neutral",
            "Not yet",
            address,
            f"{note} They are released when delivered.",
        )
    return Item(
        "Fees released", figure, "caution", "Run", address, f"{note} Recognize revenue releases them."
    )


def _exported(period: Any) -> Item:
    """Whether the journal was taken along, by whom, and whether entries came in since."""
    last = last_export_of(period=period)
    count = period.entries.count()
    if last is None:
        return Item("Journal export", "Not yet", "neutral", "To do", note=f"{count:,} entries so far.")
    exported = int(last.data.get("entries", 0))
    when = f"{last.happened_at:%Y-%m-%d %H:%M} UTC by {last.actor_label}"
    if exported < count:
        note = f"{count - exported:,} more came in since {when}."
        return Item("Journal export", f"{exported:,} of {count:,}", "caution", "Again", note=note)
    return Item("Journal export", f"{exported:,} entries", "good", "Done", note=f"Last {when}.")


def _amounts(sums: dict[str, int], currency: str) -> str:
    return ", ".join(
        display.amount(int(minor), code) for code, minor in sorted(sums.items())
    ) or display.amount(0, currency)


def differences_of(entity: LegalEntity, role: str) -> list[Difference]:
    """The customers that make a control differ, each with its account in the ledger."""
    found = control_differences(legal_entity=entity, role=role, limit=DIFFERENCES_MAX)
    customers = Customer.objects.in_bulk([row.customer_id for row in found if row.customer_id])
    made = []
    for row in found:
        customer = customers.get(row.customer_id) if row.customer_id else None
        made.append(
            Difference(
                customer, row.booked_minor, row.expected_minor, row.difference_minor,
                statement_address(entity, role, customer),
            )
        )  # fmt: skip
    return made


def statement_address(entity: LegalEntity, role: str, customer: Customer | None) -> str:
    """An account's statement from the beginning, of one customer if it is about one."""
    query = {"entity": str(entity.pk), "start_on": "2000-01-01"}
    if customer is not None:
        query["customer"] = customer.public_id
    return f"{reverse('admin:account_statement', args=[role])}?{urlencode(query)}"
