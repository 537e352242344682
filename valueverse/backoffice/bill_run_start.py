"""Starting a bill run: what would be billed, shown before anything is written."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from billing.core.errors import BillingError
from billing.invoices import services
from billing.invoices.models import BillRun, BillRunCustomer, BillRunCustomerStatus
from billing.invoices.selectors import next_due
from billing.platform import display
from billing.platform.actors import Actor
from billing.platform.admin import staff_actor
from billing.platform.clock import now
from billing.platform.locks import RunInProgress, run_lock, waiting_lock
from customers.models import Customer
from valueverse.backoffice.verbs import Data, VerbPage

PREVIEW_ROWS = 50


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
    """What a run would bill: the largest customers, how many invoices, totals per currency, who is left out."""

    rows: list[BillRunCustomer]
    count: int
    totals: list[tuple[str, int]]
    failed: list[BillRunCustomer]
    held: int


def look_ahead(as_of: datetime, customer: Customer | None, actor: Actor) -> Preview:
    """Draft all of it and roll it back. Raises BillingError, RunInProgress."""
    with run_lock(services.BILLING_LOCK), transaction.atomic():
        run = services.start_bill_run(
            as_of=as_of, customer=customer, needs_review=True, may_look_ahead=True, actor=actor, at=now()
        )
        run = services.perform_bill_run(run=run, actor=actor, at=now())
        totals = services.run_totals(run=run)
        rows = run.customers.select_related("customer")
        drafted = rows.filter(status=BillRunCustomerStatus.DRAFTED).order_by("-total_minor", "pk")
        failed = rows.filter(status=BillRunCustomerStatus.PARKED).order_by("pk")
        preview = Preview(
            list(drafted[:PREVIEW_ROWS]),
            totals.invoices,
            sorted(totals.totals_minor.items()),
            list(failed[:PREVIEW_ROWS]),
            totals.customers.get(BillRunCustomerStatus.HELD, 0),
        )
        transaction.set_rollback(True)
    return preview


def last_run() -> str:
    """The newest run: a page that was opened before it started is old."""
    return str(BillRun.objects.order_by("-pk").values_list("public_id", flat=True).first() or "none")


def start_page(site: Any, request: HttpRequest) -> HttpResponse:
    """GET asks; step=look shows what would be billed, writing nothing; step=act starts the run."""
    if not request.user.has_perm("invoices.start_bill_run"):
        raise PermissionDenied
    form = StartForm(request.POST or None, initial={"as_of": f"{now():%Y-%m-%d %H:%M}"})
    preview: Preview | None = None
    if request.method == "POST" and form.is_valid():
        chosen, actor = form.cleaned_data, staff_actor(request)
        try:
            if request.POST.get("step") == "act":
                return _start(request, chosen, actor)
            preview = look_ahead(chosen["as_of"], chosen["customer"], actor)
        except (BillingError, RunInProgress) as error:
            VerbPage.refuse(form, error)
    context = {
        **site.each_context(request),
        "title": "Start bill run",
        "form": form,
        "preview": preview,
        "is_future": bool(preview and form.cleaned_data["as_of"] > now()),
        "next_due": next_due(after=form.cleaned_data["as_of"]) if preview and not preview.count else None,
        "seen": last_run(),
        "is_fullwidth": "1",
    }
    status = 400 if form.is_bound and form.errors else 200
    return TemplateResponse(request, "backoffice/bill_run_start.html", context, status=status)


def _start(request: HttpRequest, chosen: Data, actor: Actor) -> HttpResponse:
    with waiting_lock("backoffice start bill run"):
        if request.POST.get("seen") != last_run():
            messages.warning(request, "Nothing was done: a run was started since you opened the page.")
            return HttpResponseRedirect(reverse("admin:invoices_billrun_changelist"))
        run = services.start_bill_run(
            as_of=chosen["as_of"], customer=chosen["customer"], needs_review=True, actor=actor, at=now()
        )
    messages.success(request, "Started. Drafts are made in the background; you may leave this page.")
    return HttpResponseRedirect(display.page_of(run))
