"""`manage.py decide_approval`: what waits is listed, decided once, and the action goes through afterwards."""

import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from billing.approvals.models import ApprovalAction, ApprovalPolicy, ApprovalRequest
from billing.approvals.services import ApprovalRequired
from billing.invoices.models import CreditReason
from billing.invoices.services import credit_invoice
from tests.billing_factories import finalized_invoice
from tests.factories import ACTOR, START

pytestmark = pytest.mark.django_db


def test_a_credit_above_the_limit_waits_is_listed_approved_and_goes_through(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ApprovalPolicy.objects.create(action=ApprovalAction.CREDIT_NOTE, currency="EUR", limit_minor=1)
    invoice = finalized_invoice()
    wanted = {
        "invoice_id": invoice.public_id,
        "reason": CreditReason.BILLING_ERROR,
        "actor": ACTOR,
        "at": START,
    }
    with pytest.raises(ApprovalRequired):
        credit_invoice(**wanted)
    call_command("decide_approval", "--json")
    (row,) = json.loads(capsys.readouterr().out)["approvals"]
    assert (row["object"], row["action"], row["currency"]) == (invoice.public_id, "credit_note", "EUR")
    call_command("decide_approval", row["id"], "--approve")
    assert ApprovalRequest.objects.get().status == "approved"
    with pytest.raises(CommandError, match="was approved by"):
        call_command("decide_approval", row["id"], "--reject", "--reason", "Too much")
    invoice.refresh_from_db()
    at = invoice.finalized_at
    assert at is not None
    assert credit_invoice(**{**wanted, "at": at}).number
    call_command("decide_approval")
    assert "Nothing waits for approval." in capsys.readouterr().out
