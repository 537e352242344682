"""Usage that arrives after the bill of its period: on the next bill, once, at the price it would have had in time."""

from datetime import date

import pytest

from billing.core.money import format_major
from billing.invoices import services as invoices
from billing.invoices.models import CreditReason, Invoice, InvoiceLine
from billing.subscriptions.models import BilledPeriod
from customers.models import Customer
from tests import factories
from tests.scenarios.story import (
    DEC_1,
    FIONA,
    JAN_1,
    NOV_1,
    NOVEMBER,
    PER_UNIT,
    Story,
    accruals,
    amounts,
    is_sound,
    lines,
    meter,
    usage,
    utc,
)

pytestmark = pytest.mark.django_db

GRADUATED = {"tiers": [{"up_to": "100", "unit_amount": "0.10"}, {"up_to": None, "unit_amount": "0.05"}]}
VOLUME = {"tiers": [{"up_to": "100", "unit_amount": "0.10"}, {"up_to": None, "unit_amount": "0.05"}]}
PACKAGE = {"size": "100", "amount": "1.00", "free_units": "50"}
FEB_1 = utc(2024, 2, 1)


def november(model: str = "per_unit", definition: object = PER_UNIT) -> tuple[Story, Customer]:
    """A story whose November, with 80 units in time, has been billed."""
    story = Story(NOV_1)
    buyer = story.customer()
    story.subscribe(buyer, story.version(usage(model=model, definition=definition), factories.fee()))
    story.bill()
    story.advance(utc(2023, 11, 20))
    story.use(buyer, utc(2023, 11, 20), 80)
    story.advance(DEC_1)
    story.bill()
    return story, buyer


@pytest.mark.parametrize(
    ("model", "definition", "in_time", "late"),
    [
        ("per_unit", PER_UNIT, "0.80", "0.40"),
        ("graduated", GRADUATED, "8.00", "3.00"),  # 20 at 0.10, 20 at 0.05
        ("volume", VOLUME, "8.00", "-2.00"),  # 120 at 0.05 is 6.00: all of it is cheaper now
        ("package", PACKAGE, "1.00", "0.00"),  # 70 units beyond the free ones are still one package
    ],
)
def test_late_usage_costs_what_it_would_have_cost_in_time(
    model: str, definition: dict[str, object], in_time: str, late: str
) -> None:
    story, buyer = november(model, definition)
    first = Invoice.objects.latest("pk")
    assert lines(first)[0] == ("usage", "usage", "80", in_time)
    assert story.use(buyer, utc(2023, 11, 30), 40) == "accepted"  # after the bill
    story.advance(JAN_1)
    second = story.bill_one()
    assert lines(second)[:2] == [("usage", "usage", "0", "0.00"), ("usage", "late_usage", "40", late)]
    working = second.lines.get(kind="late_usage").working
    assert (working["quantity_before"], working["steps"][-1]["label"]) == ("80", "already billed")
    story.advance(FEB_1)
    assert [kind for _, kind, _, _ in lines(story.bill_one())] == ["usage", "recurring"]
    assert is_sound()


def test_late_usage_is_billed_exactly_once_however_often_it_dribbles_in() -> None:
    story, buyer = november("graduated", GRADUATED)
    story.use(buyer, utc(2023, 11, 30), 15)
    assert story.use(buyer, utc(2023, 11, 30), 16, event_id="again") == "accepted"
    assert story.use(buyer, utc(2023, 11, 30), 16, event_id="again") == "duplicate"
    story.advance(utc(2023, 12, 20))
    story.use(buyer, utc(2023, 11, 29), 9)
    story.advance(JAN_1)
    story.bill()
    story.use(buyer, utc(2023, 11, 28), 30)  # and once more, after the next bill
    story.advance(FEB_1)
    story.bill()
    billed = InvoiceLine.objects.filter(code="usage", service_start_on=date(2023, 11, 1))
    assert [(line.kind, line.quantity) for line in billed.order_by("pk")] == [
        ("usage", 80),
        ("late_usage", 40),
        ("late_usage", 30),
    ]
    assert (
        format_major(sum(line.amount_minor for line in billed), "EUR") == "12.50"
    )  # 100 at 0.10, 50 at 0.05
    assert is_sound()


def test_late_usage_of_a_closed_month_is_revenue_of_the_next_and_flagged_late() -> None:
    story, buyer = november()
    story.advance(utc(2023, 12, 5))
    story.close(NOVEMBER)
    closed = story.books(date(2023, 11, 30))
    story.use(buyer, utc(2023, 11, 30), 40)
    story.advance(JAN_1)
    story.bill()
    assert accruals(buyer) == [("2023-11-30", "0.80", False), ("2023-12-01", "0.40", True)]
    assert story.books(date(2023, 11, 30)) == closed
    assert is_sound()


def test_late_usage_of_an_open_month_is_accrued_there_before_it_is_billed() -> None:
    story, buyer = november()
    story.use(buyer, utc(2023, 11, 30), 40)
    story.recognize(date(2023, 11, 30))
    assert accruals(buyer) == [("2023-11-30", "0.80", False), ("2023-11-30", "0.40", False)]
    assert story.books(date(2023, 12, 1))["1150"] == "0.40"
    story.advance(JAN_1)
    story.bill()
    story.recognize(date(2023, 12, 31))
    assert len(accruals(buyer)) == 2
    assert "1150" not in story.books(JAN_1.date())
    assert is_sound()


