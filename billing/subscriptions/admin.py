"""Back office pages of this app: to be read."""

from django.contrib import admin

from billing.platform.admin import ReadOnlyAdmin, ReadOnlyInline
from billing.subscriptions.models import BilledPeriod, Subscription, SubscriptionItem


class SubscriptionItemInline(ReadOnlyInline):
    model = SubscriptionItem


@admin.register(Subscription)
class SubscriptionAdmin(ReadOnlyAdmin):
    list_display = [
        "public_id",
        "customer",
        "plan_version",
        "status",
        "started_at",
        "next_billing_at",
        "cancel_at",
    ]
    list_filter = ["status"]
    list_select_related = ["customer", "plan_version__plan"]
    search_fields = ["public_id", "external_id", "customer__name"]
    inlines = [SubscriptionItemInline]


@admin.register(BilledPeriod)
class BilledPeriodAdmin(ReadOnlyAdmin):
    list_display = ["item", "reason", "start_at", "end_at", "received_until", "invoice_id", "released_at"]
    list_select_related = ["item__price"]
    search_fields = ["invoice_id", "line_id"]
