"""Correcting usage and looking after refused events, in the back office."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Sum, TextField
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.urls import reverse

from billing.activity.selectors import activity_of
from billing.catalog.models import Meter
from billing.platform.actors import Actor
from billing.platform.clock import now
from billing.usage import services
from billing.usage.admin import RejectedEventAdmin, UsageCorrectionAdmin, UsageEventAdmin
from billing.usage.exact_json import decode
from billing.usage.models import RejectedEvent, UsageAddition, UsageCorrection, UsageEvent
from customers.models import Customer
from valueverse.backoffice.making import Creation
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.usage_events import row_of
from valueverse.backoffice.verbs import Data, Outcome, Verb

ROWS = 100
WHY = "Kept for good, and shown to whoever asks why an invoice changed."


class ReasonForm(forms.Form):
    reason = forms.CharField(max_length=500, help_text=WHY, widget=forms.Textarea(attrs={"rows": 2}))


class CancelForm(forms.Form):
    """Events that should not count."""

    customer = forms.ModelChoiceField(Customer.objects.order_by("name"), empty_label="Choose a customer")
    event_ids = forms.CharField(
        label="Events",
        max_length=200_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="The sender's ids, one a line. The list of usage events shows them.",
    )
    reason = forms.CharField(max_length=500, help_text=WHY)

    def clean_event_ids(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["event_ids"].splitlines() if line.strip()]


class CancelEvents(Creation):
    """Events no longer count."""

    def __init__(self) -> None:
        super().__init__(
            "new",
            "Cancel events",
            "usage.correct_usage",
            "The events stay stored and no longer count. An open period changes at once; a billed one gets a line on "
            "the next invoice. Undone by taking the correction back.",
            CancelForm,
            model=UsageCorrection,
            asks_first=True,
        )

    def button(self, row: Any, data: Data) -> str:
        return f"Cancel {len(data['event_ids'])} events" if "event_ids" in data else self.label

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.cancel_events(
            customer_id=data["customer"].public_id,
            event_ids=data["event_ids"],
            reason=data["reason"],
            actor=actor,
            at=at,
        )
        return Outcome("Canceled. Open periods have changed; billed ones follow with the next invoice.", made)


class RevertCorrection(Verb):
    """A correction is taken back."""

    def __init__(self) -> None:
        super().__init__(
            "revert",
            "Take back",
            "usage.correct_usage",
            "What it brought in no longer counts, what it took away counts again, unless changed since.",
            ReasonForm,
            asks_first=True,
        )

    def at(self, row: Any) -> datetime:
        return now()

    def is_offered(self, row: Any) -> bool:
        return row.kind != "revert" and not UsageCorrection.objects.filter(reverts=row).exists()

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [
            ("Events that would count again", row.signs.filter(sign=-1).count()),
            ("Events that would no longer count", row.additions.count() + row.signs.filter(sign=1).count()),
        ]

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.revert_correction(
            correction_id=row.public_id, reason=data["reason"], actor=actor, at=at
        )
        return Outcome("Taken back.", made)


@admin.register(UsageCorrection)
class UsageCorrectionPage(ObjectPage, UsageCorrectionAdmin):
    """A correction with the events it changed."""

    page_template = "backoffice/usage_correction.html"
    create = CancelEvents()
    verbs = (RevertCorrection(),)

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return {
            "title": str(row),
            "signs": list(row.signs.select_related("event").order_by("pk")[:ROWS]),
            "additions": list(row.additions.select_related("event", "replaces").order_by("pk")[:ROWS]),
            "reverted_by": UsageCorrection.objects.filter(reverts=row).first(),
            "activity": list(activity_of(object_id=row.public_id)[:20]),
        }


def properties_text(event: UsageEvent) -> str:
    """The properties as the database keeps them: numbers with all their digits."""
    found = UsageEvent.objects.filter(pk=event.pk).annotate(as_text=Cast("properties", TextField()))
    return str(found.values_list("as_text", flat=True).get())


def counts(event: UsageEvent) -> bool:
    """Whether the event counts, as corrected so far."""
    return (event.signs.aggregate(net=Sum("sign"))["net"] or 0) >= 0


class AmendForm(forms.Form):
    """The right content of an event."""

    properties = forms.CharField(
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text='JSON: the right properties, like {"input_tokens": 500}.',
    )
    event_at = forms.DateTimeField(
        required=False, label="Used at (UTC)", help_text="Empty keeps the time. Like 2024-01-31 14:00."
    )
    reason = forms.CharField(max_length=500, help_text=WHY)

    def clean_properties(self) -> dict[str, object]:
        try:
            found = decode(self.cleaned_data["properties"].encode())
        except ValueError as error:
            raise forms.ValidationError(
                "This is no JSON: look for a missing quote, comma or brace."
            ) from error
        if not isinstance(found, dict):
            raise forms.ValidationError('Properties are an object, like {"input_tokens": 500}.')
        return found

    def place(self, name: str) -> str:
        """Where the form asks for what the service names."""
        return {"at": "event_at"}.get(name, name.partition(".")[0])


class EventVerb(Verb):
    """What both verbs on an event have in common."""

    def at(self, row: Any) -> datetime:
        return now()

    def state(self, row: Any) -> tuple[Any, ...]:
        return (counts(row),)

    def is_offered(self, row: Any) -> bool:
        return counts(row)

    def back(self, row: Any) -> str:
        return reverse("admin:usage_usageevent_change", args=[row.pk])


class AmendEvent(EventVerb):
    """Another event in the place of one."""

    def __init__(self) -> None:
        super().__init__(
            "amend",
            "Amend",
            "usage.correct_usage",
            "The event stays stored and no longer counts; another one with the right content counts instead. Undone by "
            "taking the correction back.",
            AmendForm,
            asks_first=True,
        )

    def form(self, row: Any, data: Any = None) -> forms.Form:
        return AmendForm(data, initial={"properties": properties_text(row)})

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.amend_event(
            customer_id=row.customer.public_id, event_id=row.event_id, **data, actor=actor, at=at
        )
        return Outcome("Amended. Open periods have changed; billed ones follow with the next invoice.", made)


class CancelEvent(EventVerb):
    """One event no longer counts."""

    def __init__(self) -> None:
        super().__init__(
            "cancel",
            "Cancel",
            "usage.correct_usage",
            "The event stays stored and no longer counts. Undone by taking the correction back.",
            ReasonForm,
            asks_first=True,
        )

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.cancel_events(
            customer_id=row.customer.public_id, event_ids=[row.event_id], **data, actor=actor, at=at
        )
        return Outcome("Canceled. Open periods have changed; billed ones follow with the next invoice.", made)


@admin.register(UsageEvent)
class UsageEventPage(ObjectPage, UsageEventAdmin):
    """An event, which meters read it, and what was corrected about it."""

    page_template = "backoffice/usage_event.html"
    verbs = (AmendEvent(), CancelEvent())

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        text = properties_text(row)
        meters = Meter.objects.filter(event_type=row.event_type).order_by("code")
        addition = UsageAddition.objects.filter(event=row).select_related("correction", "replaces").first()
        return {
            "title": f"Usage event {row.event_id}",
            "text": text,
            "counts": counts(row),
            "readings": [(meter, row_of(as_row(row, text), meter)) for meter in meters[:ROWS]],
            "signs": list(row.signs.select_related("correction").order_by("pk")[:ROWS]),
            "addition": addition,
        }


def as_row(event: UsageEvent, text: str) -> UsageEvent:
    """The event with its properties as text, as the list of events reads them."""
    event.properties_text = text  # type: ignore[attr-defined]
    return event


class RepairForm(forms.Form):
    content = forms.CharField(
        label="The event",
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 8, "spellcheck": "false"}),
        help_text="JSON as it was sent: mend what is wrong. Numbers keep all their digits.",
    )

    def clean_content(self) -> str:
        text: str = self.cleaned_data["content"]
        try:
            decode(text.encode())
        except ValueError as error:
            raise forms.ValidationError(
                "This is no JSON: look for a missing quote, comma or brace."
            ) from error
        return text

    def place(self, name: str) -> str:
        """Whatever is wrong stands in the one field there is."""
        return "content"


class ReplayEvent(Verb):
    """A refused event is taken in after all."""

    def __init__(self) -> None:
        super().__init__(
            "replay",
            "Repair and replay",
            "usage.replay_rejectedevent",
            "The event counts from now on, in the period of its time. Undone by canceling it.",
            RepairForm,
            asks_first=True,
        )

    def form(self, row: Any, data: Any = None) -> forms.Form:
        return RepairForm(data, initial={"content": row.content})

    def at(self, row: Any) -> datetime:
        return now()

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.resolved_at, row.times)

    def is_offered(self, row: Any) -> bool:
        return row.resolved_at is None

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [("Refused because", row.message), ("Where", row.field or "the event as a whole")]

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        repaired = services.event_from_json(decode(data["content"].encode()))
        made = services.replay_rejected(rejected_id=row.public_id, repaired=repaired, actor=actor, at=at)
        return Outcome("Taken in. It counts now.", made)


class DismissEvent(Verb):
    """A refused event is set aside."""

    def __init__(self) -> None:
        super().__init__(
            "dismiss",
            "Set aside",
            "usage.replay_rejectedevent",
            "Nobody has to look at it again. If the same is sent once more, it is open again.",
            ReasonForm,
            asks_first=True,
        )

    def at(self, row: Any) -> datetime:
        return now()

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.resolved_at,)

    def is_offered(self, row: Any) -> bool:
        return row.resolved_at is None

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.dismiss_rejected(rejected_id=row.public_id, reason=data["reason"], actor=actor, at=at)
        return Outcome("Set aside.", made)


@admin.register(RejectedEvent)
class RejectedEventPage(ObjectPage, RejectedEventAdmin):
    """A refused event: what was sent, and what is wrong with it."""

    page_template = "backoffice/rejected_event.html"
    verbs = (ReplayEvent(), DismissEvent())

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return {"title": str(row), "activity": list(activity_of(object_id=row.public_id)[:20])}