def test_usage_between_draft_and_finalize_is_accrued_by_the_run_but_not_taken_back_by_the_invoice() -> None:
    story = Story(NOV_1)
    buyer = story.customer()
    story.subscribe(buyer, story.version(usage()))
    story.use(buyer, NOV_1, 80)
    story.advance(DEC_1)
    run = invoices.start_bill_run(as_of=DEC_1, needs_review=True, actor=FIONA, at=DEC_1)
    run = invoices.perform_bill_run(run=run, actor=FIONA, at=DEC_1)
    story.use(buyer, NOV_1, 40)
    story.recognize(date(2023, 11, 30))
    run = invoices.approve_bill_run(run=run, actor=FIONA, at=DEC_1)
    invoices.perform_bill_run(run=run, actor=FIONA, at=DEC_1)
    assert lines(Invoice.objects.get())[0][2] == "80"
    assert accruals(buyer) == [("2023-11-30", "1.20", False)]
    assert story.books(date(2023, 12, 1))["1150"] == "0.40"
    story.advance(JAN_1)
    assert lines(story.bill_one())[1] == ("usage", "late_usage", "40", "0.40")
    assert is_sound()


def test_when_the_first_bill_is_taken_back_its_usage_is_billed_again_beside_the_late_usage_that_stands() -> (
    None
):
    """Only what the canceled invoice billed is free again; the later bill over late usage keeps its own."""
    story, buyer = november("graduated", GRADUATED)
    first = Invoice.objects.latest("pk")
    story.use(buyer, utc(2023, 11, 30), 40)
    story.advance(JAN_1)
    second = story.bill_one()
    invoices.cancel_invoice(
        invoice_id=first.public_id, reason=CreditReason.BILLING_ERROR, actor=FIONA, at=JAN_1
    )
    again = story.bill_one()
    assert lines(again) == lines(first)
    assert amounts(again) == amounts(first)
    assert second.lines.filter(kind="late_usage").get().amount_minor == 300
    live = BilledPeriod.objects.filter(reason="usage", released_at=None, start_at=NOV_1)
    assert live.count() == 2
    assert story.bill() == []
    assert is_sound()


def test_when_a_bill_over_late_usage_is_taken_back_that_usage_is_billed_again() -> None:
    story, buyer = november("graduated", GRADUATED)
    story.use(buyer, utc(2023, 11, 30), 40)
    story.advance(JAN_1)
    second = story.bill_one()
    story.use(buyer, utc(2023, 11, 30), 10)
    story.advance(FEB_1)
    third = story.bill_one()
    assert lines(third)[1] == ("usage", "late_usage", "10", "0.50")
    invoices.cancel_invoice(
        invoice_id=second.public_id, reason=CreditReason.BILLING_ERROR, actor=FIONA, at=FEB_1
    )
    again = story.bill_one()
    assert lines(again) == lines(second)
    assert is_sound()


def test_a_canceled_run_with_late_usage_bills_the_same_invoice_when_it_is_done_again() -> None:
    story, buyer = november()
    story.use(buyer, utc(2023, 11, 30), 40)
    story.advance(JAN_1)
    run = invoices.start_bill_run(as_of=JAN_1, needs_review=True, actor=FIONA, at=JAN_1)
    run = invoices.perform_bill_run(run=run, actor=FIONA, at=JAN_1)
    drafted = lines(Invoice.objects.get(status="draft"))
    invoices.cancel_bill_run(run=run, actor=FIONA, at=JAN_1)
    assert lines(story.bill_one()) == drafted
    assert is_sound()


def test_a_correction_that_takes_usage_back_lowers_revenue_and_the_unbilled_receivable_with_it() -> None:
    """A meter may allow negative events: what had been accrued above the bill is taken back."""
    story = Story(NOV_1)
    buyer = story.customer()
    story.subscribe(buyer, story.version(usage(meter(allow_negative=True)), factories.fee()))
    story.bill()
    story.use(buyer, NOV_1, 1000)
    story.advance(DEC_1)
    story.close(NOVEMBER)
    assert story.use(buyer, utc(2023, 11, 30), -200) == "accepted"
    assert lines(story.bill_one())[0] == ("usage", "usage", "800", "8.00")
    assert accruals(buyer) == [("2023-11-30", "10.00", False), ("2023-12-01", "-2.00", True)]
    books = story.books(date(2023, 12, 1))
    assert books["4010"] == "-8.00"
    assert "1150" not in books
    assert is_sound()


def test_less_than_no_usage_costs_nothing_and_what_comes_late_is_priced_with_it() -> None:
    story = Story(NOV_1)
    buyer = story.customer()
    story.subscribe(buyer, story.version(usage(meter(allow_negative=True)), factories.fee()))
    story.bill()
    story.use(buyer, NOV_1, -5)
    story.advance(DEC_1)
    assert story.close(NOVEMBER).accruals == 0
    assert lines(story.bill_one())[0] == ("usage", "usage", "0", "0.00")
    story.use(buyer, utc(2023, 11, 30), 105)
    story.advance(JAN_1)
    assert lines(story.bill_one())[1] == ("usage", "late_usage", "100", "1.00")
    assert is_sound()
