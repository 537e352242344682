"""Bill runs as documents: the page of a run, its parts that load alone, and what is done to one customer of it."""

from typing import Any
from urllib.parse import parse_qsl

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html

from billing.activity.selectors import activity_of
from billing.core.errors import BillingError
from billing.core.lifecycles import BillRunStatus
from billing.invoices import services
from billing.invoices.admin import BillRunAdmin
from billing.invoices.models import BillRun, BillRunCustomer, BillRunCustomerStatus
from billing.invoices.selectors import next_due
from billing.invoices.services.run_sending import SendingPlan
from billing.platform import display
from billing.platform.actors import Actor
from billing.platform.admin import staff_actor
from billing.platform.clock import now
from billing.platform.locks import waiting_lock
from customers.selectors import now_for
from valueverse.backoffice.bill_run_review import (
    FLAG_WORDS,
    GONE,
    SHORT_FLAGS,
    ExcludeForm,
    HoldForm,
    Review,
    plan_choices,
    read_pair,
    read_review,
    safe_address,
    tab_counts,
    why_gone,
)
from valueverse.backoffice.bill_run_start import start_page
from valueverse.backoffice.bill_run_verbs import (
    Approve,
    ApproveAsSecond,
    CancelRun,
    FinalizeRun,
    RetryFailed,
    RunVerb,
    SendRun,
    WithdrawApproval,
    counted,
)
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.verbs import VerbPage

UNDER_WAY = (BillRunStatus.GENERATING, BillRunStatus.FINALIZING)

ROW_VERBS: dict[str, tuple[str, type[forms.Form]]] = {
    "look": ("invoices.review_bill_run", forms.Form),
    "unlook": ("invoices.review_bill_run", forms.Form),
    "hold": ("invoices.hold_billing", HoldForm),
    "release": ("invoices.hold_billing", forms.Form),
    "exclude": ("invoices.exclude_from_bill_run", ExcludeForm),
    "include": ("invoices.exclude_from_bill_run", forms.Form),
    "retry": ("invoices.retry_bill_run", forms.Form),
}
"""What may be done to one customer of a run: the permission, and what is asked."""

STAYS = ("unlook", "release", "include", "retry")
"""After these the person wants to see the same customer again, not the next one."""


