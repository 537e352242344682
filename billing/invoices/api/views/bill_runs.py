"""Bill runs over HTTP: watched, and single customers of them held, excluded and tried again; sent.

They are started, approved and finalized by schedule, command or back office.
"""

from typing import Any

from django.db.models import F, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.core.money import format_major
from billing.invoices import services
from billing.invoices.api.serializers import (
    BillingHoldInput,
    BillingHoldOutput,
    BillingHoldQuery,
    BillRunCustomerOutput,
    BillRunCustomerQuery,
    BillRunDetailOutput,
    BillRunOutput,
    ExcludeInput,
    RetriedOutput,
    SendingOutput,
)
from billing.invoices.models import BillingHold, BillRun, BillRunCustomer
from billing.invoices.services import run_totals
from billing.platform.api.idempotency import idempotent
from billing.platform.api.permissions import Needs
from billing.platform.api.schema import page_of
from billing.platform.api.serializers import Query
from billing.platform.api.views import ApiView, only
from billing.platform.clock import now
from billing.platform.lookup import get_or_not_found
from billing.platform.scopes import Scope
from customers.models import Customer
from customers.selectors import now_for

_READ = Needs(Scope.INVOICES_READ, "invoices.view_billrun")


def _run(run_id: str) -> BillRun:
    return get_or_not_found(BillRun.objects.select_related("customer"), kind="bill_run", public_id=run_id)


def _customers(run: BillRun) -> QuerySet[Any]:
    """A run's customers, paged by the customer's id."""
    return run.customers.select_related("customer", "hold").annotate(public_id=F("customer__public_id"))


