"""The first page: what was billed and collected, what is open, what needs somebody. Every figure opens its list."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.db.models import F, QuerySet, Sum
from django.http import HttpRequest
from django.urls import reverse

from billing.approvals.models import ApprovalRequest
from billing.core.lifecycles import ApprovalStatus, BillRunStatus, InvoiceStatus, MailStatus
from billing.invoices.models import BillRun, BillRunCustomer, BillRunCustomerStatus, DocumentMail, Invoice
from billing.platform import display
from billing.usage.models import UsageEvent
from customers.models import LegalEntity
from customers.selectors import now_for_seller
from payments.models import RECEIVED_PAYMENT_STATUSES, Payment


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure and the list behind it."""

    title: str
    figure: str
    address: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class SellerFigures:
    """The figures of one legal entity, by its own clock."""

    entity: LegalEntity
    as_of: datetime
    tiles: list[Tile]


def _list(name: str, **filters: Any) -> str:
    return f"{reverse(f'admin:{name}_changelist')}?{urlencode(filters)}"


def _sum(rows: QuerySet[Any], expression: Any, currency: str) -> str:
    """Sums per currency; never added across."""
    sums = rows.order_by().values_list("currency").annotate(total=Sum(expression))
    return ", ".join(display.amount(int(minor or 0), code) for code, minor in sorted(sums)) or display.amount(
        0, currency
    )


def seller_figures(entity: LegalEntity, request: HttpRequest) -> SellerFigures:
    """This month's billing and collecting, and what is open, of one legal entity."""
    at = now_for_seller(entity)
    today = at.astimezone(ZoneInfo(entity.time_zone)).date()
    month_on = today.replace(day=1)
    tiles: list[Tile] = []
    if request.user.has_perm("invoices.view_invoice"):
        tiles += _invoice_tiles(entity, month_on, today)
    if request.user.has_perm("payments.view_payment"):
        received = Payment.objects.filter(
            legal_entity=entity,
            status__in=RECEIVED_PAYMENT_STATUSES,
            received_on__gte=month_on,
            received_on__lte=today,
        )
        address = _list(
            "payments_payment",
            legal_entity__id__exact=entity.pk,
            status__in=",".join(RECEIVED_PAYMENT_STATUSES),
            received_on__gte=month_on,
            received_on__lte=today,
        )
        figure = _sum(received, "amount_minor", entity.accounting_currency)
        tiles.insert(1, Tile(f"Collected in {display.month(month_on)}", figure, address))
    return SellerFigures(entity, at, tiles)


def _invoice_tiles(entity: LegalEntity, month_on: date, today: date) -> list[Tile]:
    issued = Invoice.objects.filter(legal_entity=entity, status=InvoiceStatus.FINALIZED)
    left = F("total_minor") - F("allocated_minor") - F("offset_minor") - F("written_off_minor")
    common = {"legal_entity__id__exact": entity.pk, "status__exact": "finalized"}
    currency = entity.accounting_currency
    overdue = issued.filter(due_on__lt=today)
    overdue_figure = _sum(overdue, left, currency)
    is_overdue = overdue.annotate(left=left).filter(left__gt=0).exists()
    return [
        Tile(
            f"Billed in {display.month(month_on)}",
            _sum(issued.filter(issued_on__gte=month_on, issued_on__lte=today), "total_minor", currency),
            _list("invoices_invoice", **common, issued_on__gte=month_on, issued_on__lte=today),
        ),
        Tile("Open", _sum(issued, left, currency), _list("invoices_invoice", **common, settlement="open")),
        Tile(
            "Overdue",
            overdue_figure,
            _list("invoices_invoice", **common, settlement="open", due_on__lt=today),
            "bad" if is_overdue else "",
        ),
    ]


def needs_somebody(request: HttpRequest) -> list[Tile]:
    """What waits for a person; nothing that the person may not see."""
    tiles = []
    may = request.user.has_perm
    if may("approvals.view_approvalrequest"):
        count = ApprovalRequest.objects.filter(status=ApprovalStatus.REQUESTED).count()
        tiles.append(
            _count("Approvals waiting", count, _list("approvals_approvalrequest", status__exact="requested"))
        )
    if may("invoices.view_billrun"):
        runs = BillRun.objects.filter(status=BillRunStatus.IN_REVIEW).count()
        tiles.append(
            _count("Bill runs in review", runs, _list("invoices_billrun", status__exact="in_review"))
        )
        last = BillRun.objects.exclude(status=BillRunStatus.CANCELED).first()
        parked = (
            BillRunCustomer.objects.filter(run=last, status=BillRunCustomerStatus.PARKED).count()
            if last
            else 0
        )
        address = display.page_of(last) if last else _list("invoices_billrun")
        tiles.append(_count("Parked in the last run", parked, address))
    if may("invoices.view_documentmail"):
        failed = DocumentMail.objects.filter(status=MailStatus.FAILED).count()
        tiles.append(_count("Failed mails", failed, _list("invoices_documentmail", status__exact="failed")))
    return tiles


def _count(title: str, count: int, address: str) -> Tile:
    return Tile(title, f"{count:,}", address, "caution" if count else "")


def usage_today(at: datetime) -> Tile:
    """Events received since midnight UTC, by the machine's clock."""
    midnight = datetime.combine(at.date(), time.min, UTC)
    count = UsageEvent.objects.filter(received_at__gte=midnight).count()
    return Tile(
        "Usage events received today",
        f"{count:,}",
        _list("usage_usageevent", received_at__gte=midnight.isoformat()),
    )


def dashboard(request: HttpRequest, at: datetime) -> dict[str, Any]:
    """What the first page shows."""
    sellers = [seller_figures(entity, request) for entity in LegalEntity.objects.order_by("pk")[:5]]
    needs = needs_somebody(request)
    if request.user.has_perm("usage.view_usageevent"):
        needs.append(usage_today(at))
    return {"sellers": [one for one in sellers if one.tiles], "needs": needs, "has_entity": bool(sellers)}
