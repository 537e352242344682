"""What a subscription is about to be billed. It lies here, above subscriptions, since it prices as an invoice does."""

from dataclasses import asdict
from typing import Any
from zoneinfo import ZoneInfo

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.core.allowances import allowances_json
from billing.core.errors import BillingError, Kind
from billing.core.invoice import InvoiceResult
from billing.invoices.api.serializers import (
    CurrentUsageOutput,
    LateUsageInput,
    LateUsageOutput,
    UpcomingInvoiceOutput,
)
from billing.invoices.charges import late_usage_waiting
from billing.invoices.current_usage import current_usage
from billing.invoices.selectors import preview_invoice
from billing.platform.api.permissions import Needs
from billing.platform.api.views import ApiView
from billing.platform.lookup import NotFound
from billing.platform.scopes import Scope
from billing.revenue import services as revenue
from billing.subscriptions.api.views import subscription_of
from billing.subscriptions.models import Subscription
from billing.usage.selectors import receipt_cutoff
from customers.selectors import now_for


class OutOfService(BillingError):
    """The subscription has not started yet, or has ended: there is no current period."""

    code = "out_of_service"
    kind = Kind.CONFLICT


class UpcomingInvoice(ApiView):
    access = {"GET": Needs(Scope.INVOICES_READ, "invoices.view_invoice", bound_keys=True)}

    @extend_schema(
        operation_id="preview_invoice",
        summary="Preview the next invoice",
        tags=["subscriptions"],
        responses=UpcomingInvoiceOutput,
    )
    def get(self, request: Request, subscription_id: str) -> Response:
        """As it would be with the usage received so far. Nothing is written; 404 if nothing will be charged."""
        subscription = subscription_of(subscription_id, self.visible_to)
        at = now_for(subscription.customer)
        usage_until = receipt_cutoff(customer=subscription.customer, at=at)
        billed_at = subscription.next_billing_at
        found = billed_at and preview_invoice(
            subscription=subscription, billed_at=billed_at, usage_until=usage_until
        )
        if not found:
            raise NotFound("upcoming_invoice")
        shown = _preview(subscription, found) | {
            "bills_at": billed_at,
            "usage_until": usage_until,
        }
        return self.answer(UpcomingInvoiceOutput, shown)


class LateUsage(ApiView):
    access = {
        "GET": Needs(Scope.USAGE_READ, "usage.view_usageevent", bound_keys=True),
        "POST": Needs(Scope.SUBSCRIPTIONS_WRITE, "revenue.decide_late_usage"),
    }

    @extend_schema(
        operation_id="get_late_usage",
        summary="Late usage that waits for a decision",
        tags=["usage"],
        responses=LateUsageOutput,
    )
    def get(self, request: Request, subscription_id: str) -> Response:
        """Empty for a plan that does not ask."""
        return self._waiting(subscription_of(subscription_id, self.visible_to))

    @extend_schema(
        operation_id="decide_late_usage",
        summary="Bill late usage, or let it go",
        tags=["usage"],
        request=LateUsageInput,
        responses=LateUsageOutput,
    )
    def post(self, request: Request, subscription_id: str) -> Response:
        """Holds for all that was received so far; the next invoice follows it. The answer is what still waits."""
        given = self.read(LateUsageInput)
        subscription = subscription_of(subscription_id, self.visible_to)
        at = now_for(subscription.customer)
        revenue.decide_late_usage(subscription_id=subscription.public_id, **given, actor=self.actor, at=at)
        return self._waiting(subscription)

    def _waiting(self, subscription: Subscription) -> Response:
        cutoff = receipt_cutoff(customer=subscription.customer, at=now_for(subscription.customer))
        rows = [
            {
                "code": entry.charge.code,
                "description": entry.charge.description,
                "quantity": entry.charge.quantity,
                "start_at": entry.charge.period.start,
                "end_at": entry.charge.period.end,
                "amount_minor": amount_minor,
                "currency": subscription.currency,
            }
            for entry, amount_minor in late_usage_waiting(subscription=subscription, cutoff=cutoff)
        ]
        return self.answer(LateUsageOutput, {"waiting": rows})


class CurrentUsageView(ApiView):
    access = {"GET": Needs(Scope.USAGE_READ, "usage.view_usageevent", bound_keys=True)}

    @extend_schema(
        operation_id="get_current_usage",
        summary="Current usage with amount",
        tags=["usage"],
        responses=CurrentUsageOutput,
    )
    def get(self, request: Request, subscription_id: str) -> Response:
        """Quantities of the current service period so far, and what they would cost if it ended now."""
        subscription = subscription_of(subscription_id, self.visible_to)
        found = current_usage(subscription=subscription, at=now_for(subscription.customer))
        if found is None:
            raise OutOfService("The subscription has no current service period.")
        shown = {
            "subscription": subscription.public_id,
            "as_of": found.as_of,
            "period_start_at": found.period.start,
            "period_end_at": found.period.end,
            "currency": found.currency,
            "total_minor": found.total_minor,
            "items": [asdict(item) for item in found.items],
        }
        return self.answer(CurrentUsageOutput, shown)


def _preview(subscription: Subscription, result: InvoiceResult) -> dict[str, Any]:
    """The computed invoice as the serializer reads it."""
    zone = ZoneInfo(subscription.time_zone)
    lines = [
        {
            "code": line.code,
            "description": line.description,
            "kind": line.kind.value,
            "timing": line.timing.value,
            "meter": line.meter_code or "",
            "quantity": line.quantity,
            "unit_code": line.unit_code,
            "unit_amount": line.unit_amount,
            "amount_minor": line.amount_minor,
            "gross_minor": line.gross_minor,
            "allowances": allowances_json(line.allowances),
            "currency": subscription.currency,
            "service_start_on": line.period.start_on(zone),
            "service_last_on": line.period.last_on(zone),
            "working": line.working,
        }
        for line in result.lines
    ]
    taxes = [
        {
            "category": row.category.value,
            "percent": row.percent,
            "exemption_code": result.treatment_of(row).exemption_code or "",
            "base_minor": row.base_minor,
            "tax_minor": row.tax_minor,
            "currency": subscription.currency,
        }
        for row in result.taxes
    ]
    return {
        "subscription": subscription.public_id,
        "currency": subscription.currency,
        "subtotal_minor": result.subtotal_minor,
        "tax_minor": result.tax_minor,
        "total_minor": result.total_minor,
        "lines": lines,
        "taxes": taxes,
    }
