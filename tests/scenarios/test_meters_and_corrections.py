"""Meters of all kinds on an invoice, and usage that turned out wrong after it was billed."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from billing.catalog.services import PriceInput
from billing.core.aggregation import OverlappingFilters
from billing.core.errors import InvalidInput
from billing.invoices.recompute import recompute_line
from billing.platform.scopes import Scope
from billing.revenue.models import LateUsageDecision
from billing.revenue.services import decide_late_usage
from billing.subscriptions.models import BilledPeriod
from billing.usage import services as usage_services
from billing.usage.services import IncomingEvent, ingest
from customers.models import Customer
from tests import factories
from tests.people import client_with_key
from tests.scenarios.story import (
    DEC_1,
    DECEMBER,
    FIONA,
    JAN_1,
    NOV_1,
    NOVEMBER,
    Story,
    is_sound,
    lines,
    meter,
    usage,
    utc,
)
from tests.valueverse.backoffice.office import act, office, page, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def story() -> Story:
    return Story()


def send(customer: Customer, event_id: str, day: int, **properties: Any) -> None:
    event = IncomingEvent(
        id=event_id,
        customer=customer.public_id,
        type="api_call",
        at=utc(2023, 11, day, 12),
        properties=properties,
    )
    assert ingest(events=[event])[0].kind == "accepted"


def why(story: Story) -> dict[str, Any]:
    return {"reason": "counted twice by the sender", "actor": FIONA, "at": story.now_at}


def price(of: Any, amount: str = "1", code: str = "", **changes: Any) -> PriceInput:
    return PriceInput(
        code=code or of.code,
        name=of.name,
        model="per_unit",
        definition={"unit_amount": amount},
        meter=of,
        **changes,
    )


def proofs(invoice: Any) -> list[bool]:
    """Whether each line computes to what it says, from the events."""
    return [recompute_line(invoice=invoice, line=line).matches for line in invoice.lines.order_by("position")]


def test_every_kind_of_meter_is_billed_accrued_and_proved(story: Story) -> None:
    """Peak 9, two users, the 50 held for half of the 30 days, and 3 calls of 1.5 each rounded up: as on one invoice."""
    meters = [
        meter("peak", aggregation="max", property="load"),
        meter("users", aggregation="unique_count", property="user"),
        meter("held", aggregation="weighted_sum", property="gb"),
        meter("cost", aggregation="expression", property="", expression="calls * 1.5", rounding="ceil"),
        meter("p50", aggregation="percentile", property="load", percentile=Decimal(50)),
    ]
    acme = story.customer()
    story.subscribe(acme, story.version(*(price(one) for one in meters)))
    story.advance(utc(2023, 11, 17))
    for name, day, load, user, gb in (("a", 2, 9, "ada", 0), ("b", 3, 4, "bob", 0), ("c", 16, 5, "ada", 100)):
        send(acme, name, day, load=load, user=user, gb=gb, calls=1)
    story.recognize(NOVEMBER + timedelta(days=29))
    story.advance(DEC_1)
    invoice = story.bill_one()
    assert [(code, quantity) for code, _, quantity, _ in lines(invoice)] == [
        ("peak", "9"),
        ("users", "2"),
        ("held", "48.333333333333"),
        ("cost", "5"),
        ("p50", "5"),
    ]
    assert all(proofs(invoice))
    assert is_sound()


def test_grouped_meter_has_a_line_per_group_and_late_usage_a_line_of_its_group(story: Story) -> None:
    of = meter("tokens", property="units", group_by=["model", "region"])
    acme = story.customer()
    story.subscribe(acme, story.version(price(of, "0.10")))
    story.advance(utc(2023, 11, 20))
    send(acme, "a", 2, units=100, model="large", region="eu")
    send(acme, "b", 3, units=50, model="small", region="eu")
    send(acme, "c", 4, units=7, model="large")
    story.advance(DEC_1)
    invoice = story.bill_one()
    assert [
        (line.description, line.quantity, line.amount_minor) for line in invoice.lines.order_by("position")
    ] == [
        ("Units (model: large, region: eu)", 100, 1000),
        ("Units (model: large, region: none)", 7, 70),
        ("Units (model: small, region: eu)", 50, 500),
    ]
    assert BilledPeriod.objects.filter(reason="usage", released_at=None).count() == 1
    assert all(proofs(invoice))
    send(acme, "late", 28, units=5, model="small", region="eu")
    send(acme, "new", 29, units=2, model="tiny", region="eu")
    story.advance(JAN_1)
    later = story.bill_one()
    assert [
        (line.description, line.kind, line.amount_minor) for line in later.lines.order_by("position")
    ] == [
        ("Units", "usage", 0),
        ("Units (model: small, region: eu)", "late_usage", 50),
        ("Units (model: tiny, region: eu)", "late_usage", 20),
    ]
    assert all(proofs(later))
    assert story.bill() == []
    assert is_sound()


def test_prices_with_filters_part_the_events_of_one_meter(story: Story) -> None:
    """Each event falls to one price; the one without filters takes the rest, and together they are the meter."""
    of = meter("calls", aggregation="count", property="")
    acme = story.customer()
    version = story.version(
        price(of, "1", "large", filters={"model": ["large"]}),
        price(of, "2", "small", filters={"model": ["small", "tiny"]}),
        price(of, "5", "others"),
    )
    story.subscribe(acme, version)
    story.advance(utc(2023, 11, 20))
    for place, model in enumerate(("large", "large", "tiny", "medium", None)):
        send(acme, f"e{place}", 5, **({"model": model} if model else {}))
    story.recognize(NOVEMBER + timedelta(days=29))
    story.advance(DEC_1)
    invoice = story.bill_one()
    assert lines(invoice) == [
        ("large", "usage", "2", "2.00"),
        ("small", "usage", "1", "2.00"),
        ("others", "usage", "2", "10.00"),
    ]
    assert all(proofs(invoice))
    assert is_sound()


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"model": ["large"]}, {"model": ["small", "large"]}),
        ({"model": ["large"]}, {"region": ["eu"]}),
        ({"model": ["large"]}, {"model": ["large"], "region": ["eu"]}),
    ],
)
def test_filters_that_overlap_are_refused_when_published(
    first: dict[str, list[str]], second: dict[str, list[str]]
) -> None:
    """I14: an event would fall to two prices."""
    of = meter("calls", aggregation="count", property="")
    with pytest.raises(OverlappingFilters) as refused:
        factories.plan_version(
            prices=[price(of, code="first", filters=first), price(of, code="second", filters=second)]
        )
    assert "filters" in refused.value.fields


def test_canceled_usage_of_an_open_period_is_never_billed(story: Story) -> None:
    acme = story.customer()
    story.subscribe(acme, story.version(usage()))
    story.advance(utc(2023, 11, 20))
    story.use(acme, utc(2023, 11, 5), 1000, event_id="twice")
    story.use(acme, utc(2023, 11, 6), 500, event_id="once")
    usage_services.cancel_events(customer_id=acme.public_id, event_ids=["twice"], **why(story))
    story.advance(DEC_1)
    invoice = story.bill_one()
    assert lines(invoice) == [("usage", "usage", "500", "5.00")]
    assert all(proofs(invoice))
    assert is_sound()


def test_correction_of_a_billed_period_is_a_line_of_the_next_invoice(story: Story) -> None:
    """2,000 of 3,000 units were counted twice: December's invoice takes 20.00 back, November's stays as it was."""
    acme = story.customer()
    story.subscribe(acme, story.version(usage()))
    story.advance(utc(2023, 11, 20))
    story.use(acme, utc(2023, 11, 5), 1000, event_id="right")
    story.use(acme, utc(2023, 11, 6), 2000, event_id="twice")
    story.advance(DEC_1)
    november = story.bill_one()
    assert lines(november) == [("usage", "usage", "3000", "30.00")]
    story.advance(utc(2023, 12, 12))
    usage_services.cancel_events(customer_id=acme.public_id, event_ids=["twice"], **why(story))
    story.use(acme, utc(2023, 12, 5), 5000)
    story.advance(JAN_1)
    december = story.bill_one()
    assert lines(december) == [
        ("usage", "usage", "5000", "50.00"),
        ("usage", "late_usage", "-2000", "-20.00"),
    ]
    assert all(proofs(november))
    assert all(proofs(december))
    story.close(NOVEMBER)
    story.recognize(DECEMBER + timedelta(days=30))
    assert is_sound()


def test_correction_that_is_taken_back_leaves_nothing_to_bill(story: Story) -> None:
    acme = story.customer()
    story.subscribe(acme, story.version(usage()))
    story.advance(utc(2023, 11, 20))
    story.use(acme, utc(2023, 11, 6), 2000, event_id="twice")
    story.advance(DEC_1)
    story.bill_one()
    correction = usage_services.cancel_events(customer_id=acme.public_id, event_ids=["twice"], **why(story))
    usage_services.revert_correction(correction_id=correction.public_id, **why(story))
    story.advance(JAN_1)
    assert lines(story.bill_one()) == [("usage", "usage", "0", "0.00")]
    assert is_sound()


def test_less_than_nothing_costs_nothing(story: Story) -> None:
    """A month of returns only: zero, and what comes late is priced from zero up, not from below it."""
    of = meter("units", allow_negative=True)
    acme = story.customer()
    story.subscribe(acme, story.version(usage(of)))
    story.advance(utc(2023, 11, 20))
    story.use(acme, utc(2023, 11, 6), -500)
    story.recognize(NOVEMBER + timedelta(days=29))
    story.advance(DEC_1)
    first = story.bill_one()
    assert lines(first) == [("usage", "usage", "0", "0.00")]
    story.use(acme, utc(2023, 11, 28), 800)
    story.advance(JAN_1)
    second = story.bill_one()
    assert lines(second)[1] == ("usage", "late_usage", "300", "3.00")
    assert all(proofs(first))
    assert all(proofs(second))
    assert is_sound()


def test_seats_are_carried_over_and_prorated(story: Story) -> None:
    """Ada from 1 November, Bob from the 16th: 1 + 15/30 seats; in December both are there without a new event."""
    seats = meter("seats", aggregation="unique_count", property="user", recurring=True, prorated=True)
    acme = story.customer()
    story.subscribe(acme, story.version(price(seats, "10")))
    story.advance(utc(2023, 11, 17))
    send(acme, "ada", 1, user="ada")
    send(acme, "bob", 16, user="bob")
    story.advance(DEC_1)
    assert [(q, a) for _, _, q, a in lines(story.bill_one())] == [("1.5", "15.00")]
    story.advance(JAN_1)
    invoice = story.bill_one()
    assert [(q, a) for _, _, q, a in lines(invoice)] == [("2", "20.00")]
    assert all(proofs(invoice))
    assert is_sound()


def test_nothing_used_is_a_line_of_zero(story: Story) -> None:
    acme = story.customer()
    of = meter("peak", aggregation="max", property="load")
    story.subscribe(acme, story.version(price(of)))
    story.advance(NOV_1 + timedelta(days=31))
    assert [(q, a) for _, _, q, a in lines(story.bill_one())] == [("0", "0.00")]
    assert is_sound()


def test_correction_above_the_next_invoice_waits_for_one_that_is_large_enough(story: Story) -> None:
    """November's 30.00 were wrong, December is only 5.00: nothing is parked, and February's invoice takes it back."""
    acme = story.customer()
    story.subscribe(acme, story.version(usage()))
    story.advance(utc(2023, 11, 20))
    story.use(acme, utc(2023, 11, 6), 3000, event_id="wrong")
    story.advance(DEC_1)
    november = story.bill_one()
    usage_services.cancel_events(customer_id=acme.public_id, event_ids=["wrong"], **why(story))
    story.advance(utc(2023, 12, 12))
    story.use(acme, utc(2023, 12, 5), 500)
    story.advance(JAN_1)
    assert lines(story.bill_one()) == [("usage", "usage", "500", "5.00")]
    story.advance(utc(2024, 1, 20))
    story.use(acme, utc(2024, 1, 15), 4000)
    story.advance(utc(2024, 2, 1))
    february = story.bill_one()
    assert lines(february) == [
        ("usage", "usage", "4000", "40.00"),
        ("usage", "late_usage", "-3000", "-30.00"),
    ]
    late = february.lines.get(kind="late_usage")
    assert late.working["corrects"] == november.public_id
    assert all(proofs(february))
    assert is_sound()


def test_why_page_names_the_corrected_invoice_and_the_reason(story: Story) -> None:
    acme = story.customer()
    story.subscribe(acme, story.version(usage(), factories.fee()))
    story.bill()
    story.advance(utc(2023, 11, 20))
    story.use(acme, utc(2023, 11, 6), 3000, event_id="wrong")
    story.advance(DEC_1)
    november = story.bill_one()
    usage_services.cancel_events(customer_id=acme.public_id, event_ids=["wrong"], **why(story))
    story.advance(JAN_1)
    december = story.bill_one()
    shown = text(office("Finance manager"), page(december))
    assert "counted twice by the sender" in shown
    assert "Last by" in shown
    assert november.number in shown


def late(story: Story, quantity: int, **terms: Any) -> tuple[Customer, Any]:
    """A customer with 1,000 units on November's invoice and `quantity` more that arrived later, before December's."""
    acme = story.customer()
    subscription = story.subscribe(acme, story.version(usage(), **terms))
    story.advance(utc(2023, 11, 20))
    story.use(acme, utc(2023, 11, 6), 1000)
    story.recognize(NOVEMBER + timedelta(days=29))
    story.advance(DEC_1)
    story.bill_one()
    story.use(acme, utc(2023, 11, 28), quantity)
    story.close(NOVEMBER)
    story.advance(JAN_1)
    return acme, subscription


@pytest.mark.parametrize(
    ("quantity", "amounts"), [(50, ["0.00"]), (51, ["0.00", "0.51"]), (500, ["0.00", "5.00"])]
)
def test_small_late_usage_is_let_go_where_the_plan_says_so(
    story: Story, quantity: int, amounts: list[str]
) -> None:
    """Up to 0.50 a price and period: no line, no revenue, and never due again."""
    late(story, quantity, late_usage="forgive", late_usage_up_to="0.50")
    assert [amount for _, _, _, amount in lines(story.bill_one())] == amounts
    story.recognize(DECEMBER + timedelta(days=30))
    assert is_sound()
    story.advance(utc(2024, 2, 1))
    assert [amount for _, _, _, amount in lines(story.bill_one())] == ["0.00"]
    story.recognize(DECEMBER + timedelta(days=61))
    assert is_sound()


def test_what_customers_get_back_is_never_let_go(story: Story) -> None:
    acme = story.customer()
    story.subscribe(acme, story.version(usage(), late_usage="forgive", late_usage_up_to="100.00"))
    story.advance(utc(2023, 11, 20))
    story.use(acme, utc(2023, 11, 6), 1000, event_id="wrong")
    story.advance(DEC_1)
    story.bill_one()
    story.use(acme, utc(2023, 12, 1), 5000)
    usage_services.cancel_events(customer_id=acme.public_id, event_ids=["wrong"], **why(story))
    story.advance(JAN_1)
    assert lines(story.bill_one())[1] == ("usage", "late_usage", "-1000", "-10.00")
    assert is_sound()


@pytest.mark.parametrize(("decision", "amounts"), [("bill", ["0.00", "5.00"]), ("forgive", ["0.00"])])
def test_plan_that_asks_bills_late_usage_as_it_was_decided(
    story: Story, decision: str, amounts: list[str]
) -> None:
    _, subscription = late(story, 500, late_usage="ask")
    subscription.refresh_from_db()
    assert [amount for _, _, _, amount in lines(story.bill_one())] == ["0.00"]
    client = office("Finance clerk")
    address = page(subscription, "late-usage")
    assert "5.00" in text(client, address)
    assert office("Support").get(address).status_code == 403
    answer = act(client, subscription, "late-usage", decision=decision, reason="as agreed by phone")
    assert answer.status_code == 302, answer.content.decode()
    story.advance(utc(2024, 2, 1))
    assert [amount for _, _, _, amount in lines(story.bill_one())] == amounts
    story.recognize(DECEMBER + timedelta(days=61))
    assert is_sound()
    story.advance(utc(2024, 3, 1))
    assert [amount for _, _, _, amount in lines(story.bill_one())] == ["0.00"]


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ({"late_usage": "never"}, "late_usage"),
        ({"late_usage": "forgive"}, "late_usage_up_to"),
        ({"late_usage": "bill", "late_usage_up_to": "5.00"}, "late_usage_up_to"),
    ],
)
def test_policy_that_says_nothing_sensible_is_refused(
    story: Story, terms: dict[str, str], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        story.version(usage(), **terms)
    assert field in refused.value.fields


@pytest.mark.parametrize(
    ("decision", "reason", "field"), [("wait", "x", "decision"), ("bill", " ", "reason")]
)
def test_decision_that_decides_nothing_is_refused(
    story: Story, decision: str, reason: str, field: str
) -> None:
    _, subscription = late(story, 500, late_usage="ask")
    with pytest.raises(InvalidInput) as refused:
        decide_late_usage(
            subscription_id=subscription.public_id,
            decision=decision,
            reason=reason,
            actor=FIONA,
            at=story.now_at,
        )
    assert field in refused.value.fields
    assert not LateUsageDecision.objects.exists()


def test_late_usage_is_decided_over_the_api(story: Story) -> None:
    _, subscription = late(story, 500, late_usage="ask")
    key = factories.api_key(scopes=[Scope.USAGE_READ, Scope.SUBSCRIPTIONS_WRITE]).secret
    client, address = client_with_key(key), f"/api/v1/subscriptions/{subscription.public_id}/late-usage"
    (row,) = client.get(address).json()["waiting"]
    assert (row["code"], row["quantity"], row["amount"], row["currency"]) == ("usage", "500", "5.00", "EUR")
    body = {"decision": "forgive", "reason": "goodwill"}
    assert client.post(address, body, format="json").json() == {"waiting": []}
    decision = LateUsageDecision.objects.get()
    assert (decision.decision, decision.reason) == ("forgive", "goodwill")
    with connection.cursor() as cursor, pytest.raises(DatabaseError), transaction.atomic():
        cursor.execute("UPDATE revenue_lateusagedecision SET decision = 'bill'")
