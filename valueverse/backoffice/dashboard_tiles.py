"""The figures of the dashboard for one legal entity. Every figure has the address of the list that adds up to it."""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count
from django.urls import reverse

from billing.approvals.models import ApprovalRequest
from billing.core.lifecycles import ApprovalStatus, BillRunStatus, MailStatus, PaymentStatus
from billing.core.money import format_major
from billing.invoices.models import BillRun, BillRunCustomer, BillRunCustomerStatus, DocumentMail
from billing.ledger.selectors import recent_periods
from billing.platform import display
from billing.platform.clock import now
from billing.reports import receivables, recurring
from billing.subscriptions.selectors import due_customers
from billing.usage.breakdown import received_by_hour
from billing.usage.models import UsageEvent
from customers.models import LegalEntity
from customers.selectors import now_for_seller
from payments.models import RECEIVED_PAYMENT_STATUSES, Payment, PaymentMail
from valueverse.backoffice.reading import list_address, page_address

STALLED_AFTER = timedelta(minutes=30)
"""A bill run whose drafting or finalizing takes longer than this has stopped, and wants somebody."""

RECENT = timedelta(days=7)
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a figure as a bar: its share of `whole`, and the list behind it."""

    label: str
    minor: int
    whole: int
    figure: str
    address: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, the list that adds up to it, and what stands beside it."""

    text: str
    address: str
    beside: str = ""
    beside_address: str = ""
    change: str = ""
    bars: tuple[Bar, ...] = ()


@dataclass(slots=True)
class Tile:
    """A titled figure per currency. is_failed: it could not be counted just now."""

    slug: str
    title: str
    permission: str
    figures: list[Figure] = field(default_factory=list)
    tone: str = ""
    is_failed: bool = False


@dataclass(frozen=True, slots=True)
class Seller:
    """A legal entity and its today: by its test clock where it has one."""

    entity: LegalEntity
    at: datetime
    zone: ZoneInfo
    today: date

    @classmethod
    def of(cls, entity: LegalEntity) -> "Seller":
        at, zone = now_for_seller(entity), ZoneInfo(entity.time_zone)
        return cls(entity, at, zone, at.astimezone(zone).date())

    @property
    def month_on(self) -> date:
        return self.today.replace(day=1)

    @property
    def midnight(self) -> datetime:
        return datetime.combine(self.today, time.min, self.zone)

    @property
    def local_at(self) -> datetime:
        return self.at.astimezone(self.zone)


def change(now_minor: int, before_minor: int, currency: str) -> str:
    """How a figure differs from the one before: amount and whole percent; "new" where there was none.

    >>> change(37427, 21681, "EUR"), change(100, 0, "EUR"), change(0, 0, "EUR"), change(50, 100, "EUR")
    ('+157.46 (+73 %)', 'new', 'same', '\u22120.50 (\u221250 %)')
    """
    off = now_minor - before_minor
    if not off:
        return "same"
    if not before_minor:
        return "new"
    sign = "+" if off > 0 else ""
    share = (abs(off) * 200 + abs(before_minor)) // (2 * abs(before_minor))
    return f"{sign}{display.figure(off, currency)} ({'+' if off > 0 else display.MINUS}{share} %)"


def billed_address(seller: Seller, currency: str, first_on: date, last_on: date) -> str:
    """The invoices finalized in some days."""
    return list_address(
        "invoices_invoice",
        legal_entity__id__exact=seller.entity.pk,
        status__exact="finalized",
        currency__exact=currency,
        issued_on__gte=first_on,
        issued_on__lte=last_on,
    )


def collected_address(seller: Seller, currency: str, first_on: date, last_on: date) -> str:
    """The payments received in some days."""
    return list_address(
        "payments_payment",
        legal_entity__id__exact=seller.entity.pk,
        status__in=",".join(RECEIVED_PAYMENT_STATUSES),
        currency__exact=currency,
        received_on__gte=first_on,
        received_on__lte=last_on,
    )


def open_address(seller: Seller, currency: str, **due: Any) -> str:
    """The invoices of which something is open."""
    return list_address(
        "invoices_invoice",
        legal_entity__id__exact=seller.entity.pk,
        status__exact="finalized",
        settlement="open",
        currency__exact=currency,
        **due,
    )


def month_tile(seller: Seller, *, is_billed: bool) -> list[Figure]:
    """Billed or collected this month, beside the month before."""
    months = receivables.by_month(legal_entity=seller.entity, as_of=seller.today, months=2)
    address = billed_address if is_billed else collected_address
    before_on = receivables.month_before(seller.month_on)
    by_currency: dict[str, dict[date, int]] = {}
    for row in months:
        minor = row.billed_minor if is_billed else row.collected_minor
        by_currency.setdefault(row.currency, {})[row.month_on] = minor
    figures = []
    for currency, minors in (by_currency or {seller.entity.accounting_currency: {}}).items():
        this, last = minors.get(seller.month_on, 0), minors.get(before_on, 0)
        figures.append(
            Figure(
                display.amount(this, currency),
                address(seller, currency, seller.month_on, seller.today),
                f"{before_on:%b %Y} {display.figure(last, currency)}",
                address(seller, currency, before_on, seller.month_on - timedelta(days=1)),
                change(this, last, currency),
            )
        )
    return figures


