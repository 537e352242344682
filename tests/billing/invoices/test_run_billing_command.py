"""`manage.py run_billing`: bills once, looks ahead without a trace, says who could not be billed."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from billing.approvals.models import ApprovalPolicy
from billing.invoices.models import BillRun, Invoice
from billing.platform.clock import now
from billing.subscriptions.services import start_subscription
from customers.models import Customer
from tests import factories
from tests.scenarios.story import DEC_1, FIONA, NOV_1, Story, everything, is_sound, usage

pytestmark = pytest.mark.django_db


def run_billing(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("run_billing", *arguments, "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert isinstance(answer, dict)
    return answer


def told() -> tuple[Story, Customer]:
    story = Story(NOV_1)
    buyer = story.customer(external_id="acme")
    story.subscribe(buyer, story.version(usage(), factories.fee()))
    return story, buyer


def test_it_bills_what_is_due_and_finds_nothing_the_second_time() -> None:
    _, buyer = told()
    first = run_billing()
    assert [(one["number"], one["customer"], one["total"], one["status"]) for one in first["invoices"]] == [
        ("VV-2023-000001", buyer.name, "117.81", "finalized")
    ]
    before = everything()
    assert run_billing()["invoices"] == []
    assert everything() == before
    assert is_sound()


def test_a_dry_run_says_what_would_be_billed_and_writes_nothing() -> None:
    told()
    before = everything()
    answer = run_billing("--dry-run")
    assert answer["dry_run"] is True
    assert [(one["number"], one["total"]) for one in answer["invoices"]] == [(None, "117.81")]
    assert everything() == before


def test_a_dry_run_may_look_ahead_and_a_run_may_not() -> None:
    story = Story(NOV_1)
    present = factories.customer(legal_entity=story.seller)  # in the present, not on the clock
    start_subscription(
        customer=present,
        plan_version=story.version(factories.fee(), anchor="anniversary"),
        started_at=now() + timedelta(days=30),
        actor=FIONA,
        at=now(),
    )
    ahead = (now() + timedelta(days=40)).date().isoformat()
    before = everything()
    assert [one["total"] for one in run_billing("--dry-run", "--as-of", ahead)["invoices"]] == ["117.81"]
    assert run_billing("--dry-run")["invoices"] == []
    with pytest.raises(CommandError, match="run_in_future"):
        run_billing("--as-of", ahead)
    assert everything() == before


def test_a_dry_run_above_the_limit_of_approval_shows_what_would_be_billed_all_the_same() -> None:
    told()
    ApprovalPolicy.objects.create(action="bill_run", currency="EUR", limit_minor=0)
    before = everything()
    assert [one["total"] for one in run_billing("--dry-run")["invoices"]] == ["117.81"]
    assert everything() == before


def test_above_the_limit_the_run_waits_and_says_so() -> None:
    told()
    ApprovalPolicy.objects.create(action="bill_run", currency="EUR", limit_minor=0)
    answer = run_billing()
    assert [one["status"] for one in answer["runs"]] == ["in_review"]
    assert [one["number"] for one in answer["invoices"]] == [None]


def test_review_stops_after_drafting() -> None:
    told()
    assert [one["status"] for one in run_billing("--review")["runs"]] == ["in_review"]
    assert run_billing()["runs"] == []
    assert BillRun.objects.get().status == "in_review"


@pytest.mark.parametrize("by", ["external id", "public id"])
def test_one_customer_can_be_billed_alone(by: str) -> None:
    story, buyer = told()
    story.subscribe(story.customer(), story.version(factories.fee()))
    answer = run_billing("--customer", "acme" if by == "external id" else buyer.public_id)
    assert [one["customer"] for one in answer["invoices"]] == [buyer.name]
    before = everything()
    with pytest.raises(CommandError, match="no such customer"):
        run_billing("--customer", "nobody")
    assert everything() == before


def test_only_what_is_due_by_the_day_is_billed() -> None:
    story, _ = told()
    story.advance(DEC_1)
    assert len(run_billing("--as-of", "2023-11-30")["invoices"]) == 1
    assert len(run_billing("--as-of", "2023-12-01T00:00:00Z")["invoices"]) == 1
    assert Invoice.objects.count() == 2
    assert is_sound()


def test_a_parked_customer_makes_the_command_fail_with_the_reason_after_the_others_are_billed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    story, buyer = told()
    bad = story.customer()
    story.subscribe(bad, story.version(factories.fee()))
    Customer.objects.filter(pk=bad.pk).update(city="")
    with pytest.raises(SystemExit) as ended:
        call_command("run_billing")
    assert ended.value.code == 1
    shown = capsys.readouterr().out
    assert f"parked: {bad.name}" in shown
    assert "city" in shown
    assert "VV-2023-000001" in shown
    assert Invoice.objects.get(status="finalized").customer == buyer


def test_a_run_for_review_is_approved_or_canceled_by_its_id(capsys: pytest.CaptureFixture[str]) -> None:
    story = Story(NOV_1)
    story.subscribe(story.customer(), story.version(factories.fee()))
    call_command("run_billing", "--review")
    run = BillRun.objects.get()
    assert f"waits for approval: run_billing --approve {run.public_id}" in capsys.readouterr().out
    call_command("run_billing", "--cancel", run.public_id)
    assert not Invoice.objects.exists()
    call_command("run_billing", "--review")
    again = BillRun.objects.order_by("-pk")[0]
    call_command("run_billing", "--approve", again.public_id)
    assert Invoice.objects.get().status == "finalized"
    assert "Billed 1 invoices, 0 customers parked" in capsys.readouterr().out