@admin.register(BillRun)
class BillRunPage(ObjectPage, BillRunAdmin):
    """A run in review, under way or done; and the page that starts one."""

    page_template = "backoffice/bill_run.html"
    change_list_template = "backoffice/bill_run_list.html"
    verbs = (
        Approve(),
        ApproveAsSecond(),
        FinalizeRun(),
        SendRun(),
        RetryFailed(),
        WithdrawApproval(),
        CancelRun(),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("start/", view(self.start_view), name="invoices_billrun_start"),
            path("<int:pk>/progress/", view(self.progress_view), name="invoices_billrun_progress"),
            path("<int:pk>/pair/<int:row_pk>/", view(self.pair_view), name="invoices_billrun_pair"),
            path(
                "<int:pk>/customers/<int:row_pk>/<slug:verb>/",
                view(self.row_view),
                name="invoices_billrun_row",
            ),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("customer", "compared_with")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, {"next_due": next_due(after=now()), **(extra_context or {})})

    def start_view(self, request: HttpRequest) -> HttpResponse:
        return start_page(self.admin_site, request)

    # Parts of the page, loaded alone

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The head of the page with its figures, for whoever is told that something moved."""
        row = self.find(request, pk)
        return TemplateResponse(
            request,
            "backoffice/bill_run/progress.html",
            {"row": row, **self.head(request, row, tab_counts(row))},
        )

    def pair_view(self, request: HttpRequest, pk: int, row_pk: int) -> HttpResponse:
        """One customer of the run, for the right half of the page."""
        run = self.find(request, pk)
        review = read_review(run, {name: str(value) for name, value in request.GET.items()})
        context = self.pair_context(request, review, self.find_row(run, row_pk))
        return TemplateResponse(request, "backoffice/bill_run/pair.html", {"row": run, **context})

    # One customer

    @staticmethod
    def find_row(run: BillRun, row_pk: int) -> BillRunCustomer:
        found = run.customers.select_related("customer__legal_entity", "customer__test_clock", "hold")
        row = found.filter(pk=row_pk).first()
        if row is None:
            raise Http404
        row.run = run
        return row

    def row_view(self, request: HttpRequest, pk: int, row_pk: int, verb: str) -> HttpResponse:
        """Do something to one customer of the run, by POST, and go on to the next."""
        if verb not in ROW_VERBS:
            raise Http404
        permission, form_class = ROW_VERBS[verb]
        if not request.user.has_perm(permission):
            raise PermissionDenied
        run = self.find(request, pk)
        if request.method != "POST":
            return HttpResponseRedirect(f"{display.page_of(run)}?row={row_pk}#pair")
        form = form_class(request.POST)
        here = f"{display.page_of(run)}{safe_address(request.POST.get('here', ''))}"
        then = f"{display.page_of(run)}{safe_address(request.POST.get('then', ''))}"
        with waiting_lock(f"backoffice run customer {row_pk}"):
            row = self.find_row(run, row_pk)
            if request.POST.get("seen") != row_token(row):
                messages.warning(request, self.row_changed(row))
                return HttpResponseRedirect(here)
            if form.is_valid():
                try:
                    text = act_on(verb, row, form.cleaned_data, staff_actor(request))
                except BillingError as error:
                    VerbPage.refuse(form, error)
                else:
                    row.refresh_from_db()
                    messages.success(request, self.done(text, verb, row, request))
                    return HttpResponseRedirect(f"{here if verb in STAYS else then}#pair")
        return self.page(request, run, bound=(verb, row, form), status=400)

    @staticmethod
    def row_changed(row: BillRunCustomer) -> str:
        last = activity_of(object_id=row.run.public_id).filter(customer_id=row.customer.public_id).first()
        by = f" by {last.actor_label} at {last.recorded_at:%H:%M} UTC" if last else ""
        return (
            f"Nothing was done: {row.customer} was changed{by} since you opened the page. It is "
            f"{row.get_status_display().lower()}, {display.amount(row.total_minor, row.currency)}."
        )

    @staticmethod
    def done(text: str, verb: str, row: BillRunCustomer, request: HttpRequest) -> Any:
        """What was done, with the way back where there is one."""
        if verb not in ("hold", "exclude"):
            return text
        address = (
            f"{display.page_of(row.run)}?{'tab=held' if verb == 'hold' else 'tab=excluded'}&row={row.pk}#pair"
        )
        return format_html('{} <a class="fin-link" href="{}">Show and undo</a>', text, address)

    # The page

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.find(request, object_id)
        if request.method != "GET":
            raise PermissionDenied
        return self.page(request, row)

    def page(
        self,
        request: HttpRequest,
        row: BillRun,
        *,
        bound: tuple[str, BillRunCustomer, forms.Form] | None = None,
        status: int = 200,
    ) -> HttpResponse:
        """The whole page; bound: a form of one customer that was refused, with what was typed."""
        given: dict[str, str] = {name: str(value) for name, value in request.GET.items()}
        if bound is not None:
            given = dict(parse_qsl(safe_address(request.POST.get("here", ""))[1:]))
        review = read_review(row, given)
        selected = bound[1] if bound else self.selected(row, review, given)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Bill run as of {row.as_of:%Y-%m-%d}",
            "row": row,
            "is_fullwidth": "1",
            "has_view_permission": True,
            **self.head(request, row, review.counts),
            "review": review,
            "plans": plan_choices(),
            "why_gone": why_gone(review.rows) if review.tab == GONE else {},
            "next_due": next_due(after=row.as_of) if not row.customer_count else None,
            "activity": list(activity_of(object_id=row.public_id)[:20]),
            **self.pair_context(request, review, selected, bound=bound),
        }
        return TemplateResponse(request, self.page_template, context, status=status)

    def selected(self, run: BillRun, review: Review, given: dict[str, str]) -> BillRunCustomer | None:
        wanted = given.get("row", "")
        if review.tab == GONE:
            return None
        if wanted.isdecimal() and len(wanted) < 19:
            return (run.customers.filter(pk=int(wanted)).exists() and self.find_row(run, int(wanted))) or None
        return self.find_row(run, review.rows[0].pk) if review.rows else None

    def pair_context(
        self,
        request: HttpRequest,
        review: Review,
        selected: BillRunCustomer | None,
        *,
        bound: tuple[str, BillRunCustomer, forms.Form] | None = None,
    ) -> dict[str, Any]:
        refused = bound[0] if bound else ""
        form_of = {
            verb: bound[2] if bound and refused == verb else form_class(auto_id=f"{verb}_%s")
            for verb, (_, form_class) in ROW_VERBS.items()
            if verb in ("hold", "exclude")
        }
        return {
            "pair": read_pair(selected) if selected else None,
            "selected_pk": selected.pk if selected else None,
            "forms": form_of,
            "refused": refused,
            "errors": bound[2].non_field_errors() if bound else [],
            "token": row_token(selected) if selected else "",
            "here": review.address(row=selected.pk) if selected else "",
            "then": review.next_of(selected) if selected else "",
            "may": {verb: request.user.has_perm(permission) for verb, (permission, _) in ROW_VERBS.items()},
            "flag_words": FLAG_WORDS,
            "short_flags": SHORT_FLAGS,
            "one_currency": review.currencies[0] if len(review.currencies) == 1 else "",
            "is_mixed": len(review.currencies) > 1,
        }

    def head(self, request: HttpRequest, row: BillRun, counts: dict[str, int]) -> dict[str, Any]:
        """The figures on top, as they were noted with the last change; counts: the customers behind the tabs."""
        totals = services.noted_totals(run=row)
        by_status = {str(status): totals.customers.get(status, 0) for status in BillRunCustomerStatus}
        ended = sum(by_status[status] for status in ("finalized", "parked", "held", "excluded"))
        is_late = row.status in (BillRunStatus.FINALIZING, BillRunStatus.COMPLETED)
        earlier = services.noted_totals(run=row.compared_with) if row.compared_with else None
        plan = services.sending_plan(run=row) if row.status == BillRunStatus.COMPLETED else None
        return {
            "totals": [
                (
                    code,
                    minor,
                    totals.taxes_minor.get(code, 0),
                    earlier.totals_minor.get(code) if earlier else None,
                )
                for code, minor in sorted(totals.totals_minor.items())
            ],
            "invoice_count": totals.invoices,
            "earlier_count": earlier.invoices if earlier else None,
            "counts": by_status,
            "done": ended if is_late else sum(by_status.values()) - by_status["pending"],
            "customer_count": row.customer_count,
            "seen_count": by_status["drafted"] - counts["to_look"],
            "drafted_count": by_status["drafted"],
            "under_way": row.status in UNDER_WAY or bool(row.send_asked_at and not row.send_done_at),
            "plan": plan,
            "requests": services.open_requests(row) if row.status == BillRunStatus.IN_REVIEW else [],
            "run_verbs": [
                (
                    verb.slug,
                    self.entry(verb, row, plan),
                    reverse(f"admin:invoices_billrun_{verb.slug}", args=[row.pk]),
                )
                for verb in self.offered(request, row)
            ],
            "refresh": reverse("admin:invoices_billrun_progress", args=[row.pk]),
        }

    @staticmethod
    def entry(verb: Any, row: BillRun, plan: SendingPlan | None) -> str:
        if plan is not None and isinstance(verb, SendRun):
            return f"Send {counted(plan.invoices)}…"
        return verb.entry(row) if isinstance(verb, RunVerb) else f"{verb.label}…"


def row_token(row: BillRunCustomer) -> str:
    """What the person saw of one customer; looking at it is no change."""
    return f"{row.status}-{row.total_minor}-{row.hold_id or 0}"


def act_on(verb: str, row: BillRunCustomer, data: dict[str, Any], actor: Actor) -> str:
    """Do it, and say what was done. Raises BillingError."""
    names = {"run_id": row.run.public_id, "customer_id": row.customer.public_id}
    match verb:
        case "look":
            services.look_at_draft(**names, actor=actor, at=now())
            return f"Looked at {row.customer}."
        case "unlook":
            services.unlook_at_draft(**names, actor=actor, at=now())
            return f"{row.customer} is to be looked at again."
        case "hold":
            at = now_for(row.customer)
            services.place_hold(
                customer=row.customer, reason=data["reason"], until_on=data["until_on"], actor=actor, at=at
            )
            return f"{row.customer} is on hold; its draft stays and is not finalized."
        case "release":
            if row.hold is not None:
                services.release_hold(hold_id=row.hold.public_id, actor=actor, at=now_for(row.customer))
            return f"{row.customer} is released."
        case "exclude":
            services.exclude_customer(**names, reason=data["reason"], actor=actor, at=now())
            return f"{row.customer} is excluded from this run; the next one bills it."
        case "include":
            services.include_customer(**names, actor=actor, at=now())
            return f"{row.customer} is back in this run."
        case _:
            made = services.retry_customer(**names, actor=actor, at=now())
            if made.status == BillRunCustomerStatus.PARKED:
                return f"{row.customer} failed again: {made.error_message}"
            return f"{row.customer} is {made.get_status_display().lower()}."
