"""Acting from a page: the figures first, one effect, and nothing at all where it is refused."""

from typing import Any

import pytest

from billing.activity.models import Activity
from billing.approvals.models import ApprovalPolicy, ApprovalRequest
from billing.invoices.models import BillRun, CreditNote, DocumentMail, Invoice
from billing.invoices.tasks import perform_bill_run
from billing.ledger.selectors import last_entry_pk
from billing.ledger.services import ensure_period
from customers.selectors import now_for
from payments.models import Payment, Refund
from tests.billing_factories import (
    advance,
    billed_customer,
    credit_note,
    draft_invoice,
    finalized_invoice,
    paid_invoice,
    payment_of,
    receipt,
)
from tests.valueverse.backoffice.office import act, office, page, said, seen, text

pytestmark = pytest.mark.django_db


def happened() -> tuple[Any, ...]:
    """Everything that acting could have changed, to see that it did not."""
    return (
        last_entry_pk(),
        list(
            Invoice.objects.order_by("pk").values_list(
                "status", "number", "allocated_minor", "credited_minor"
            )
        ),
        CreditNote.objects.count(),
        Payment.objects.count(),
        Refund.objects.count(),
        DocumentMail.objects.count(),
        Activity.objects.count(),
        ApprovalRequest.objects.count(),
        list(BillRun.objects.values_list("status")),
    )


def test_looking_at_a_verb_shows_number_effect_and_mails_and_does_nothing() -> None:
    draft, client = draft_invoice(), office()
    before = happened()
    shown = text(client, page(draft, "finalize"))
    assert "VV-2023-000001" in shown
    assert "1100 Accounts receivable" in shown
    assert "117.81" in shown
    assert "Finalize invoice, 117.81 EUR" in shown
    assert happened() == before


def test_a_draft_is_finalized_by_the_person_who_pressed_the_button() -> None:
    draft, client = draft_invoice(), office()
    assert "Finalized VV-2023-000001, 117.81 EUR." in said(client, act(client, draft, "finalize"))
    draft.refresh_from_db()
    assert draft.status == "finalized"
    assert Activity.objects.get(name="invoice.finalized").actor_kind == "user"


def test_a_double_click_and_the_back_button_do_nothing_twice() -> None:
    invoice, client = finalized_invoice(), office()
    given = {"amount": "17.81", "received_on": "2023-11-01", "reference": "bank"}
    mark = seen(client, page(invoice, "record-payment"))
    first = client.post(page(invoice, "record-payment"), {"seen": mark, "step": "act", **given})
    assert "Recorded 17.81 EUR" in said(client, first)
    before = happened()
    second = client.post(page(invoice, "record-payment"), {"seen": mark, "step": "act", **given})
    assert "Nothing was done" in said(client, second)
    assert happened() == before


def test_coming_back_to_the_page_of_something_done_says_who_did_it_and_has_no_button() -> None:
    draft, client = draft_invoice(), office()
    act(client, draft, "finalize")
    shown = text(client, page(draft, "finalize"))
    assert "Nothing was done" in shown
    assert "invoice.finalized" in shown
    assert 'value="act"' not in shown
    before = happened()
    assert "Nothing was done" in said(client, act(client, draft, "finalize"))
    assert happened() == before


def test_a_payment_shows_what_will_be_open_before_it_is_recorded() -> None:
    invoice, client = finalized_invoice(), office()
    given = {"amount": "1,017.81", "received_on": "2023-11-01", "reference": "bank", "step": "look"}
    before = happened()
    shown = client.post(page(invoice, "record-payment"), given).content.decode()
    assert "Record 1,017.81 EUR" in shown
    assert "900.00 EUR" in shown  # left unapplied
    assert happened() == before


