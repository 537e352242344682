"""Usage over the API, as the documentation shows it. Events are read by the service itself, for speed."""

from rest_framework import serializers

from billing.platform.api.fields import InstantField, TextField
from billing.platform.api.serializers import Output
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
