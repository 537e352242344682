"""Usage events in: one, or up to a thousand; what was wrong with them, and what was refused."""

from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from billing.core.errors import InvalidInput
from billing.platform.actors import Actor
from billing.platform.api.idempotency import idempotent
from billing.platform.api.permissions import Needs
from billing.platform.api.problems import FieldError, problem
from billing.platform.api.schema import page_of
from billing.platform.api.views import ApiView, only
from billing.platform.clock import now
from billing.platform.lookup import get_or_not_found
from billing.platform.scopes import Scope
from billing.usage import services
from billing.usage.api.parsers import ExactJSONParser
from billing.usage.api.serializers import (
    BatchVerdictOutput,
    CorrectionInput,
    CorrectionOutput,
    CorrectionQuery,
    EventBatchInput,
    EventInput,
    RejectedOutput,
    RejectedQuery,
    ReplayInput,
    RevertInput,
    VerdictOutput,
)
from billing.usage.models import UsageCorrection
from billing.usage.selectors import corrections, rejected_events
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


class CorrectionList(ApiView):
    access = {
        "GET": Needs(Scope.USAGE_READ, "usage.view_usagecorrection", bound_keys=True),
        "POST": Needs(Scope.USAGE_WRITE, "usage.correct_usage"),
    }
    parser_classes = [ExactJSONParser]

    @extend_schema(
        operation_id="list_usage_corrections",
        summary="List corrections of usage",
        tags=["usage"],
        parameters=[CorrectionQuery],
        responses=page_of(CorrectionOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        wanted = only(self.query(CorrectionQuery), customer="customer__public_id")
        return self.page(corrections(visible_to=self.visible_to).filter(**wanted), CorrectionOutput)

    @extend_schema(
        operation_id="correct_usage",
        summary="Correct usage",
        tags=["usage"],
        request=CorrectionInput,
        responses={201: CorrectionOutput},
    )
    @idempotent()
    def post(self, request: Request) -> Any:
        """Events stay as they are; what counts changes from now on. An open period changes at once, a billed one by a
        line on the next invoice.
        """
        made = _corrected(self.read(CorrectionInput), self.actor)
        return self.answer(CorrectionOutput, corrections().get(pk=made.pk), status=201)


class CorrectionDetail(ApiView):
    access = {"GET": Needs(Scope.USAGE_READ, "usage.view_usagecorrection", bound_keys=True)}

    @extend_schema(
        operation_id="get_usage_correction",
        summary="Get a correction of usage",
        tags=["usage"],
        responses=CorrectionOutput,
    )
    def get(self, request: Request, correction_id: str) -> Response:
        found = get_or_not_found(
            corrections(visible_to=self.visible_to), kind="usage_correction", public_id=correction_id
        )
        return self.answer(CorrectionOutput, found)


class RevertCorrection(ApiView):
    access = {"POST": Needs(Scope.USAGE_WRITE, "usage.correct_usage")}

    @extend_schema(
        operation_id="revert_usage_correction",
        summary="Take a correction of usage back",
        tags=["usage"],
        request=RevertInput,
        responses={201: CorrectionOutput},
    )
    @idempotent()
    def post(self, request: Request, correction_id: str) -> Any:
        """What it brought in no longer counts, what it took away counts again. The answer is the new correction."""
        made = services.revert_correction(
            correction_id=correction_id, **self.read(RevertInput), actor=self.actor, at=now()
        )
        return self.answer(CorrectionOutput, corrections().get(pk=made.pk), status=201)


class RejectedList(ApiView):
    access = {"GET": Needs(Scope.USAGE_READ, "usage.view_rejectedevent", bound_keys=True)}

    @extend_schema(
        operation_id="list_rejected_events",
        summary="List refused events",
        tags=["usage"],
        parameters=[RejectedQuery],
        responses=page_of(RejectedOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first, kept 30 days. The same content is listed once, with how often it was sent."""
        asked = self.query(RejectedQuery)
        wanted = only(asked, customer="customer__public_id")
        if "status" in asked:
            wanted["resolved_at__isnull"] = asked["status"] == "open"
        return self.page(rejected_events(visible_to=self.visible_to).filter(**wanted), RejectedOutput)


class ReplayRejected(ApiView):
    access = {"POST": Needs(Scope.USAGE_WRITE, "usage.replay_rejectedevent")}
    parser_classes = [ExactJSONParser]

    @extend_schema(
        operation_id="replay_rejected_event",
        summary="Send a refused event again",
        tags=["usage"],
        request=ReplayInput,
        responses=RejectedOutput,
    )
    def post(self, request: Request, rejected_id: str) -> Response:
        """As it was, or repaired; its time may be older than usual. Refused again, nothing changes (422)."""
        event = self.read(ReplayInput).get("event")
        row = services.replay_rejected(
            rejected_id=rejected_id,
            repaired=None if event is None else services.event_from_json(event),
            actor=self.actor,
            at=now(),
        )
        return self.answer(RejectedOutput, rejected_events().get(pk=row.pk))


_TAKES = {
    "cancel": ("event_ids",),
    "amend": ("event_id", "properties", "at"),
    "backfill": ("type", "start_at", "end_at", "events"),
}
_MAY_MISS = ("at",)


def _corrected(given: dict[str, Any], actor: Actor) -> UsageCorrection:
    """Do what a correction says. Raises InvalidInput for a field that its kind needs or does not take."""
    kind = given["kind"]
    common = {"customer_id": given["customer"], "reason": given["reason"], "actor": actor, "at": now()}
    own = {name: value for name, value in given.items() if name not in ("kind", "customer", "reason")}
    for name in own:
        if name not in _TAKES[kind]:
            raise InvalidInput(f"A correction of the kind {kind} has no {name}.", field=name)
    for name in _TAKES[kind]:
        if name not in own and name not in _MAY_MISS:
            raise InvalidInput(f"A correction of the kind {kind} needs {name}.", field=name)
    match kind:
        case "cancel":
            return services.cancel_events(**own, **common)
        case "amend":
            event_at = own.pop("at", None)
            return services.amend_event(**own, event_at=event_at, **common)
        case _:
            events = [_with_instant(services.event_from_json(event)) for event in own.pop("events")]
            return services.backfill_usage(event_type=own.pop("type"), events=events, **own, **common)


def _with_instant(event: services.IncomingEvent) -> services.IncomingEvent:
    """An event of a backfill with its time as an instant, where it is one."""
    try:
        return replace(event, at=datetime.fromisoformat(str(event.at).upper()))
    except ValueError:
        return event


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
