"""Bill runs over HTTP: to be watched; they are started by schedule, command or back office."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.core.money import format_major
from billing.invoices.api.serializers import BillRunDetailOutput, BillRunOutput
from billing.invoices.models import BillRun
from billing.invoices.services import run_totals
from billing.platform.api.permissions import Needs
from billing.platform.api.schema import page_of
from billing.platform.api.serializers import Query
from billing.platform.api.views import ApiView
from billing.platform.lookup import get_or_not_found
from billing.platform.scopes import Scope


class BillRunList(ApiView):
    access = {"GET": Needs(Scope.INVOICES_READ, "invoices.view_billrun")}

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
    access = {"GET": Needs(Scope.INVOICES_READ, "invoices.view_billrun")}

    @extend_schema(
        operation_id="get_bill_run",
        summary="Get a bill run",
        tags=["invoices"],
        responses=BillRunDetailOutput,
    )
    def get(self, request: Request, bill_run_id: str) -> Response:
        """With its customers by status and the total per currency."""
        run = get_or_not_found(
            BillRun.objects.select_related("customer"), kind="bill_run", public_id=bill_run_id
        )
        totals = run_totals(run=run)
        amounts = {currency: format_major(minor, currency) for currency, minor in totals.totals_minor.items()}
        shown = BillRunOutput(run).data
        shown |= {"customers": totals.customers, "invoices": totals.invoices, "totals": amounts}
        return Response(shown)
