"""Asking for approval, and giving it."""

from datetime import datetime

from django.db import transaction

from billing.activity import services as activity
from billing.approvals.models import ApprovalAction, ApprovalPolicy, ApprovalRequest
from billing.core.errors import BillingError, InvalidInput, Kind
from billing.core.events import EventName
from billing.core.lifecycles import ApprovalStatus
from billing.platform.actors import Actor, policy_actor
from billing.platform.validation import require_currency, require_fields


class ApprovalRequired(BillingError):
    """The action waits for somebody else's approval; the request for it is stored.

    `details["approval"]` is the public id of the request. Once it is approved, the same call goes through.
    """

    code = "approval_required"
    kind = Kind.CONFLICT


class ApprovalAlreadyDecided(BillingError):
    """The request was approved or rejected before."""

    code = "approval_already_decided"
    kind = Kind.CONFLICT


class ApprovalAlreadyExecuted(BillingError):
    """The approved action was carried out before."""

    code = "approval_already_executed"
    kind = Kind.CONFLICT


class SelfApproval(BillingError):
    """Whoever asked may not decide (I34)."""

    code = "self_approval"
    kind = Kind.FORBIDDEN


def require(
    *,
    action: ApprovalAction,
    object_kind: str,
    object_id: str,
    amount_minor: int,
    currency: str,
    actor: Actor,
    at: datetime,
    reason: str = "",
) -> ApprovalRequest:
    """The approval that covers this action, asking for one if there is none yet.

    Under a policy's limit, or without a policy for the action and currency, the policy approves at once. Above it
    a request is stored and the caller gets ApprovalRequired; call it before the transaction of the action itself,
    so that the request outlives the refusal. An approved request of the same object and amount that has not been
    carried out yet is returned as is; the action marks it with mark_executed.
    """
    covering = ApprovalRequest.objects.filter(
        action=action,
        object_kind=object_kind,
        object_id=object_id,
        amount_minor=amount_minor,
        currency=currency,
        executed_at=None,
    ).exclude(status=ApprovalStatus.REJECTED)
    approval = covering.order_by("-id").first()
    if approval is None:
        approval = _request(action, object_kind, object_id, amount_minor, currency, actor, at, reason)
    if approval.status != ApprovalStatus.APPROVED:
        raise ApprovalRequired(
            "This is above the limit: somebody else has to approve it first.", approval=approval.public_id
        )
    return approval


def mark_executed(*, approval: ApprovalRequest, at: datetime) -> None:
    """Note, in the transaction of the approved action, that it is carried out: an approval serves once.

    Raises ApprovalAlreadyExecuted if another action used it in the meantime.
    """
    if not ApprovalRequest.objects.filter(pk=approval.pk, executed_at=None).update(executed_at=at):
        raise ApprovalAlreadyExecuted("This approval was used already.", approval=approval.public_id)


@transaction.atomic
def _request(
    action: ApprovalAction,
    object_kind: str,
    object_id: str,
    amount_minor: int,
    currency: str,
    actor: Actor,
    at: datetime,
    reason: str,
) -> ApprovalRequest:
    approval = ApprovalRequest.objects.create(
        action=action,
        object_kind=object_kind,
        object_id=object_id,
        amount_minor=amount_minor,
        currency=currency,
        reason=reason,
        status=ApprovalStatus.REQUESTED,
        requested_by_kind=actor.kind.value,
        requested_by_id=actor.public_id,
        requested_by_label=actor.label,
        requested_at=at,
    )
    _record(EventName.APPROVAL_REQUESTED, approval, actor, at)
    policy = ApprovalPolicy.objects.filter(action=action, currency=currency).first()
    if policy is None or amount_minor <= policy.limit_minor:
        name = policy.public_id if policy else "approve-at-once"
        _decide(approval, ApprovalStatus.APPROVED, policy_actor(name), at)
    return approval