@pytest.mark.parametrize(
    ("amount", "says"),
    [
        ("1,23", "1234.56"),
        ("1.234", "1234.56"),
        ("abc", "1234.56"),
        ("0", "above zero"),
        ("-5", ""),
        ("", "required"),
    ],
)
def test_an_amount_that_could_be_misread_is_refused_beside_its_field(amount: str, says: str) -> None:
    invoice, client = finalized_invoice(), office()
    before = happened()
    given = {"amount": amount, "received_on": "2023-11-01", "reference": "bank", "step": "look"}
    response = client.post(page(invoice, "record-payment"), given)
    assert response.status_code == 400
    assert 'id="id_amount_error"' in response.content.decode()
    assert says in response.content.decode()
    assert happened() == before


def test_money_from_the_future_is_refused_beside_the_day() -> None:
    invoice, client = finalized_invoice(), office()
    before = happened()
    given = {"amount": "1.00", "received_on": "2031-01-01", "reference": "bank"}
    response = act(client, invoice, "record-payment", **given)
    assert 'id="id_received_on_error"' in response.content.decode()
    assert happened() == before


def test_a_credit_note_takes_back_the_open_amount() -> None:
    invoice, client = finalized_invoice(), office()
    act(client, invoice, "credit", reason="billing_error", note="Sorry")
    invoice.refresh_from_db()
    assert (invoice.credited_minor, invoice.open_minor) == (11781, 0)


def test_a_cancellation_of_a_paid_invoice_says_why_not_before_anybody_acts() -> None:
    invoice, client = paid_invoice(), office()
    before = happened()
    shown = text(client, page(invoice, "cancel"))
    assert "paid in part or written off" in shown
    assert 'value="act"' not in shown
    response = act(client, invoice, "cancel", reason="other", note="")
    assert response.status_code == 400
    assert happened() == before


def test_a_void_needs_a_reason_and_keeps_it() -> None:
    invoice, client = finalized_invoice(), office()
    assert 'id="id_reason_error"' in act(client, invoice, "void", reason="").content.decode()
    act(client, invoice, "void", reason="Wrong plan")
    invoice.refresh_from_db()
    assert (invoice.status, invoice.void_reason) == ("voided", "Wrong plan")


def test_an_invoice_that_was_paid_is_not_voided() -> None:
    invoice, client = paid_invoice(), office()
    before = happened()
    assert "can no longer be voided" in text(client, page(invoice, "void"))
    assert act(client, invoice, "void", reason="x").status_code == 400
    assert happened() == before


def test_money_is_allocated_reversed_and_refunded_on_the_payment_s_page() -> None:
    invoice, client = finalized_invoice(), office()
    payment = receipt(invoice.customer, 20000)
    act(client, payment, "allocate", invoice=invoice.pk, amount="117.81")
    invoice.refresh_from_db()
    assert invoice.open_minor == 0
    payment.refresh_from_db()
    act(client, payment, "reverse", allocation=payment.allocations.get().pk)
    invoice.refresh_from_db()
    assert invoice.open_minor == 11781
    payment.refresh_from_db()
    act(client, payment, "refund", credit_note="", amount="200.00", reason="Not ours")
    assert Refund.objects.get().status == "succeeded"


def test_more_than_is_left_is_neither_allocated_nor_refunded() -> None:
    invoice, client = finalized_invoice(), office()
    payment = receipt(invoice.customer, 5000)
    before = happened()
    look = client.post(page(payment, "allocate"), {"invoice": invoice.pk, "amount": "117.81", "step": "look"})
    assert "At most 50.00 EUR can be allocated" in look.content.decode()
    look = client.post(page(payment, "refund"), {"amount": "50.01", "reason": "x", "step": "look"})
    assert "At most 50.00 EUR can be refunded" in look.content.decode()
    assert happened() == before


def test_what_a_credit_note_owes_is_refunded_by_the_way_it_came() -> None:
    invoice, client = paid_invoice(), office()
    note = credit_note(invoice)
    payment = payment_of(invoice)
    shown = client.post(
        page(payment, "refund"), {"credit_note": note.pk, "amount": "117.81", "reason": "x", "step": "look"}
    ).content.decode()
    assert "2070 Refunds payable" in shown
    assert "1050 Gateway clearing" in shown
    assert not Refund.objects.exists()
    act(client, payment, "refund", credit_note=note.pk, amount="117.81", reason="x")
    assert Refund.objects.get().credit_note == note


