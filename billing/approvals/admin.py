"""Back office pages of this app: to be read."""

from django.contrib import admin

from billing.approvals.models import ApprovalPolicy, ApprovalRequest
from billing.platform.admin import ReadOnlyAdmin


@admin.register(ApprovalRequest)
class ApprovalRequestAdmin(ReadOnlyAdmin):
    list_display = [
        "action",
        "object_id",
        "amount_minor",
        "currency",
        "status",
        "requested_by_label",
        "requested_at",
    ]
    list_filter = ["status", "action"]
    search_fields = ["object_id", "public_id"]


@admin.register(ApprovalPolicy)
class ApprovalPolicyAdmin(ReadOnlyAdmin):
    list_display = ["action", "currency", "limit_minor"]