def open_tile(seller: Seller) -> list[Figure]:
    """What is open."""
    found = receivables.open_by_age(legal_entity=seller.entity, as_of=seller.today)
    return [
        Figure(
            display.amount(row.open_minor, row.currency),
            open_address(seller, row.currency),
            f"{row.open_count:,} invoice{'' if row.open_count == 1 else 's'}",
        )
        for row in found
    ] or [nothing(seller, open_address(seller, seller.entity.accounting_currency))]


def overdue_tile(seller: Seller) -> list[Figure]:
    """What is overdue, by age."""
    figures = []
    for row in receivables.open_by_age(legal_entity=seller.entity, as_of=seller.today):
        bars = []
        for age, minor in zip(receivables.AGES, row.by_age, strict=True):
            earliest, latest = age.due(seller.today)
            address = open_address(seller, row.currency, due_on__gte=earliest, due_on__lte=latest)
            bars.append(
                Bar(age.label, minor, row.overdue_minor, display.figure(minor, row.currency), address)
            )
        figures.append(
            Figure(
                display.amount(row.overdue_minor, row.currency),
                open_address(seller, row.currency, due_on__lt=seller.today),
                f"{row.overdue_count:,} invoice{'' if row.overdue_count == 1 else 's'}",
                bars=tuple(bars) if row.overdue_minor else (),
            )
        )
    address = open_address(seller, seller.entity.accounting_currency, due_on__lt=seller.today)
    return figures or [nothing(seller, address)]


def mrr_tile(seller: Seller) -> list[Figure]:
    """Monthly recurring revenue of the running subscriptions."""
    address = page_address("recurring_revenue", entity=seller.entity.pk)
    return [
        Figure(
            display.amount(row.mrr_minor, row.currency),
            f"{address}&currency={row.currency}",
            f"{row.subscriptions:,} active subscription{'' if row.subscriptions == 1 else 's'}",
        )
        for row in recurring.mrr(legal_entity=seller.entity)
    ] or [nothing(seller, address)]


def events_address(seller: Seller, start_at: datetime, end_at: datetime | None = None) -> str:
    """The events of a legal entity's customers received in some time."""
    return page_address(
        "usage_events",
        entity=seller.entity.pk,
        received_from=start_at.isoformat(),
        received_to=end_at.isoformat() if end_at else "",
    )


def usage_tile(seller: Seller) -> list[Figure]:
    """Events received since midnight of the legal entity's time zone."""
    count = UsageEvent.objects.filter(
        received_at__gte=seller.midnight, customer__legal_entity=seller.entity
    ).count()
    return [Figure(f"{count:,} event{'' if count == 1 else 's'}", events_address(seller, seller.midnight))]


def nothing(seller: Seller, address: str) -> Figure:
    return Figure(display.amount(0, seller.entity.accounting_currency), address)


def waiting(seller: Seller) -> list[Tile]:
    """What waits for a person, each with its list. Those at nought are left out by the page."""
    stalled_at = seller.at - STALLED_AFTER
    under_way = (BillRunStatus.GENERATING, BillRunStatus.APPROVED, BillRunStatus.FINALIZING)
    stalled = BillRun.objects.filter(status__in=under_way, created_at__lt=stalled_at).count()
    reviewed = BillRun.objects.filter(status=BillRunStatus.IN_REVIEW).count()
    last = BillRun.objects.exclude(status=BillRunStatus.CANCELED).order_by("-pk").first()
    left_out = dict(
        BillRunCustomer.objects.filter(
            run=last, status__in=(BillRunCustomerStatus.PARKED, BillRunCustomerStatus.HELD)
        )
        .order_by()
        .values_list("status")
        .annotate(count=Count("pk"))
        if last
        else ()
    )
    run_page = display.page_of(last) if last else list_address("invoices_billrun")
    mails = DocumentMail.objects.filter(status=MailStatus.FAILED).count()
    notices = PaymentMail.objects.filter(status=MailStatus.FAILED).count()
    since = seller.at - RECENT
    payments = Payment.objects.filter(
        legal_entity=seller.entity, status=PaymentStatus.FAILED, initiated_at__gte=since
    ).count()
    due = 0
    if seller.entity.reviews_bill_runs:
        due = due_customers(as_of=now()).filter(legal_entity=seller.entity).count()
    asked = ApprovalRequest.objects.filter(status=ApprovalStatus.REQUESTED).count()
    found = [
        ("approvals", "approval", " waiting", asked, "approvals.view_approvalrequest",
         list_address("approvals_approvalrequest", status__exact="requested")),
        ("due", "customer", " to be billed", due, "invoices.start_bill_run", reverse("admin:invoices_billrun_start")),
        ("runs", "bill run", " in review", reviewed, "invoices.view_billrun",
         list_address("invoices_billrun", status__exact="in_review")),
        ("held", "customer", " held in the last run", left_out.get(BillRunCustomerStatus.HELD, 0),
         "invoices.view_billrun", f"{run_page}?tab=held"),
        ("parked", "parked customer", " in the last run", left_out.get(BillRunCustomerStatus.PARKED, 0),
         "invoices.view_billrun", f"{run_page}?tab=failed"),
        ("stalled", "bill run", " stopped half-way", stalled, "invoices.view_billrun",
         list_address("invoices_billrun", status__in=",".join(under_way), created_at__lt=stalled_at.isoformat())),
        ("mails", "failed mail", "", mails, "invoices.view_documentmail",
         list_address("invoices_documentmail", status__exact="failed")),
        ("notices", "failed payment mail", "", notices, "payments.view_paymentmail",
         list_address("payments_paymentmail", status__exact="failed")),
        ("payments", "failed payment", " in 7 days", payments, "payments.view_payment",
         list_address("payments_payment", legal_entity__id__exact=seller.entity.pk, status__exact="failed",
                      initiated_at__gte=since.isoformat())),
    ]  # fmt: skip
    return [
        Tile(
            slug,
            f"{count:,} {one}{'' if count == 1 else 's'}{tail}",
            permission,
            [Figure(str(count), address)],
        )
        for slug, one, tail, count, permission, address in found
        if count
    ]


