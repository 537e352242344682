"""What must hold for any usage: batches and their order change nothing, and crediting everything brings all back."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.core.money import format_major
from billing.invoices import services as invoices
from billing.invoices.models import CreditReason, Invoice
from billing.ledger.selectors import trial_balance
from billing.usage.services import IncomingEvent, ingest
from customers.models import Customer
from payments import services as payments
from payments.models import Payment
from tests import factories
from tests.scenarios.story import DEC_1, FIONA, JAN_1, NOV_1, Story, is_sound, lines, meter, usage

pytestmark = pytest.mark.django_db

GRADUATED = {"tiers": [{"up_to": "50", "unit_amount": "0.015"}, {"up_to": None, "unit_amount": "0.0099"}]}
VOLUME = {"tiers": [{"up_to": "100", "unit_amount": "0.02"}, {"up_to": None, "unit_amount": "0.013"}]}
PACKAGE = {"size": "7", "amount": "0.33", "free_units": "5"}
SMALL = settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

event = st.tuples(st.integers(0, 29 * 24 * 60), st.decimals(0, 60, places=3))
split_usage = st.lists(st.lists(event, max_size=6), min_size=1, max_size=5)


@contextmanager
def undone() -> Iterator[None]:
    """What happens in the block never happened: every example begins with the same database."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def subscriber() -> tuple[Story, Customer]:
    story = Story(NOV_1)
    buyer = story.customer()
    units = meter()
    story.subscribe(
        buyer,
        story.version(
            usage(units, "graduated", GRADUATED, "graduated"),
            usage(units, "volume", VOLUME, "volume"),
            usage(units, "package", PACKAGE, "package"),
            factories.fee("33.33"),
        ),
    )
    story.bill()
    story.advance(DEC_1)
    return story, buyer


def as_events(buyer: Customer, batches: list[list[Any]]) -> list[list[IncomingEvent]]:
    """The drawn batches as events whose ids do not depend on batch or order."""
    seen: Counter[Any] = Counter()
    made = []
    for batch in batches:
        events = []
        for minutes, units in batch:
            seen[minutes, units] += 1
            events.append(
                IncomingEvent(
                    id=f"{minutes} {units} {seen[minutes, units]}",
                    customer=buyer.public_id,
                    type="api_call",
                    at=NOV_1 + timedelta(minutes=minutes),
                    properties={"units": units},
                )
            )
        made.append(events)
    return made


@SMALL
@given(batches=split_usage, random=st.randoms(use_true_random=False))
def test_the_same_usage_in_any_batches_and_order_gives_the_same_invoice(batches: Any, random: Any) -> None:
    with undone():
        story, buyer = subscriber()
        events = as_events(buyer, batches)
        with undone():
            for batch in events:
                ingest(events=batch)
            expected = lines(story.bill_one())
        shuffled = [one for batch in events for one in batch]
        random.shuffle(shuffled)
        while shuffled:
            size = random.randint(1, len(shuffled))
            ingest(events=[*shuffled[:size], shuffled[0]])  # and one of them twice
            shuffled = shuffled[size:]
        assert lines(story.bill_one()) == expected
        assert is_sound()


@SMALL
@given(batches=split_usage)
def test_usage_billed_in_time_and_late_costs_together_what_it_would_have_cost_at_once(batches: Any) -> None:
    """The later bills are larger than what a falling volume price takes back, thanks to the fee."""
    with undone():
        story, buyer = subscriber()
        events = as_events(buyer, batches)
        with undone():
            for batch in events:
                ingest(events=batch)
            expected = {code: amount for code, _, _, amount in lines(story.bill_one())[:3]}
        ingest(events=events[0])
        issued = [story.bill_one()]
        for batch in events[1:]:
            ingest(events=batch)
        story.advance(JAN_1)
        issued.append(story.bill_one())
        sums: Counter[str] = Counter()
        for line in (
            line for invoice in issued for line in invoice.lines.filter(item__price__meter__isnull=False)
        ):
            sums[line.code] += line.amount_minor
        assert {code: format_major(minor, "EUR") for code, minor in sums.items()} == expected
        assert is_sound()


@SMALL
@given(batches=split_usage, is_paid=st.booleans(), is_released=st.booleans())
def test_crediting_everything_brings_every_account_back(
    batches: Any, is_paid: bool, is_released: bool
) -> None:
    with undone():
        story, buyer = subscriber()
        for batch in as_events(buyer, batches):
            ingest(events=batch)
        story.bill()
        if is_paid:
            for invoice in Invoice.objects.all():
                payments.collect_invoice(invoice_id=invoice.public_id, actor=FIONA, at=DEC_1)
        if is_released:
            story.advance(JAN_1)
            story.recognize(DEC_1.date().replace(day=31))
        for invoice in Invoice.objects.order_by("pk"):
            note = invoices.credit_invoice(
                invoice_id=invoice.public_id, reason=CreditReason.SERVICE_ISSUE, actor=FIONA, at=story.now_at
            )
            for payment in Payment.objects.filter(invoice=invoice):
                payments.refund_payment(
                    payment_id=payment.public_id,
                    amount_minor=note.refund_minor,
                    reason="all of it",
                    credit_note_id=note.public_id,
                    actor=FIONA,
                    at=story.now_at,
                )
        balances = trial_balance(legal_entity=story.seller, as_of=JAN_1.date())
        assert {row.role: row.balance_minor for row in balances if row.balance_minor} == {}
        assert is_sound()
