"""What the pages of the back office read again by themselves."""

import pytest

from billing.approvals import services
from billing.approvals.models import ApprovalAction, ApprovalPolicy
from billing.platform.clock import now
from tests.factories import ACTOR
from tests.valueverse.backoffice.office import office, text

pytestmark = pytest.mark.django_db


def ask(number: int) -> None:
    with pytest.raises(services.ApprovalRequired):
        services.require(
            action=ApprovalAction.WRITE_OFF,
            object_kind="invoice",
            object_id=f"inv_{number}",
            amount_minor=100,
            currency="EUR",
            actor=ACTOR,
            at=now(),
        )


def test_the_badge_counts_what_waits_and_is_empty_for_nothing() -> None:
    ApprovalPolicy.objects.create(action=ApprovalAction.WRITE_OFF, currency="EUR", limit_minor=0)
    client = office("Finance clerk")
    assert text(client, "/admin/live/approvals/") == ""
    assert 'data-live-refresh="/admin/live/approvals/"></span>' in text(client, "/admin/")
    ask(1)
    ask(2)
    assert text(client, "/admin/live/approvals/") == "2"
    assert 'data-live-refresh="/admin/live/approvals/">2</span>' in text(client, "/admin/")
    for number in range(3, 102):
        ask(number)
    assert text(client, "/admin/live/approvals/") == "99+"


def test_whoever_may_not_see_the_requests_has_no_badge() -> None:
    assert "badge-approvals" not in text(office("Support"), "/admin/")