def test_above_the_limit_somebody_else_approves_and_then_it_goes_through() -> None:
    ApprovalPolicy.objects.create(action="credit_note", currency="EUR", limit_minor=100)
    invoice, clerk, manager = finalized_invoice(), office("Finance clerk"), office("Finance manager")
    assert "Ask for approval" in text(clerk, page(invoice, "credit"))
    assert not ApprovalRequest.objects.exists()
    said(clerk, act(clerk, invoice, "credit", reason="other", note=""))
    asked = ApprovalRequest.objects.get()
    assert not CreditNote.objects.exists()
    assert "Approve 117.81 EUR" in text(manager, page(asked, "approve"))
    act(manager, asked, "approve")
    act(clerk, invoice, "credit", reason="other", note="")
    assert CreditNote.objects.get().approval == asked


def test_whoever_asked_sees_it_and_cannot_approve_it() -> None:
    ApprovalPolicy.objects.create(action="credit_note", currency="EUR", limit_minor=100)
    invoice, manager = finalized_invoice(), office("Finance manager")
    act(manager, invoice, "credit", reason="other", note="")
    asked = ApprovalRequest.objects.get()
    assert "Asked by you" in text(manager, page(asked))
    assert "You asked for this" in text(manager, page(asked, "approve"))
    act(manager, asked, "approve")
    asked.refresh_from_db()
    assert asked.status == "requested"


def test_a_run_is_looked_at_started_reviewed_and_approved() -> None:
    customer, client = billed_customer(), office()
    start = "/admin/invoices/billrun/start/"
    as_of = f"{now_for(customer):%Y-%m-%d %H:%M}"
    shown = client.post(start, {"as_of": as_of, "step": "look"}).content.decode()
    assert "Draft 1 invoice, 117.81 EUR" in shown
    assert (BillRun.objects.count(), Invoice.objects.count()) == (0, 0)
    given = {"as_of": as_of, "step": "act", "seen": seen(client, start)}
    client.post(start, given)
    assert "a run was started since" in said(client, client.post(start, given))
    run = BillRun.objects.get()
    perform_bill_run(run.public_id)
    run.refresh_from_db()
    assert run.status == "in_review"
    assert "First invoice" in text(client, page(run))
    assert "Approve 1 invoice, 117.81 EUR" in text(client, page(run, "approve"))
    act(client, run, "approve")
    perform_bill_run(run.public_id)
    run.refresh_from_db()
    assert run.status == "approved"  # issues nothing before somebody finalizes it
    assert "Finalize 1 invoice, 117.81 EUR" in text(client, page(run, "finalize"))
    act(client, run, "finalize")
    perform_bill_run(run.public_id)
    run.refresh_from_db()
    assert run.status == "completed"
    assert Invoice.objects.get().number == "VV-2023-000001"
    assert "Nothing was done" in said(
        client, client.post(page(run, "approve"), {"seen": "old", "step": "act"})
    )


def test_a_canceled_run_leaves_no_draft_behind() -> None:
    customer, client = billed_customer(), office()
    start = "/admin/invoices/billrun/start/"
    as_of = f"{now_for(customer):%Y-%m-%d %H:%M}"
    client.post(start, {"as_of": as_of, "step": "act", "seen": seen(client, start)})
    run = BillRun.objects.get()
    perform_bill_run(run.public_id)
    act(client, run, "cancel")
    run.refresh_from_db()
    assert (run.status, Invoice.objects.count()) == ("canceled", 0)


def test_a_month_is_closed_with_every_control_at_zero() -> None:
    invoice, client = paid_invoice(), office()
    period = ensure_period(legal_entity=invoice.legal_entity, on=invoice.issued_on)
    look = client.post(page(period, "close"), {"step": "look"})
    assert "ends on 2023-11-30" in look.content.decode()
    advance(invoice.customer, now_for(invoice.customer).replace(month=12, day=2))
    assert 'fin-bad">' not in text(client, page(period))
    assert "Holds" in text(client, f"{page(period)}?checks=1")
    act(client, period, "close")
    period.refresh_from_db()
    assert period.status == "closed"
