"""Back office pages of this app: to be read."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import F
from django.utils.safestring import SafeString

from billing.core.lifecycles import ApprovalStatus
from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin
from billing.platform.lists.filters import CurrencyFilter, amount_range, states


class ApprovalRequestAdmin(ReadOnlyAdmin):
    """The inbox of approvals; its page is in `valueverse.backoffice`."""

    list_display = [
        "requested_at",
        "requested_by_label",
        "action",
        "object_id",
        "amount_figure",
        "reason",
        "status_pill",
        "decided_by_label",
    ]
    exclude = ["amount_minor"]
    readonly_fields = ["amount_figure"]
    empty_state = "Nobody has asked for an approval. Actions above the limit of a policy appear here."
    list_filter = [
        states(ApprovalStatus), "action", CurrencyFilter, amount_range("amount_minor", "Amount", "amount")
    ]  # fmt: skip
    list_amounts: ClassVar = {"amount_figure": F("amount_minor")}
    list_help = "What somebody asked for and somebody else decides."
    search_fields = ["=object_id", "=public_id", "requested_by_label"]
    search_help_text = "Id, or who asked"

    @admin.display(description="Amount", ordering="amount_minor")
    def amount_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.amount_minor, row.currency)

    @admin.display(description="State", ordering="status")
    def status_pill(self, row: Any) -> SafeString:
        return display.pill(row.status)


class ApprovalPolicyAdmin(ReadOnlyAdmin):
    list_display = ["action", "limit_figure"]
    list_amounts: ClassVar = {"limit_figure": None}
    list_help = "Above its limit, an action waits for a second person."
    exclude = ["limit_minor"]
    readonly_fields = ["limit_figure"]
    empty_state = "No policy yet: every action with money is approved at once."

    @admin.display(description="Limit", ordering="limit_minor")
    def limit_figure(self, row: Any) -> SafeString:
        return display.amount_cell(row.limit_minor, row.currency)
