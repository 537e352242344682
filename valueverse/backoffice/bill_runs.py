"""Bill runs as documents: look ahead, start, review draft beside the last invoice, approve, cancel, watch."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.db import transaction
from django.db.models import Q, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from billing.activity.selectors import activity_of
from billing.core.errors import BillingError
from billing.core.invoice import Timing
from billing.core.lifecycles import BillRunStatus, InvoiceStatus
from billing.core.postings import Role
from billing.invoices import services
from billing.invoices.admin import BillRunAdmin
from billing.invoices.models import BillRun, BillRunCustomer, BillRunCustomerStatus, Invoice, InvoiceLine
from billing.ledger.selectors import EffectRow
from billing.platform import display
from billing.platform.actors import Actor
from billing.platform.admin import staff_actor
from billing.platform.clock import now
from billing.platform.locks import RunInProgress, run_lock, waiting_lock
from customers.models import Customer
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.verbs import Data, Outcome, Verb, VerbPage

FLAG_PERCENT = 30
"""A draft that differs from the customer's last invoice by more than this is flagged."""

PREVIEW_ROWS = 50
UNDER_WAY = (BillRunStatus.GENERATING, BillRunStatus.APPROVED, BillRunStatus.FINALIZING)


@dataclass(frozen=True, slots=True)
class Compared:
    """An invoice of a run beside the customer's last one, amounts in minor units; flags say why to look."""

    invoice: Invoice
    last: Invoice | None
    change_minor: int | None
    percent: int | None
    flags: list[str]


def compare(invoices: list[Invoice]) -> list[Compared]:
    """Each invoice with the one before it of the same subscription and currency, in a fixed number of queries."""
    subscriptions = {invoice.subscription_id for invoice in invoices if invoice.subscription_id}
    earlier: dict[int | None, Invoice] = {}
    found = (
        Invoice.objects.filter(subscription_id__in=subscriptions, status=InvoiceStatus.FINALIZED)
        .exclude(pk__in=[invoice.pk for invoice in invoices])
        .exclude(credit_notes__is_cancellation=True)
        .order_by("subscription_id", "-pk")
        .distinct("subscription_id")
        .prefetch_related("lines")
    )
    for last in found:
        earlier[last.subscription_id] = last
    return [_compare(invoice, earlier.get(invoice.subscription_id)) for invoice in invoices]


def _compare(invoice: Invoice, last: Invoice | None) -> Compared:
    lines = list(invoice.lines.all())
    flags = []
    if any(line.meter_code for line in lines) and not any(
        line.meter_code and line.quantity for line in lines
    ):
        flags.append("no usage")
    if last is None or last.currency != invoice.currency:
        return Compared(invoice, None, None, None, ["first invoice", *flags])
    change = invoice.total_minor - last.total_minor
    percent = round(change * 100 / last.total_minor) if last.total_minor else None
    if percent is None or abs(change) * 100 > FLAG_PERCENT * last.total_minor:
        flags.append(f"more than {FLAG_PERCENT} % off")
    before = {line.code: line for line in last.lines.all()}
    for line in lines:
        was = before.get(line.code)
        if was and was.working.get("price_version") != line.working.get("price_version"):
            flags.append(f"price of {line.code} changed")
        if was and was.tax_percent != line.tax_percent:
            flags.append("tax changed")
            break
    return Compared(invoice, last, change, percent, flags)


