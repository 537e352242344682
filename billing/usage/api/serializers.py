"""Usage over the API, as the documentation shows it. Events are read by the service itself, for speed."""

from rest_framework import serializers

from billing.platform.api.fields import InstantField, TextField
from billing.platform.api.serializers import Input, Output, Query
from billing.usage.services import BATCH_MAX, Reason, VerdictKind


class EventInput(Output):
    id = TextField(help_text="Your id of the event, 1 to 128 characters, unique for the customer.")
    customer = TextField(help_text="Id or external id of the customer.")
    type = TextField(help_text="What meters look for, for example llm_request.")
    at = InstantField(help_text="When it happened: up to 35 days before receipt, up to 5 minutes after it.")
    properties = serializers.DictField(
        required=False,
        help_text="Up to 50 plain values (text, number, true, false, null), at most 16 KiB. Numbers stay exact.",
    )


class EventBatchInput(Output):
    events = EventInput(many=True, help_text=f"Up to {BATCH_MAX} events.")


class VerdictOutput(Output):
    id = serializers.CharField(
        allow_null=True, help_text="Id of the event as sent; null if it was not a text."
    )
    verdict = serializers.ChoiceField(
        [kind.value for kind in VerdictKind],
        help_text="accepted: stored. duplicate: was stored already. conflict: another event of this id is stored, and"
        " stays. rejected: not stored.",
    )
    reason = serializers.ChoiceField([reason.value for reason in Reason], required=False)
    message = serializers.CharField(required=False, help_text="One sentence for people.")
    field = serializers.CharField(
        required=False, help_text="What is wrong, for example properties.input_tokens."
    )


class VerdictCounts(Output):
    accepted = serializers.IntegerField()
    duplicate = serializers.IntegerField()
    conflict = serializers.IntegerField()
    rejected = serializers.IntegerField()


class BatchVerdictOutput(Output):
    counts = VerdictCounts()
    verdicts = VerdictOutput(many=True, help_text="One for each event, in the order sent.")


class CorrectionInput(Input):
    """What was wrong, and what is right. kind says which of the other fields it takes."""

    kind = serializers.ChoiceField(
        ["cancel", "amend", "backfill"],
        help_text="cancel: events no longer count. amend: another event in the place of one. backfill: all events of a "
        "type in a time are replaced.",
    )
    customer = TextField(max_length=120, help_text="Id of the customer.")
    reason = TextField(max_length=500, help_text="Why; kept with your name.")
    event_ids = serializers.ListField(
        child=TextField(max_length=128),
        required=False,
        max_length=10_000,
        help_text="cancel: your ids of the events.",
    )
    event_id = TextField(required=False, max_length=128, help_text="amend: your id of the event.")
    properties = serializers.DictField(required=False, help_text="amend: the right properties.")
    at = InstantField(required=False, help_text="amend: the right time; the event's own unless told.")
    type = TextField(required=False, max_length=120, help_text="backfill: the type of the events.")
    start_at = InstantField(required=False, help_text="backfill: the first instant.")
    end_at = InstantField(required=False, help_text="backfill: the first instant after it.")
    events = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        max_length=10_000,
        help_text="backfill: the right events, as they are sent, with ids of their own; may be empty.",
    )


class RevertInput(Input):
    """Taking a correction back."""

    reason = TextField(max_length=500, help_text="Why; kept with your name.")


class CorrectionOutput(Output):
    """A correction of usage: who, when, why, and how many events it changed."""

    id = TextField(source="public_id")
    kind = TextField()
    customer = TextField(source="customer.public_id")
    type = TextField(source="event_type")
    reason = TextField()
    start_at = InstantField()
    end_at = InstantField()
    recorded_at = InstantField(help_text="What is billed from then on knows it.")
    reverts = serializers.CharField(source="reverts.public_id", default=None, allow_null=True)
    made_by = TextField(source="actor_label")
    no_longer_count = serializers.IntegerField(help_text="Events that no longer count.")
    count_again = serializers.IntegerField(help_text="Events that count again.")
    brought_in = serializers.IntegerField(help_text="Events that it brought in.")


class CorrectionQuery(Query):
    customer = TextField(required=False, help_text="Id of a customer.")


class RejectedQuery(Query):
    customer = TextField(required=False, help_text="Id of a customer.")
    status = serializers.ChoiceField(
        ["open", "resolved"], required=False, help_text="open: what nobody has seen to."
    )


class RejectedOutput(Output):
    """An event that was refused, as it was sent. Kept 30 days."""

    id = TextField(source="public_id")
    customer = serializers.CharField(source="customer.public_id", default=None, allow_null=True)
    event_id = TextField()
    type = TextField(source="event_type")
    content = TextField(help_text="The event as JSON.")
    reason = TextField(help_text="Code of the reason, as in the verdict.")
    message = TextField()
    field = TextField()
    times = serializers.IntegerField(help_text="How often it was sent.")
    rejected_at = InstantField()
    resolved_at = InstantField(allow_null=True)
    resolution = TextField(help_text="replayed or dismissed; empty while open.")


class ReplayInput(Input):
    """A refused event once more."""

    event = serializers.DictField(
        required=False, help_text="The repaired event, as it is sent; without it the event as it was."
    )
