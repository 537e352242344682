"""Approval policies in the back office: above which amount an action waits for somebody else."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse

from billing.activity.selectors import activity_of
from billing.approvals import services
from billing.approvals.admin import ApprovalPolicyAdmin
from billing.approvals.models import ApprovalAction, ApprovalPolicy, ApprovalRequest
from billing.core.errors import BillingError
from billing.core.lifecycles import ApprovalStatus
from billing.core.money import format_major, parse_major
from billing.platform import display
from billing.platform.actors import Actor
from billing.platform.clock import now
from valueverse.backoffice.invoice_verbs import MoneyField
from valueverse.backoffice.making import Creation
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.verbs import Data, Outcome, Verb

BEFORE = "Requests that wait already still wait; what was decided stays."


class PolicyForm(forms.Form):
    action = forms.ChoiceField(choices=ApprovalAction.choices)
    currency = forms.CharField(max_length=3, help_text="ISO code, like EUR; one policy for each.")
    limit = forms.CharField(max_length=30, help_text="Amounts above it wait. 0 lets everything wait.")

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cleaned_data
        if "limit" in found and "currency" in found:
            try:
                found["limit_minor"] = parse_major(
                    found["limit"].replace(",", ""), found["currency"], "limit"
                )
            except BillingError as error:
                name = "currency" if "currency" in error.fields else "limit"
                self.add_error(
                    name, f"'{found[name]}' is not right: write the amount like 1234.56, in its currency."
                )
            else:
                if found["limit_minor"] < 0:
                    self.add_error("limit", "A limit is not negative.")
        return found


class NewPolicy(Creation):
    """A limit for an action in a currency."""

    def __init__(self) -> None:
        super().__init__(
            "new",
            "New approval policy",
            "approvals.change_approvalpolicy",
            f"A policy that is there for the action and currency gets this limit. {BEFORE}",
            PolicyForm,
            model=ApprovalPolicy,
        )

    def button(self, row: Any, data: Data) -> str:
        return "Set limit"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.set_approval_policy(
            action=data["action"],
            currency=data["currency"],
            limit_minor=data["limit_minor"],
            actor=actor,
            at=at,
        )
        return Outcome(
            f"{made}: above {display.amount(made.limit_minor, made.currency)} somebody else approves.", made
        )


class LimitForm(forms.Form):
    def __init__(self, data: Any = None, *, policy: ApprovalPolicy) -> None:
        super().__init__(data)
        self.fields["limit"] = MoneyField(
            currency=policy.currency,
            label=f"Limit in {policy.currency}",
            initial=format_major(policy.limit_minor, policy.currency),
            help_text="Amounts above it wait for somebody else. 0 lets everything wait.",
        )


class PolicyVerb(Verb):
    """What verbs on a policy share."""

    def at(self, row: Any) -> datetime:
        return now()

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.limit_minor,)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        waiting = ApprovalRequest.objects.filter(
            status=ApprovalStatus.REQUESTED, action=row.action, currency=row.currency
        )
        return [
            ("Action", row.get_action_display()),
            ("Limit now", display.amount(row.limit_minor, row.currency)),
            ("Requests waiting", f"{waiting.count():,}"),
        ]


class EditLimit(PolicyVerb):
    """Another limit."""

    def __init__(self) -> None:
        super().__init__("edit", "Edit limit", "approvals.change_approvalpolicy", BEFORE, rehearses=False)

    def form(self, row: Any, data: Any = None) -> forms.Form:
        return LimitForm(data, policy=row)

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.set_approval_policy(
            action=row.action, currency=row.currency, limit_minor=data["limit"], actor=actor, at=at
        )
        return Outcome(
            f"{made}: above {display.amount(made.limit_minor, made.currency)} somebody else approves.", made
        )


class RemovePolicy(PolicyVerb):
    """Approved at once."""

    def __init__(self) -> None:
        super().__init__(
            "remove",
            "Remove policy",
            "approvals.change_approvalpolicy",
            f"Without a policy the action is approved at once, whatever the amount. {BEFORE}",
        )

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        services.remove_approval_policy(policy=row, actor=actor, at=at)
        return Outcome(
            f"{row} is approved at once from now on.",
            None,
            reverse("admin:approvals_approvalpolicy_changelist"),
        )


@admin.register(ApprovalPolicy)
class PolicyPage(ObjectPage, ApprovalPolicyAdmin):
    """A limit and what it holds up."""

    page_template = "backoffice/policy.html"
    create = NewPolicy()
    verbs = (EditLimit(), RemovePolicy())

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return {
            "title": str(row),
            "facts": EditLimit().facts(row),
            "activity": list(activity_of(object_id=row.public_id)[:20]),
        }
