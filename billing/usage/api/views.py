"""Usage events in: one, or up to a thousand."""

from collections import Counter
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from billing.platform.api.permissions import Needs
from billing.platform.api.problems import FieldError, problem
from billing.platform.api.views import ApiView
from billing.platform.scopes import Scope
from billing.usage import services
from billing.usage.api.parsers import ExactJSONParser
from billing.usage.api.serializers import BatchVerdictOutput, EventBatchInput, EventInput, VerdictOutput
from billing.usage.services import Verdict, VerdictKind

_STATUS = {
    VerdictKind.ACCEPTED: 201,
    VerdictKind.DUPLICATE: 200,
    VerdictKind.CONFLICT: 409,
    VerdictKind.REJECTED: 422,
}


class UsageEvents(ApiView):
    access = {"POST": Needs(Scope.USAGE_WRITE, "usage.add_usageevent", bound_keys=True)}
    parser_classes = [ExactJSONParser]

    @extend_schema(
        operation_id="send_usage_event",
        summary="Send a usage event",
        tags=["usage"],
        request=EventInput,
        responses={201: VerdictOutput, 200: VerdictOutput},
    )
    def post(self, request: Request) -> Response:
        """Accepted (201) means stored. Sent again it is a duplicate (200), even with another `at`: resend freely.

        The same id with other content is refused with 409, an event that cannot be taken with 422.
        """
        event = services.event_from_json(request.data)
        (verdict,) = services.ingest(events=[event], visible_to=self.visible_to)
        status = _STATUS[verdict.kind]
        if verdict.reason is None:
            return Response(_shown(verdict), status=status)
        wrong = [FieldError(verdict.field, verdict.message, verdict.reason.value)]
        path = request.path
        return problem(status, verdict.reason.value, verdict.message, path=path, errors=wrong)


class UsageEventBatch(ApiView):
    access = {"POST": Needs(Scope.USAGE_WRITE, "usage.add_usageevent", bound_keys=True)}
    parser_classes = [ExactJSONParser]

    @extend_schema(
        operation_id="send_usage_events",
        summary="Send usage events",
        tags=["usage"],
        request=EventBatchInput,
        responses={200: BatchVerdictOutput},
    )
    def post(self, request: Request) -> Response:
        """Up to 1,000 events with a verdict for each. Good events are kept whatever is wrong with others."""
        verdicts = services.ingest(
            events=[services.event_from_json(value) for value in _events_of(request.data)],
            visible_to=self.visible_to,
        )
        counts = Counter(verdict.kind for verdict in verdicts)
        return Response(
            {
                "counts": {kind.value: counts[kind] for kind in VerdictKind},
                "verdicts": [_shown(verdict) for verdict in verdicts],
            }
        )


def _events_of(body: Any) -> list[Any]:
    """The list in the body of a batch. Raises ParseError, BatchTooLarge."""
    if not isinstance(body, dict) or body.keys() != {"events"} or not isinstance(body["events"], list):
        raise ParseError('The body of a batch is {"events": [...]} and nothing else.')
    if len(body["events"]) > services.BATCH_MAX:
        raise services.BatchTooLarge(
            f"A batch has at most {services.BATCH_MAX} events; this one has {len(body['events'])}.",
            field="events",
            limit=services.BATCH_MAX,
        )
    return body["events"]


def _shown(verdict: Verdict) -> dict[str, str | None]:
    shown: dict[str, str | None] = {"id": _echo(verdict.id), "verdict": verdict.kind.value}
    if verdict.reason is not None:
        shown |= {"reason": verdict.reason.value, "message": verdict.message}
        if verdict.field:
            shown["field"] = verdict.field
    return shown


def _echo(event_id: str | None) -> str | None:
    """The id as sent, so that the sender finds it; what JSON cannot carry is replaced, what is endless cut."""
    return None if event_id is None else event_id[:200].encode(errors="replace").decode()
