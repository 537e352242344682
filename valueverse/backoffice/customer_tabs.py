"""The tabs of a customer's page. Each is read when it is opened, and only by those who may."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db.models import F, Q, QuerySet, Sum
from django.http import HttpRequest

from billing.activity.models import Activity
from billing.core.errors import BillingError
from billing.core.invoice import InvoiceResult
from billing.core.lifecycles import CreditNoteStatus, InvoiceStatus, SubscriptionStatus
from billing.core.money import format_major
from billing.invoices.models import (
    BillRunCustomer,
    BillRunCustomerStatus,
    CreditNote,
    DocumentMail,
    Invoice,
)
from billing.invoices.selectors import preview_invoice
from billing.reports.accounts import (
    KINDS,
    AccountLine,
    account_length,
    account_lines,
    statements,
)
from billing.reports.receivables import LEFT
from billing.reports.recurring import mrr_of_customers, mrr_of_subscriptions
from billing.subscriptions.models import Subscription
from billing.usage.breakdown import Question, usage_by_time
from billing.usage.selectors import receipt_cutoff
from customers.models import Customer
from customers.selectors import now_for
from payments.models import RECEIVED_PAYMENT_STATUSES, Payment, PaymentMail
from valueverse.backoffice.books import require
from valueverse.backoffice.reading import list_address, one_page, page_address
from valueverse.backoffice.usage import metered_items_of
from valueverse.backoffice.usage_forms import day_field

ROWS = 50
UPCOMING_MAX = 5
USAGE_DAYS = 30
STATEMENT_DAYS_MAX = 400

TABS = {
    "overview": ("Overview", ""),
    "subscriptions": ("Subscriptions", "subscriptions.view_subscription"),
    "usage": ("Usage", "usage.view_usagerollup"),
    "invoices": ("Invoices", "invoices.view_invoice"),
    "payments": ("Payments", "payments.view_payment"),
    "mail": ("Mail", "invoices.view_documentmail"),
    "activity": ("Activity", ""),
}
KIND_NAMES = {
    "invoice": "Invoice",
    "credit_note": "Credit note",
    "payment": "Payment",
    "allocation": "Allocation",
    "refund": "Refund",
}
PAGES = {
    "invoice": "admin:invoices_invoice_change",
    "credit_note": "admin:invoices_creditnote_change",
    "payment": "admin:payments_payment_change",
    "allocation": "admin:payments_payment_change",
    "refund": "admin:payments_payment_change",
}
ACCOUNT_PERMISSIONS = ("invoices.view_invoice", "payments.view_payment")


@dataclass(frozen=True, slots=True)
class HeadSum:
    """A figure of the head, in minor units, with the list that adds up to it."""

    title: str
    minor: int
    currency: str
    address: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Upcoming:
    """The next invoice of a subscription as of now, or why it cannot be said."""

    subscription: Subscription
    at: datetime
    result: InvoiceResult | None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class AccountPage:
    """A row of the account with its name and page."""

    line: AccountLine
    kind: str
    page: str


class AccountPaginator(Paginator):  # type: ignore[type-arg]
    """Pages of an account: the database counts and cuts, the balances are those of the whole account."""

    def __init__(self, customer: Customer, kinds: list[str]) -> None:
        self.customer, self.kinds = customer, kinds
        super().__init__([], ROWS)

    @property
    def count(self) -> int:
        return account_length(customer=self.customer, kinds=self.kinds)

    def page(self, number: Any) -> Page[Any]:
        number = self.validate_number(number)
        lines = account_lines(
            customer=self.customer, kinds=self.kinds, limit=ROWS, offset=(number - 1) * ROWS
        )
        rows = [AccountPage(line, KIND_NAMES[line.kind], PAGES[line.kind]) for line in lines]
        return self._get_page(rows, number, self)  # type: ignore[no-any-return, attr-defined]


def require_account(request: HttpRequest) -> None:
    """The account shows documents and money: refused to whoever may not see both."""
    for permission in ACCOUNT_PERMISSIONS:
        require(request, permission)


def chosen_kinds(request: HttpRequest) -> list[str]:
    """The kinds that the address asks for; none that exists means all."""
    return [kind for kind in KINDS if kind in request.GET.getlist("kind")]


def account_csv_rows(customer: Customer, kinds: list[str]) -> Iterator[tuple[str, ...]]:
    """The account as rows for a spreadsheet, newest first."""
    yield ("day", "kind", "document", "beside", "amount", "balance", "currency")
    for line in account_lines(customer=customer, kinds=kinds):
        yield (
            line.on.isoformat(),
            line.kind,
            line.name,
            line.beside,
            format_major(line.amount_minor, line.currency),
            format_major(line.balance_minor, line.currency),
            line.currency,
        )


class StatementForm(forms.Form):
    """Which days, both inclusive."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["from"], self.fields["to"] = day_field("From"), day_field("To")

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("from") and given.get("to"):
            if given["from"] > given["to"]:
                self.add_error("to", "The last day is before the first.")
            elif (given["to"] - given["from"]).days > STATEMENT_DAYS_MAX:
                self.add_error("to", f"At most {STATEMENT_DAYS_MAX} days at once; choose fewer.")
        return given