class Approve(Verb):
    """The drafts may be finalized; that begins at once, in the background."""

    def __init__(self) -> None:
        super().__init__(
            "approve",
            "Approve and finalize",
            "invoices.approve_bill_run",
            "Every draft gets its number, is booked and mailed; usage not accrued yet is accrued. Only credit notes "
            "correct finalized invoices.",
            rehearses=False,
        )

    def at(self, row: Any) -> datetime:
        return now()

    def subject(self, row: Any) -> str:
        return f"bill run as of {row.as_of:%Y-%m-%d}"

    def state(self, row: Any) -> tuple[Any, ...]:
        totals = services.run_totals(run=row)
        return (row.status, totals.invoices, tuple(sorted(totals.totals_minor.items())))

    def is_offered(self, row: Any) -> bool:
        return bool(row.status == BillRunStatus.IN_REVIEW)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        totals = services.run_totals(run=row)
        largest = row.invoices.select_related("customer").order_by("-total_minor")[:3]
        return [
            ("Drafts", f"{totals.invoices:,}"),
            *(
                (f"Total {code}", display.amount(minor, code))
                for code, minor in sorted(totals.totals_minor.items())
            ),
            ("Parked, left out", f"{totals.customers.get(BillRunCustomerStatus.PARKED, 0):,}"),
            *(
                (f"Largest: {invoice.customer}", display.amount(invoice.total_minor, invoice.currency))
                for invoice in largest
            ),
        ]

    def expected(self, row: Any, data: Data) -> list[EffectRow]:
        """The entries of the issues, summed; the accruals of usage depend on what was accrued by then."""
        invoices = row.invoices.filter(status=InvoiceStatus.DRAFT).order_by()
        taxed = invoices.values_list("currency").annotate(total=Sum("total_minor"), tax=Sum("tax_minor"))
        lines = InvoiceLine.objects.filter(invoice__in=invoices).order_by()
        served = dict(
            lines.filter(timing=Timing.IN_ARREARS)
            .values_list("invoice__currency")
            .annotate(net=Sum("amount_minor"))
        )
        ahead = dict(
            lines.filter(timing=Timing.IN_ADVANCE)
            .values_list("invoice__currency")
            .annotate(net=Sum("amount_minor"))
        )
        rows = []
        for currency, total, tax in sorted(taxed):
            rows += [
                EffectRow(Role.RECEIVABLE.value, currency, int(total), 0),
                EffectRow(Role.UNBILLED.value, currency, 0, int(served.get(currency) or 0)),
                EffectRow(Role.DEFERRED.value, currency, 0, int(ahead.get(currency) or 0)),
                EffectRow(Role.VAT.value, currency, 0, int(tax)),
            ]
        return [row for row in rows if row.debit_minor or row.credit_minor]

    def button(self, row: Any, data: Data) -> str:
        totals = services.run_totals(run=row)
        sums = ", ".join(display.amount(minor, code) for code, minor in sorted(totals.totals_minor.items()))
        return f"Finalize {totals.invoices:,} invoice{'' if totals.invoices == 1 else 's'}{', ' if sums else ''}{sums}"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.approve_bill_run(run=row, actor=actor, at=at)
        return Outcome("Approved. Finalizing goes on in the background; you may leave this page.", made)


class CancelRun(Approve):
    """The drafts are deleted; what they billed is due again."""

    def __init__(self) -> None:
        super().__init__()
        self.slug, self.label, self.permission = "cancel", "Cancel run", "invoices.cancel_bill_run"
        self.before = "The drafts are deleted and everything is due again; start another run to bill it."

    def is_offered(self, row: Any) -> bool:
        return row.status in (BillRunStatus.IN_REVIEW, BillRunStatus.APPROVED)

    def expected(self, row: Any, data: Data) -> list[EffectRow]:
        return []

    def button(self, row: Any, data: Data) -> str:
        drafts = row.invoices.filter(status=InvoiceStatus.DRAFT).count()
        return f"Cancel and delete {drafts:,} draft{'' if drafts == 1 else 's'}"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.cancel_bill_run(run=row, actor=actor, at=at)
        return Outcome("Canceled. The drafts are deleted and everything is due again.", made)


