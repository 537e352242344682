"""The inbox of approvals: what was asked, the object as it stands, yes or no."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from billing.activity.selectors import activity_of
from billing.approvals import services
from billing.approvals.admin import ApprovalRequestAdmin
from billing.approvals.models import ApprovalRequest
from billing.core.lifecycles import ApprovalStatus
from billing.invoices.models import BillRun, Invoice
from billing.platform import display
from billing.platform.actors import Actor
from billing.platform.clock import now
from customers.models import Customer
from payments.models import Payment
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.verbs import Data, NothingToAsk, Outcome, Verb

KINDS: dict[str, Any] = {"invoice": Invoice, "payment": Payment, "customer": Customer, "bill_run": BillRun}


def object_of(approval: ApprovalRequest) -> Any:
    """What the request is about, as it stands now; None if it is gone."""
    model = KINDS.get(approval.object_kind)
    return model.objects.filter(public_id=approval.object_id).first() if model else None


class RejectForm(forms.Form):
    """Why not."""

    reason = forms.CharField(
        max_length=500, widget=forms.Textarea(attrs={"rows": 3}), help_text="Whoever asked reads it."
    )


class Decide(Verb):
    """Yes or no; whoever asked may do neither."""

    def __init__(self, *, approve: bool) -> None:
        self.approve = approve
        super().__init__(
            "approve" if approve else "reject",
            "Approve" if approve else "Reject",
            "approvals.decide_approval",
            "A decision stands. After an approval, whoever asked does it again and it goes through."
            if approve
            else "A decision stands. Whoever asked may ask again.",
            NothingToAsk if approve else RejectForm,
            sample={} if approve else {"reason": "Looked at"},
        )

    def at(self, row: Any) -> datetime:
        return now()

    def subject(self, row: Any) -> str:
        return f"{row.get_action_display()}, {display.amount(row.amount_minor, row.currency)}"

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.status,)

    def is_offered(self, row: Any) -> bool:
        return bool(row.status == ApprovalStatus.REQUESTED)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [
            ("What", row.get_action_display()),
            ("Of", display.link(object_of(row)) if object_of(row) else row.object_id),
            ("Amount", display.amount(row.amount_minor, row.currency)),
            ("Asked by", row.requested_by_label),
            ("Asked (UTC)", display.instant(row.requested_at)),
            ("Reason", row.reason or display.NONE),
        ]

    def button(self, row: Any, data: Data) -> str:
        return f"{self.label} {display.amount(row.amount_minor, row.currency)}"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.decide_approval(
            approval_id=row.public_id,
            approve=self.approve,
            reason=data.get("reason", ""),
            actor=actor,
            at=at,
        )
        return Outcome(
            f"{made.status.capitalize()}: {display.amount(made.amount_minor, made.currency)}.", made
        )


@admin.register(ApprovalRequest)
class ApprovalPage(ObjectPage, ApprovalRequestAdmin):
    """One request."""

    page_template = "backoffice/approval.html"
    verbs = (Decide(approve=True), Decide(approve=False))

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        is_own = row.requested_by_kind == "user" and row.requested_by_id == getattr(
            request.user, "public_id", ""
        )
        return {
            "title": f"Approval: {row.get_action_display()}",
            "object": object_of(row),
            "is_own": is_own,
            "verbs": [] if is_own else self.offered(request, row),
            "activity": list(activity_of(object_id=row.public_id)[:20]),
        }
