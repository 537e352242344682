"""API keys in the back office: made, shown once, revoked."""

from datetime import UTC, datetime, time
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from billing.activity.selectors import activity_of
from billing.platform import display
from billing.platform.actors import Actor
from billing.platform.clock import now
from billing.platform.scopes import Scope
from customers import services
from customers.admin import ApiKeyAdmin
from customers.models import ApiKey
from valueverse.backoffice.customer_verbs import CustomerReference
from valueverse.backoffice.making import Creation
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.verbs import Data, Outcome, Verb


class KeyForm(forms.Form):
    name = forms.CharField(max_length=120, help_text="What uses this key, for example 'metering gateway'.")
    scopes = forms.MultipleChoiceField(
        choices=[(scope.value, scope.value) for scope in Scope],
        widget=forms.CheckboxSelectMultiple,
        label="May do",
        help_text="As little as its user needs.",
    )
    customer = CustomerReference(
        required=False, label="Only this customer", help_text="Id, external id or exact name; empty for all."
    )
    expires_on = forms.DateField(
        required=False,
        label="Last day",
        input_formats=["%Y-%m-%d"],
        help_text="UTC; empty for a key that works until it is revoked.",
    )

    def place(self, name: str) -> str:
        """The field that services know as `expires_at`."""
        return {"expires_at": "expires_on"}.get(name, name)


class NewKey(Creation):
    """A secret that lets a program in."""

    def __init__(self) -> None:
        super().__init__(
            "new",
            "New API key",
            "customers.add_apikey",
            "The secret is shown once, on the next page. A key that is lost is revoked and replaced.",
            KeyForm,
            model=ApiKey,
        )

    def button(self, row: Any, data: Data) -> str:
        return "Create API key"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        given = dict(data)
        last_on = given.pop("expires_on")
        expires_at = datetime.combine(last_on, time.max, UTC) if last_on else None
        made = services.create_api_key(**given, expires_at=expires_at, actor=actor, at=at)
        return Outcome(f"API key {made.key.name}", made.key, secret=made.secret)


class Revoke(Verb):
    """It lets nobody in any more."""

    def __init__(self) -> None:
        super().__init__(
            "revoke",
            "Revoke",
            "customers.change_apikey",
            "At once and for good. Programs that use it are refused.",
        )

    def at(self, row: Any) -> datetime:
        return now()

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.revoked_at,)

    def is_offered(self, row: Any) -> bool:
        return row.revoked_at is None

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [
            ("Begins with", row.prefix),
            ("May do", ", ".join(row.scopes)),
            ("Last used (UTC)", display.instant(row.last_used_at)),
        ]

    def button(self, row: Any, data: Data) -> str:
        return f"Revoke {row.name}"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.revoke_api_key(key_id=row.public_id, actor=actor, at=at)
        return Outcome(f"{made.name} is revoked.", made)


@admin.register(ApiKey)
class ApiKeyPage(ObjectPage, ApiKeyAdmin):
    """A key; its secret is stored nowhere."""

    page_template = "backoffice/api_key.html"
    create = NewKey()
    verbs = (Revoke(),)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("customer")

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        is_over = row.expires_at is not None and row.expires_at <= now()
        return {
            "title": row.name,
            "state": "revoked" if row.revoked_at else "expired" if is_over else "active",
            "scopes": ", ".join(row.scopes),
            "activity": list(activity_of(object_id=row.public_id)[:20]),
        }