def months_chart(seller: Seller) -> list[dict[str, Any]]:
    """Billed and collected of the last 12 months, one chart per currency, with its table's rows."""
    charts: dict[str, dict[str, Any]] = {}
    for row in receivables.by_month(legal_entity=seller.entity, as_of=seller.today):
        chart = charts.setdefault(
            row.currency,
            {
                "currency": row.currency,
                "rows": [],
                "data": {"labels": [], "series": [
                    {"name": f"Billed, {row.currency}", "values": []},
                    {"name": f"Collected, {row.currency}", "values": []},
                ]},
            },
        )  # fmt: skip
        last_on = min(receivables.month_before(row.month_on, -1) - timedelta(days=1), seller.today)
        chart["rows"].append(
            {
                "month": display.month(row.month_on),
                "billed": display.figure(row.billed_minor, row.currency),
                "billed_address": billed_address(seller, row.currency, row.month_on, last_on),
                "collected": display.figure(row.collected_minor, row.currency),
                "collected_address": collected_address(seller, row.currency, row.month_on, last_on),
            }
        )
        chart["data"]["labels"].append(f"{row.month_on:%b} {row.month_on:%y}")
        for series, minor in zip(
            chart["data"]["series"], (row.billed_minor, row.collected_minor), strict=True
        ):
            series["values"].append(format_major(minor, row.currency))
    return list(charts.values())


def hours_chart(seller: Seller) -> dict[str, Any]:
    """Events received in each hour of today so far, in the legal entity's time zone."""
    midnight = seller.midnight.astimezone(UTC)
    counts = received_by_hour(legal_entity=seller.entity, start_at=midnight)
    last = max([seller.at.astimezone(UTC), *counts])
    hours = [midnight + timedelta(hours=number) for number in range(int((last - midnight) / HOUR) + 1)]
    rows = [(hour.astimezone(seller.zone), counts.get(hour, 0)) for hour in hours]
    return {
        "rows": [
            {"hour": f"{hour:%H:%M}", "count": count, "address": events_address(seller, hour, hour + HOUR)}
            for hour, count in rows
        ],
        "total": sum(count for _, count in rows),
        "data": {
            "labels": [f"{hour:%H}" for hour, _ in rows],
            "series": [{"name": "Events", "values": [str(count) for _, count in rows]}],
        },
    }  # fmt: skip


def latest_months(seller: Seller) -> list[Any]:
    """The accounting periods up to this month that are not closed, the newest closed one with them; newest first."""
    found = recent_periods(legal_entity=seller.entity, until=seller.today, limit=6)
    shown = [period for period in found if period.status != "closed"][:3]
    closed = [period for period in found if period.status == "closed"][:1]
    return shown + closed


TILES = {
    "billed": ("Billed in {month}", "invoices.view_invoice"),
    "collected": ("Collected in {month}", "payments.view_payment"),
    "open": ("Open", "invoices.view_invoice"),
    "overdue": ("Overdue", "invoices.view_invoice"),
    "mrr": ("MRR", "subscriptions.view_subscription"),
    "usage": ("Usage today", "usage.view_usageevent"),
}


def tile_figures(slug: str, seller: Seller) -> list[Figure]:
    """Count one tile."""
    match slug:
        case "billed":
            return month_tile(seller, is_billed=True)
        case "collected":
            return month_tile(seller, is_billed=False)
        case "open":
            return open_tile(seller)
        case "overdue":
            return overdue_tile(seller)
        case "mrr":
            return mrr_tile(seller)
        case _:
            return usage_tile(seller)