def statement_content(request: HttpRequest, customer: Customer) -> tuple[dict[str, Any], int]:
    """What the statement's page shows, and its status."""
    at = now_for(customer)
    today = at.astimezone(ZoneInfo(customer.legal_entity.time_zone)).date()
    given = request.GET.copy()
    given.setdefault("to", f"{today:%Y-%m-%d}")
    given.setdefault("from", f"{today - timedelta(days=90):%Y-%m-%d}")
    form = StatementForm(given)
    content: dict[str, Any] = {"title": f"Statement of {customer.name}", "form": form, "at": at}
    if not form.is_valid():
        return content, 400
    first_on, last_on = form.cleaned_data["from"], form.cleaned_data["to"]
    content["statements"] = statements(customer=customer, start_on=first_on, last_on=last_on)
    content |= {"first_on": first_on, "last_on": last_on}
    return content, 200


class CustomerTabs:
    """A customer as one person may see it."""

    def __init__(self, request: HttpRequest, customer: Customer) -> None:
        self.request, self.customer = request, customer
        self.at = now_for(customer)
        self.zone = ZoneInfo(customer.legal_entity.time_zone)
        self.today: date = self.at.astimezone(self.zone).date()

    def may(self, permission: str) -> bool:
        return not permission or self.request.user.has_perm(permission)

    def chosen(self) -> str:
        """The tab of the address; anything else is the first. Refused without the right."""
        tab = self.request.GET.get("tab", "")
        if tab not in TABS:
            return "overview"
        if not self.may(TABS[tab][1]):
            raise PermissionDenied
        return tab

    def offered(self) -> list[tuple[str, str, int | None]]:
        """Every tab this person may open, with how much is in it where that costs little."""
        counts: dict[str, QuerySet[Any]] = {
            "subscriptions": Subscription.objects.filter(customer=self.customer),
            "invoices": self.customer.invoices.all(),
            "payments": self.customer.payments.all(),
        }
        return [
            (slug, title, counts[slug].count() if slug in counts else None)
            for slug, (title, permission) in TABS.items()
            if self.may(permission)
        ]

    def state(self) -> str:
        """Whether anything runs: active, scheduled, or canceled; empty without any subscription."""
        found = set(Subscription.objects.filter(customer=self.customer).values_list("status", flat=True))
        wanted = (SubscriptionStatus.ACTIVE, SubscriptionStatus.SCHEDULED, SubscriptionStatus.CANCELED)
        return next((status.value for status in wanted if status in found), "")

    def parked(self) -> BillRunCustomer | None:
        """The last run that met this customer, if it left it unbilled."""
        last = (
            BillRunCustomer.objects.filter(customer=self.customer)
            .select_related("run")
            .order_by("-run_id")
            .first()
        )
        return last if last and last.status == BillRunCustomerStatus.PARKED else None

    def sums(self) -> list[list[HeadSum]]:
        """Open, overdue, unapplied, credit and MRR, a row per currency."""
        if not all(self.may(permission) for permission in ACCOUNT_PERMISSIONS):
            return []
        pk, customer = self.customer.pk, self.customer
        invoices: dict[str, Any] = {
            row["currency"]: row
            for row in Invoice.objects.filter(customer=customer, status=InvoiceStatus.FINALIZED)
            .order_by()
            .values("currency")
            .annotate(open=Sum(LEFT), overdue=Sum(LEFT, filter=Q(due_on__lt=self.today)))
        }
        unapplied = _by_currency(
            Payment.objects.filter(customer=customer, status__in=RECEIVED_PAYMENT_STATUSES),
            F("amount_minor") - F("allocated_minor") - F("unapplied_refunded_minor"),
        )
        owed = _by_currency(
            CreditNote.objects.filter(customer=customer, status=CreditNoteStatus.FINALIZED),
            F("refund_minor") - F("refunded_minor"),
        )
        mrr = mrr_of_customers([pk])[pk]
        rows = []
        for currency in sorted({*invoices, *unapplied, *owed, *mrr} or {customer.currency}):
            left = {"status__exact": "finalized", "settlement": "open"}
            common = {"customer__id__exact": pk, "currency__exact": currency}
            found = invoices.get(currency, {})
            overdue = int(found.get("overdue") or 0)
            rows.append(
                [
                    HeadSum("Open", int(found.get("open") or 0), currency,
                         list_address("invoices_invoice", **common, **left)),
                    HeadSum("Overdue", overdue, currency,
                         list_address("invoices_invoice", **common, **left, due_on__lt=self.today),
                         "overdue" if overdue else ""),
                    HeadSum("Unapplied", unapplied.get(currency, 0), currency,
                         list_address("payments_payment", **common,
                                      status__in=",".join(RECEIVED_PAYMENT_STATUSES))),
                    HeadSum("Credit", owed.get(currency, 0), currency,
                         list_address("invoices_creditnote", **common, status__exact="finalized")),
                    HeadSum("MRR", mrr.get(currency, 0), currency, "?tab=subscriptions"),
                ]
            )  # fmt: skip
        return rows

    def content(self, tab: str) -> dict[str, Any]:
        """What a tab shows."""
        found: dict[str, Any] = getattr(self, tab)()
        return found

    def overview(self) -> dict[str, Any]:
        may_account = all(self.may(permission) for permission in ACCOUNT_PERMISSIONS)
        kinds = chosen_kinds(self.request)
        account = AccountPaginator(self.customer, kinds) if may_account else None
        return {
            "contacts": list(self.customer.contacts.order_by("pk")[:ROWS]),
            "tax_ids": list(self.customer.tax_ids.all()),
            "vat_checks": list(self.customer.vat_checks.all()[:10]),
            "upcoming": self.upcoming() if self.may("subscriptions.view_subscription") else [],
            "page": account.get_page(self.request.GET.get("p")) if account else None,
            "kinds": [(kind, name, kind in kinds) for kind, name in KIND_NAMES.items()],
            "filter": "&".join(f"kind={kind}" for kind in kinds),
        }

    def upcoming(self) -> list[Upcoming]:
        """The next invoice of each running subscription, by the calculation that will make it."""
        running = (
            Subscription.objects.filter(customer=self.customer, next_billing_at__isnull=False)
            .exclude(status=SubscriptionStatus.CANCELED)
            .select_related("plan_version__plan", "customer", "legal_entity")
            .order_by("next_billing_at", "pk")[:UPCOMING_MAX]
        )
        cutoff = receipt_cutoff(customer=self.customer, at=self.at)
        return [self._upcoming(one, cutoff) for one in running]

    @staticmethod
    def _upcoming(subscription: Subscription, cutoff: datetime) -> Upcoming:
        at = subscription.next_billing_at
        assert at is not None
        try:
            found = preview_invoice(subscription=subscription, billed_at=at, usage_until=cutoff)
        except BillingError as error:
            return Upcoming(subscription, at, None, error.message)
        return Upcoming(subscription, at, found, "" if found else "Nothing will be due.")

    def subscriptions(self) -> dict[str, Any]:
        rows = (
            Subscription.objects.filter(customer=self.customer)
            .select_related("plan_version__plan", "customer")
            .order_by("-pk")
        )
        page = one_page(self.request, rows, ROWS)
        worth = mrr_of_subscriptions([row.pk for row in page.object_list])
        return {
            "page": page,
            "rows": [(row, worth[row.pk]) for row in page.object_list],
            "totals": sorted(mrr_of_customers([self.customer.pk])[self.customer.pk].items()),
        }

    def usage(self) -> dict[str, Any]:
        """The last 30 days of every metered price, and each meter's chart."""
        items = metered_items_of(self.customer)
        first_on = self.local_today() - timedelta(days=USAGE_DAYS - 1)
        zone = ZoneInfo(self.customer.time_zone)
        start_at = datetime.combine(first_on, datetime.min.time(), zone)
        end_at = datetime.combine(self.local_today() + timedelta(days=1), datetime.min.time(), zone)
        meters, seen = [], set()
        for item in items:
            meter = item.price.meter
            if meter is None or meter.pk in seen:
                continue
            seen.add(meter.pk)
            parts = usage_by_time(Question(self.customer, meter, start_at, end_at, zone), unit="day")
            by_day = {part.at.astimezone(zone).date(): part for part in parts if part.at is not None}
            days = [first_on + timedelta(days=number) for number in range(USAGE_DAYS)]
            meters.append(
                {
                    "meter": meter,
                    "quantity": sum(part.quantity for part in parts),
                    "events": sum(part.events for part in parts),
                    "rows": [by_day[day] for day in days if day in by_day],
                    "address": page_address(
                        "usage_explorer",
                        customer=self.customer.public_id,
                        meter=meter.code,
                        **{"from": first_on, "to": days[-1]},
                    ),
                    "chart": {
                        "labels": [f"{day:%m-%d}" for day in days],
                        "series": [{
                            "name": meter.name,
                            "values": [f"{by_day[day].quantity:f}" if day in by_day else "0" for day in days],
                        }],
                    },
                }
            )  # fmt: skip
        return {"meters": meters, "first_on": first_on, "days": USAGE_DAYS}

    def local_today(self) -> date:
        """Today in the zone in which the customer's usage is counted."""
        return self.at.astimezone(ZoneInfo(self.customer.time_zone)).date()

    def invoices(self) -> dict[str, Any]:
        return {"page": one_page(self.request, self.customer.invoices.order_by("-pk"), ROWS)}

    def payments(self) -> dict[str, Any]:
        rows = self.customer.payments.select_related("invoice", "method").order_by("-pk")
        return {"page": one_page(self.request, rows, ROWS)}

    def mail(self) -> dict[str, Any]:
        of_invoices = DocumentMail.objects.filter(invoice__customer=self.customer).values("pk")
        of_notes = DocumentMail.objects.filter(credit_note__customer=self.customer).values("pk")
        mails = DocumentMail.objects.filter(pk__in=of_invoices.union(of_notes))  # "or" would read every mail
        rows = mails.select_related("invoice", "credit_note").order_by("-pk")
        page = one_page(self.request, rows, ROWS)
        about_payments = PaymentMail.objects.filter(payment__customer=self.customer).select_related("payment")
        may = self.request.user.has_perm("payments.view_paymentmail")
        newest = list(about_payments.order_by("-pk")[:ROWS]) if may and page.number == 1 else []
        return {"page": page, "mails": page.object_list, "payment_mails": newest}

    def activity(self) -> dict[str, Any]:
        rows = Activity.objects.filter(customer_id=self.customer.public_id).order_by("-pk")
        page = one_page(self.request, rows, ROWS)
        return {"page": page, "activity": page.object_list}


def _by_currency(rows: QuerySet[Any], expression: Any) -> dict[str, int]:
    sums = rows.order_by().values_list("currency").annotate(total=Sum(expression))
    return {currency: int(total or 0) for currency, total in sums}
