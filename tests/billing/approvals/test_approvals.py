"""Approvals: asked once for one action, given by somebody else, used once."""

from typing import Any

import pytest

from billing.activity.models import Activity
from billing.approvals.models import ApprovalAction, ApprovalPolicy, ApprovalRequest
from billing.approvals.services import (
    ApprovalAlreadyDecided,
    ApprovalAlreadyExecuted,
    ApprovalRequired,
    SelfApproval,
    decide_approval,
    mark_executed,
    require,
)
from tests.scenarios.story import FIONA, NOV_1, OSCAR, everything

pytestmark = pytest.mark.django_db


def ask(amount_minor: int = 1000, **changes: Any) -> ApprovalRequest:
    given: dict[str, Any] = {
        "action": ApprovalAction.REFUND,
        "object_kind": "payment",
        "object_id": "pay_1",
        "amount_minor": amount_minor,
        "currency": "EUR",
        "actor": FIONA,
        "at": NOV_1,
    }
    return require(**{**given, **changes})


def limit(limit_minor: int, currency: str = "EUR", action: str = "refund") -> ApprovalPolicy:
    return ApprovalPolicy.objects.create(action=action, currency=currency, limit_minor=limit_minor)


def requested(amount_minor: int = 1000) -> str:
    with pytest.raises(ApprovalRequired) as refused:
        ask(amount_minor)
    return str(refused.value.details["approval"])


def test_without_a_policy_an_action_is_approved_at_once_and_on_record() -> None:
    given = ask()
    assert (given.status, given.decided_by_kind, given.decided_by_id) == (
        "approved",
        "policy",
        "approve-at-once",
    )
    names = Activity.objects.order_by("pk").values_list("name", flat=True)
    assert list(names) == ["approval.requested", "approval.approved"]


@pytest.mark.parametrize(("amount_minor", "is_approved"), [(999, True), (1000, True), (1001, False)])
def test_a_policy_approves_up_to_its_limit_and_not_a_cent_more(amount_minor: int, is_approved: bool) -> None:
    policy = limit(1000)
    if is_approved:
        assert ask(amount_minor).decided_by_id == policy.public_id
    else:
        requested(amount_minor)


def test_a_policy_holds_for_its_action_and_currency_only() -> None:
    limit(0, currency="USD")
    limit(0, action="credit_note")
    assert ask().status == "approved"


def test_asking_again_while_it_waits_makes_no_second_request() -> None:
    limit(0)
    first = requested()
    before = everything()
    assert requested() == first
    assert everything() == before


def test_somebody_else_approves_and_the_same_call_goes_through_once() -> None:
    limit(0)
    request = requested()
    decide_approval(approval_id=request, approve=True, actor=OSCAR, at=NOV_1)
    given = ask()
    assert (given.public_id, given.decided_by_label) == (request, OSCAR.label)
    mark_executed(approval=given, at=NOV_1)
    before = everything()
    with pytest.raises(ApprovalAlreadyExecuted):
        mark_executed(approval=given, at=NOV_1)
    assert everything() == before
    assert requested() != request  # as much again is another action


def test_nobody_approves_their_own_request() -> None:
    limit(0)
    request = requested()
    before = everything()
    with pytest.raises(SelfApproval):
        decide_approval(approval_id=request, approve=True, actor=FIONA, at=NOV_1)
    assert everything() == before


def test_a_request_is_decided_once() -> None:
    limit(0)
    request = requested()
    decide_approval(approval_id=request, approve=False, reason="Too much", actor=OSCAR, at=NOV_1)
    before = everything()
    with pytest.raises(ApprovalAlreadyDecided):
        decide_approval(approval_id=request, approve=True, actor=OSCAR, at=NOV_1)
    assert everything() == before


@pytest.mark.parametrize(
    "other", [{"amount_minor": 2000}, {"currency": "USD"}, {"object_id": "pay_2"}, {"action": "write_off"}]
)
def test_an_approval_covers_nothing_but_what_was_asked_for(other: dict[str, Any]) -> None:
    given = ask()
    assert ask(**other).public_id != given.public_id
