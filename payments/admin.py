"""Back office pages of this app: to be read."""

from django.contrib import admin

from billing.platform.admin import ReadOnlyAdmin, ReadOnlyInline
from payments.models import CollectionSchedule, Payment, PaymentAllocation, PaymentMethod, Refund


class PaymentAllocationInline(ReadOnlyInline):
    model = PaymentAllocation


class RefundInline(ReadOnlyInline):
    model = Refund


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin):
    list_display = [
        "public_id",
        "customer",
        "kind",
        "status",
        "amount_minor",
        "currency",
        "invoice",
        "initiated_at",
    ]
    list_filter = ["status", "kind", "gateway"]
    list_select_related = ["customer", "invoice"]
    search_fields = ["public_id", "gateway_ref", "reference", "customer__name", "invoice__number"]
    inlines = [PaymentAllocationInline, RefundInline]


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ReadOnlyAdmin):
    list_display = ["label", "customer", "gateway", "is_default", "created_at", "detached_at"]
    list_select_related = ["customer"]


@admin.register(CollectionSchedule)
class CollectionScheduleAdmin(ReadOnlyAdmin):
    list_display = ["invoice", "attempts", "next_attempt_at", "stopped_reason"]
    list_select_related = ["invoice"]