class BillRunList(ApiView):
    access = {"GET": _READ}

    @extend_schema(
        operation_id="list_bill_runs",
        summary="List bill runs",
        tags=["invoices"],
        parameters=[Query],
        responses=page_of(BillRunOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        self.query()
        return self.page(BillRun.objects.select_related("customer"), BillRunOutput)


class BillRunDetail(ApiView):
    access = {"GET": _READ}

    @extend_schema(
        operation_id="get_bill_run",
        summary="Get a bill run",
        tags=["invoices"],
        responses=BillRunDetailOutput,
    )
    def get(self, request: Request, bill_run_id: str) -> Response:
        """With its customers by status and the total per currency."""
        run = _run(bill_run_id)
        totals = run_totals(run=run)
        amounts = {currency: format_major(minor, currency) for currency, minor in totals.totals_minor.items()}
        shown = BillRunOutput(run).data
        shown |= {"customers": totals.customers, "invoices": totals.invoices, "totals": amounts}
        return Response(shown)


class BillRunCustomers(ApiView):
    access = {"GET": _READ}

    @extend_schema(
        operation_id="list_bill_run_customers",
        summary="List the customers of a bill run",
        tags=["invoices"],
        parameters=[BillRunCustomerQuery],
        responses=page_of(BillRunCustomerOutput),
    )
    def get(self, request: Request, bill_run_id: str) -> Response:
        """What each was drafted beside its last invoice, who is held, excluded or failed, and why."""
        given = self.query(BillRunCustomerQuery)
        wanted = only(given, status="status", customer="customer__public_id")
        rows = _customers(_run(bill_run_id)).filter(**wanted)
        if "flag" in given:
            rows = rows.filter(flags__contains=[given["flag"]])
        return self.page(rows, BillRunCustomerOutput)


class BillRunCustomerView(ApiView):
    """The base of what is done to one customer of a run."""

    def changed(self, row: BillRunCustomer) -> Response:
        return self.answer(BillRunCustomerOutput, _customers(row.run).get(pk=row.pk))


class ExcludeFromBillRun(BillRunCustomerView):
    access = {"POST": Needs(Scope.INVOICES_WRITE, "invoices.exclude_from_bill_run")}

    @extend_schema(
        operation_id="exclude_from_bill_run",
        summary="Exclude a customer from a bill run",
        tags=["invoices"],
        request=ExcludeInput,
        responses=BillRunCustomerOutput,
    )
    @idempotent()
    def post(self, request: Request, bill_run_id: str, customer_id: str) -> Any:
        """While the run is in review: the drafts are deleted, and the next run bills what they billed."""
        reason = self.read(ExcludeInput)["reason"]
        row = services.exclude_customer(
            run_id=bill_run_id, customer_id=customer_id, reason=reason, actor=self.actor, at=now()
        )
        return self.changed(row)


class IncludeInBillRun(BillRunCustomerView):
    access = {"POST": Needs(Scope.INVOICES_WRITE, "invoices.exclude_from_bill_run")}

    @extend_schema(
        operation_id="include_in_bill_run",
        summary="Take an excluded customer back into a bill run",
        tags=["invoices"],
        request=None,
        responses=BillRunCustomerOutput,
    )
    @idempotent()
    def post(self, request: Request, bill_run_id: str, customer_id: str) -> Any:
        """While the run is in review: it is drafted anew, up to the run's own cut-off."""
        row = services.include_customer(
            run_id=bill_run_id, customer_id=customer_id, actor=self.actor, at=now()
        )
        return self.changed(row)


class RetryBillRunCustomer(BillRunCustomerView):
    access = {"POST": Needs(Scope.INVOICES_WRITE, "invoices.retry_bill_run")}

    @extend_schema(
        operation_id="retry_bill_run_customer",
        summary="Try one failed customer of a bill run again",
        tags=["invoices"],
        request=None,
        responses=BillRunCustomerOutput,
    )
    @idempotent()
    def post(self, request: Request, bill_run_id: str, customer_id: str) -> Any:
        """At once: drafted in a run in review, finalized as approved in a later one. If it fails again, why."""
        row = services.retry_customer(run_id=bill_run_id, customer_id=customer_id, actor=self.actor, at=now())
        return self.changed(row)


class RetryBillRun(ApiView):
    access = {"POST": Needs(Scope.INVOICES_WRITE, "invoices.retry_bill_run")}

    @extend_schema(
        operation_id="retry_bill_run",
        summary="Try all failed customers of a bill run again",
        tags=["invoices"],
        request=None,
        responses={202: RetriedOutput},
    )
    @idempotent()
    def post(self, request: Request, bill_run_id: str) -> Any:
        """In the background; who fails again stays failed with the reason."""
        count = services.retry_failed(run_id=bill_run_id, actor=self.actor, at=now())
        return self.answer(RetriedOutput, {"customers": count}, status=202)


class SendBillRun(ApiView):
    access = {"POST": Needs(Scope.INVOICES_WRITE, "invoices.send_bill_run")}

    @extend_schema(
        operation_id="send_bill_run",
        summary="Send the invoices of a bill run",
        tags=["invoices"],
        request=None,
        responses={202: SendingOutput},
    )
    @idempotent()
    def post(self, request: Request, bill_run_id: str) -> Any:
        """Queues the mails of a completed, reviewed run in the background; each invoice is mailed once."""
        run = _run(bill_run_id)
        plan = services.sending_plan(run=run)
        services.request_sending(run=run, actor=self.actor, at=now())
        shown = {
            "invoices": plan.invoices,
            "totals": {code: format_major(minor, code) for code, minor in plan.totals_minor.items()},
            "sent_before": plan.sent_already,
            "without_contact": plan.without_contact,
            "voided": plan.voided,
        }
        return self.answer(SendingOutput, shown, status=202)


class BillingHoldList(ApiView):
    access = {
        "GET": Needs(Scope.INVOICES_READ, "invoices.view_billinghold"),
        "POST": Needs(Scope.INVOICES_WRITE, "invoices.hold_billing"),
    }

    @extend_schema(
        operation_id="list_billing_holds",
        summary="List billing holds",
        tags=["invoices"],
        parameters=[BillingHoldQuery],
        responses=page_of(BillingHoldOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first, those that have ended among them."""
        wanted = only(self.query(BillingHoldQuery), customer="customer__public_id")
        return self.page(BillingHold.objects.select_related("customer").filter(**wanted), BillingHoldOutput)

    @extend_schema(
        operation_id="create_billing_hold",
        summary="Hold the billing of a customer",
        tags=["invoices"],
        request=BillingHoldInput,
        responses={201: BillingHoldOutput},
    )
    @idempotent()
    def post(self, request: Request) -> Any:
        """Runs skip the customer and its drafts are not finalized until it is released, or its day has come."""
        given = self.read(BillingHoldInput)
        customer = get_or_not_found(
            Customer.objects.select_related("test_clock"),
            kind="customer",
            field="customer",
            public_id=given["customer"],
        )
        hold = services.place_hold(
            customer=customer,
            reason=given["reason"],
            until_on=given.get("until_on"),
            actor=self.actor,
            at=now_for(customer),
        )
        return self.answer(BillingHoldOutput, hold, status=201)


class ReleaseBillingHold(ApiView):
    access = {"POST": Needs(Scope.INVOICES_WRITE, "invoices.hold_billing")}

    @extend_schema(
        operation_id="release_billing_hold",
        summary="Release a billing hold",
        tags=["invoices"],
        request=None,
        responses=BillingHoldOutput,
    )
    @idempotent()
    def post(self, request: Request, hold_id: str) -> Any:
        """Drafts in runs still in review come back in; whatever else is due, the next run bills."""
        hold = get_or_not_found(
            BillingHold.objects.select_related("customer__test_clock"), kind="billing_hold", public_id=hold_id
        )
        services.release_hold(hold_id=hold.public_id, actor=self.actor, at=now_for(hold.customer))
        hold.refresh_from_db()
        return self.answer(BillingHoldOutput, hold)