class StartForm(forms.Form):
    """Up to when, and for whom."""

    as_of = forms.DateTimeField(
        label="Bill what is due by (UTC)",
        help_text="Like 2023-12-01 00:00. Customers on a test clock go by their clock.",
        input_formats=["%Y-%m-%d %H:%M", "%Y-%m-%d"],
    )
    customer = forms.CharField(
        required=False,
        max_length=120,
        label="Only this customer",
        help_text="Id or external id; empty for all.",
    )

    def clean_customer(self) -> Customer | None:
        reference = self.cleaned_data["customer"].strip()
        if not reference:
            return None
        found = Customer.objects.filter(Q(public_id=reference) | Q(external_id=reference)).first()
        if found is None:
            raise forms.ValidationError(f"No customer has the id or external id {reference}.")
        return found


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would bill: the largest invoices, how many in all, totals per currency, and who would be parked."""

    invoices: list[Compared]
    count: int
    totals: list[tuple[str, int]]
    parked: list[BillRunCustomer]


def look_ahead(as_of: datetime, customer: Customer | None, actor: Actor) -> Preview:
    """Draft all of it and roll it back. Raises BillingError, RunInProgress."""
    with run_lock(services.BILLING_LOCK), transaction.atomic():
        run = services.start_bill_run(
            as_of=as_of, customer=customer, needs_review=True, may_look_ahead=True, actor=actor, at=now()
        )
        run = services.perform_bill_run(run=run, actor=actor, at=now())
        totals = services.run_totals(run=run)
        largest = run.invoices.select_related("customer").prefetch_related("lines").order_by("-total_minor")
        preview = Preview(
            compare(list(largest[:PREVIEW_ROWS])),
            totals.invoices,
            sorted(totals.totals_minor.items()),
            _parked(run),
        )
        transaction.set_rollback(True)
    return preview


def _parked(run: BillRun) -> list[BillRunCustomer]:
    parked = run.customers.filter(status=BillRunCustomerStatus.PARKED).select_related("customer")
    return list(parked.order_by("pk")[:PREVIEW_ROWS])


@admin.register(BillRun)
class BillRunPage(ObjectPage, BillRunAdmin):
    """A run in review, under way or done; and the page that starts one."""

    page_template = "backoffice/bill_run.html"
    change_list_template = "backoffice/bill_run_list.html"
    verbs = (Approve(), CancelRun())

    def get_urls(self) -> list[URLPattern]:
        start = self.admin_site.admin_view(self.start_view)
        return [path("start/", start, name="invoices_billrun_start"), *super().get_urls()]

    def start_view(self, request: HttpRequest) -> HttpResponse:
        """GET asks; step=look shows what would be billed, writing nothing; step=act starts the run."""
        if not request.user.has_perm("invoices.start_bill_run"):
            raise PermissionDenied
        form = StartForm(request.POST or None, initial={"as_of": f"{now():%Y-%m-%d %H:%M}"})
        preview: Preview | None = None
        if request.method == "POST" and form.is_valid():
            chosen, actor = form.cleaned_data, staff_actor(request)
            try:
                if request.POST.get("step") == "act":
                    return self._start(request, chosen, actor)
                preview = look_ahead(chosen["as_of"], chosen["customer"], actor)
            except (BillingError, RunInProgress) as error:
                VerbPage.refuse(form, error)
        context = {
            **self.admin_site.each_context(request),
            "title": "Start bill run",
            "form": form,
            "preview": preview,
            "is_future": bool(preview and form.cleaned_data["as_of"] > now()),
            "seen": self._last_run(),
            "is_fullwidth": "1",
        }
        status = 400 if form.is_bound and form.errors else 200
        return TemplateResponse(request, "backoffice/bill_run_start.html", context, status=status)

    def _start(self, request: HttpRequest, chosen: Data, actor: Actor) -> HttpResponse:
        with waiting_lock("backoffice start bill run"):
            if request.POST.get("seen") != self._last_run():
                messages.warning(request, "Nothing was done: a run was started since you opened the page.")
                return HttpResponseRedirect(reverse("admin:invoices_billrun_changelist"))
            run = services.start_bill_run(
                as_of=chosen["as_of"], customer=chosen["customer"], needs_review=True, actor=actor, at=now()
            )
        messages.success(request, "Started. Drafts are made in the background; you may leave this page.")
        return HttpResponseRedirect(display.page_of(run))

    @staticmethod
    def _last_run() -> str:
        return str(BillRun.objects.order_by("-pk").values_list("public_id", flat=True).first() or "none")

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        totals = services.run_totals(run=row)
        found = (
            row.invoices.select_related("customer").prefetch_related("lines").order_by("-total_minor", "pk")
        )
        page: Page[Invoice] = Paginator(found, PREVIEW_ROWS).get_page(request.GET.get("p"))
        counts: dict[str, int] = defaultdict(int, totals.customers)
        done = sum(counts.values()) - counts[BillRunCustomerStatus.PENDING]
        if row.status in (BillRunStatus.APPROVED, BillRunStatus.FINALIZING, BillRunStatus.COMPLETED):
            done = counts[BillRunCustomerStatus.FINALIZED] + counts[BillRunCustomerStatus.PARKED]
        last = BillRun.objects.filter(
            status=BillRunStatus.COMPLETED, pk__lt=row.pk, customer=row.customer
        ).first()
        last_totals = services.run_totals(run=last) if last else None
        return {
            "title": f"Bill run as of {row.as_of:%Y-%m-%d}",
            "totals": sorted(totals.totals_minor.items()),
            "invoice_count": totals.invoices,
            "customer_count": sum(counts.values()),
            "parked_count": counts[BillRunCustomerStatus.PARKED],
            "done": done,
            "under_way": row.status in UNDER_WAY,
            "compared": compare(list(page)),
            "page": page,
            "parked": _parked(row),
            "last": last,
            "last_totals": sorted(last_totals.totals_minor.items()) if last_totals else [],
            "last_count": last_totals.invoices if last_totals else 0,
            "activity": list(activity_of(object_id=row.public_id)[:20]),
        }
