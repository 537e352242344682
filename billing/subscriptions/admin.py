"""Back office lists of this app; a subscription's page and verbs are in `valueverse.backoffice`."""

from typing import Any

from django.contrib import admin
from django.utils.safestring import SafeString

from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin
from billing.subscriptions.models import BilledPeriod


class SubscriptionAdmin(ReadOnlyAdmin):
    list_display = [
        "public_id",
        "customer_link",
        "plan_version",
        "status_pill",
        "started_at",
        "next_billing_at",
        "cancel_at",
    ]
    list_filter = ["status", "plan_version__plan"]
    empty_state = "Nobody has subscribed yet. New subscription starts one."
    list_select_related = ["customer", "plan_version__plan"]
    search_fields = ["public_id", "external_id", "customer__name"]

    @admin.display(description="Customer", ordering="customer__name")
    def customer_link(self, row: Any) -> SafeString:
        return display.link(row.customer)

    @admin.display(description="State", ordering="status")
    def status_pill(self, row: Any) -> SafeString:
        return display.pill(row.status)


@admin.register(BilledPeriod)
class BilledPeriodAdmin(ReadOnlyAdmin):
    list_display = ["item", "reason", "start_at", "end_at", "received_until", "invoice_id", "released_at"]
    list_select_related = ["item__price"]
    search_fields = ["invoice_id", "line_id"]