@transaction.atomic
def decide_approval(
    *, approval_id: str, approve: bool, reason: str = "", actor: Actor, at: datetime
) -> ApprovalRequest:
    """Approve or reject a request; a rejection says why.

    Raises InvalidInput without a reason, SelfApproval for whoever asked, ApprovalAlreadyDecided if it was decided
    before, DoesNotExist if unknown. Locks the request. Emits approval.approved or approval.rejected.
    """
    approval = ApprovalRequest.objects.select_for_update().get(public_id=approval_id)
    if approval.status != ApprovalStatus.REQUESTED:
        raise ApprovalAlreadyDecided(f"This request was {approval.status} by {approval.decided_by_label}.")
    if (approval.requested_by_kind, approval.requested_by_id) == (actor.kind.value, actor.public_id):
        raise SelfApproval("You asked for this. Somebody else has to approve.")
    if not approve and not reason.strip():
        raise InvalidInput("Say why, so that whoever asked knows what to change.", field="reason")
    approval.decision_reason = reason.strip()
    others = {field.name for field in approval._meta.fields} - {"decision_reason"}
    require_fields(approval, names={"decision_reason": "reason"}, exclude=others)
    _decide(approval, ApprovalStatus.APPROVED if approve else ApprovalStatus.REJECTED, actor, at)
    return approval


@transaction.atomic
def set_approval_policy(
    *, action: ApprovalAction, currency: str, limit_minor: int, actor: Actor, at: datetime
) -> ApprovalPolicy:
    """From now on amounts of an action above a limit wait for somebody else; what was decided before stays.

    One policy per action and currency: the limit of the one there is replaced. limit_minor: in minor units, 0 lets
    everything wait. Idempotent. Emits approval_policy.set. Raises InvalidInput.
    """
    if action not in ApprovalAction.values:
        raise InvalidInput(f"An action is one of {', '.join(ApprovalAction.values)}.", field="action")
    require_currency(currency)
    if limit_minor < 0:
        raise InvalidInput("A limit is not negative.", field="limit")
    policy, is_new = ApprovalPolicy.objects.select_for_update().get_or_create(
        action=action, currency=currency, defaults={"limit_minor": limit_minor}
    )
    before = None if is_new else policy.limit_minor
    if before != limit_minor:
        policy.limit_minor = limit_minor
        policy.save(update_fields=["limit_minor"])
        _record_policy(
            EventName.APPROVAL_POLICY_SET, policy, actor, at, {"limit_minor": [before, limit_minor]}
        )
    return policy


@transaction.atomic
def remove_approval_policy(*, policy: ApprovalPolicy, actor: Actor, at: datetime) -> None:
    """From now on the action is approved at once in this currency. Requests that wait still wait for a person.

    Idempotent. Emits approval_policy.removed.
    """
    if ApprovalPolicy.objects.filter(pk=policy.pk).delete()[0]:
        _record_policy(
            EventName.APPROVAL_POLICY_REMOVED, policy, actor, at, {"limit_minor": [policy.limit_minor, None]}
        )


def _record_policy(
    name: EventName, policy: ApprovalPolicy, actor: Actor, at: datetime, data: dict[str, list[int | None]]
) -> None:
    activity.record(
        name=name,
        object_kind="approval_policy",
        object_id=policy.public_id,
        actor=actor,
        at=at,
        data={"action": policy.action, "currency": policy.currency, **data},
    )


def _decide(approval: ApprovalRequest, status: ApprovalStatus, actor: Actor, at: datetime) -> None:
    approval.status = status
    approval.decided_by_kind = actor.kind.value
    approval.decided_by_id = actor.public_id
    approval.decided_by_label = actor.label
    approval.decided_at = at
    approval.save()
    name = EventName.APPROVAL_APPROVED if status == ApprovalStatus.APPROVED else EventName.APPROVAL_REJECTED
    _record(name, approval, actor, at)


def _record(name: EventName, approval: ApprovalRequest, actor: Actor, at: datetime) -> None:
    activity.record(
        name=name,
        object_kind="approval",
        object_id=approval.public_id,
        actor=actor,
        at=at,
        data={
            "action": approval.action,
            "object": approval.object_id,
            "amount_minor": approval.amount_minor,
            "currency": approval.currency,
        },
    )
