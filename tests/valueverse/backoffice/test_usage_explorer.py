"""The usage explorer: its total is the invoice line's, its parts add up, and each part leads to its events."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from billing.catalog.models import Meter
from billing.usage.services import IncomingEvent, ingest
from customers.models import Customer
from tests import factories
from tests.billing_factories import advance, billed_customer, finalized_invoice, version_with_fee
from tests.valueverse.backoffice.office import GROUPS, office, text
from tests.valueverse.backoffice.reading import addresses, plain

pytestmark = pytest.mark.django_db

EXPLORER = "/admin/usage/explorer/"
START = datetime(2023, 11, 1, tzinfo=UTC)


def used(customer: Customer, event_id: str, at: datetime, tokens: object, **properties: object) -> None:
    event = IncomingEvent(
        event_id, customer.public_id, "llm_request", at, {"input_tokens": tokens, **properties}
    )
    (verdict,) = ingest(events=[event], accept_old=True)
    assert verdict.kind.value == "accepted", verdict


def a_customer_with_usage(**changes: Any) -> tuple[Customer, Meter]:
    """Three days of usage by two models, and one event without a model; the clock stands on 20 November."""
    meter = factories.meter("input_tokens")
    customer = billed_customer(version=version_with_fee(meters=[meter]), **changes)
    finalized_invoice(customer)
    advance(customer, START + timedelta(days=19))
    used(customer, "e1", START + timedelta(days=3, hours=1), 100, model="small")
    used(customer, "e2", START + timedelta(days=3, hours=2, minutes=20), 40, model="large")
    used(customer, "e3", START + timedelta(days=5), 1000, model="large")
    used(customer, "e4", START + timedelta(days=6), "0.5")
    return customer, meter


def asked(buyer: Customer, **query: str) -> str:
    pairs = "&".join(f"{name}={value}" for name, value in {"customer": buyer.public_id, **query}.items())
    return f"{EXPLORER}?{pairs}"


@pytest.mark.parametrize("by", ["day", "hour", "property:model"])
def test_the_parts_add_up_to_the_period_whatever_it_is_split_by(by: str) -> None:
    customer, _ = a_customer_with_usage()
    shown = plain(text(office(), asked(customer, by=by)))
    assert "Total 1,140.5 4 11.41" in shown
    assert "2023-11-01 00:00 to 2023-12-01 00:00 (not included), UTC" in shown


def test_by_property_largest_first_and_events_without_it_apart() -> None:
    customer, _ = a_customer_with_usage()
    client = office()
    page = text(client, asked(customer, by="property:model"))
    shown = plain(page)
    assert "large 1,040 2 – small 100 1 – Without it 0.5 1 – Total" in shown
    (address,) = addresses(page, "large")
    behind = plain(text(client, address))
    assert "2 events, newest receipt first" in behind
    assert "model is large" in behind
    (address,) = addresses(page, "Without it")
    assert "1 event, newest receipt first" in plain(text(client, address))


def test_a_day_leads_to_its_events_with_what_the_meter_reads() -> None:
    customer, _ = a_customer_with_usage()
    client = office()
    (address,) = addresses(text(client, asked(customer)), "2023-11-04")
    shown = plain(text(client, address))
    assert "2 events, newest receipt first" in shown
    assert "e2 llm_request 2023-11-04 02:20:00" in shown
    assert '{"model": "large", "input_tokens": 40}' in shown


def test_the_total_is_that_of_the_invoice_line_and_stays_it_when_usage_comes_late() -> None:
    customer, _ = a_customer_with_usage()
    advance(customer, datetime(2023, 12, 1, tzinfo=UTC))
    invoice = finalized_invoice(Customer.objects.get(pk=customer.pk))
    line = invoice.lines.get(kind="usage")
    assert line.amount_minor == 1141
    advance(customer, datetime(2023, 12, 2, tzinfo=UTC))
    used(customer, "late", START + timedelta(days=3), 7)
    client = office()
    page = text(client, f"/admin/invoices/invoice/{invoice.pk}/change/")
    (address,) = addresses(page, "by day")
    assert "Total 1,140.5 4 11.41" in plain(text(client, address))
    (events,) = addresses(page, "4 events")
    assert "4 events, newest receipt first" in plain(text(client, events))
    whole = plain(text(client, asked(customer, **{"from": "2023-11-01", "to": "2023-11-30"})))
    assert "Total 1,147.5 5 11.48" in whole


def test_more_values_than_fit_end_in_one_row_of_all_others() -> None:
    meter = factories.meter("input_tokens")
    customer = billed_customer(version=version_with_fee(meters=[meter]))
    for number in range(53):
        used(customer, f"e{number}", START, number + 1, session=f"s{number:02}")
    shown = plain(text(office(), asked(customer, by="property:session")))
    assert "s52 53 1" in shown
    assert "All others 6 3 –" in shown  # 1, 2 and 3
    assert f"Total {sum(range(1, 54)):,} 53" in shown


def test_hostile_values_are_text_on_the_page_and_no_formula_in_the_file() -> None:
    meter = factories.meter("input_tokens")
    customer = billed_customer(version=version_with_fee(meters=[meter]))
    used(customer, "e1", START, 5, model="<script>alert(1)</script>")
    used(customer, "e2", START, 4, model="=cmd()")
    client = office()
    address = asked(customer, by="property:model")
    assert "<script>alert(1)</script>" not in text(client, address)
    response = client.get(address.replace(EXPLORER, f"{EXPLORER}usage.csv"))
    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "model,meter,quantity,unit,events,amount_so_far,currency"
    assert lines[2] == "'=cmd(),input_tokens,4,C62,1,,EUR"
    assert lines[3] == "total,input_tokens,9,C62,2,0.09,EUR"


def test_the_amount_so_far_grows_day_by_day_to_the_price_of_the_period() -> None:
    customer, _ = a_customer_with_usage()
    shown = plain(text(office(), asked(customer)))
    assert "2023-11-04 140 2 1.40 2023-11-06 1,000 1 11.40 2023-11-07 0.5 1 11.41" in shown


def test_days_that_begin_no_period_have_quantities_and_no_amount() -> None:
    customer, _ = a_customer_with_usage()
    shown = plain(text(office(), asked(customer, **{"from": "2023-11-05", "to": "2023-11-06"})))
    assert "Total 1,000 1 –" in shown
    assert "Amounts need days that begin with a service period" in shown


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"customer": "nobody"}, "No customer has this id"),
        ({"customer": "Customer"}, "Several customers fit"),
        ({"meter": "none"}, "There is no such meter"),
        ({"from": "yesterday", "to": "2023-11-30"}, "A day reads like 2023-11-30."),
        ({"from": "2023-11-30", "to": "2023-11-01"}, "The last day is before the first."),
        ({"from": "2020-01-01", "to": "2023-11-01"}, "At most 400 days at once"),
        ({"from": "2023-01-01", "to": "2023-11-01", "by": "hour"}, "At most 32 days at once"),
        ({"from": "2023-01-01", "to": "2023-11-01", "by": "property:model"}, "At most 100 days at once"),
        ({"by": "week"}, "Usage is not split by this"),
        ({"from": "0001-01-01", "to": "9999-12-31"}, "The first day is 2000-01-01."),
        ({"received_until": "soon"}, "Follow the link again"),
    ],
)
def test_nonsense_is_an_error_at_its_field(query: dict[str, str], says: str) -> None:
    customer, _ = a_customer_with_usage()
    factories.customer()
    response = office().get(asked(customer, **query))
    assert response.status_code == 400
    assert says in plain(response.content.decode())


@pytest.mark.parametrize(
    "query",
    ["", "?customer=nobody", "?entity=x", "?at_from=x&entity=1", "?meter=none", "?property=%00&customer=x"],
)
def test_events_of_nonsense_are_an_error_and_never_a_crash(query: str) -> None:
    assert office().get(f"{EXPLORER}events/{query}").status_code == 400


def test_nobody_has_used_anything_yet() -> None:
    shown = plain(text(office(), EXPLORER))
    assert "Name a customer" in shown
    assert "POST /api/v1/usage/events/batch" in shown


@pytest.mark.parametrize("group", [*GROUPS, None])
def test_the_explorer_is_for_the_groups_and_nobody_else(group: str | None) -> None:
    customer, _ = a_customer_with_usage()
    client, expected = office(group), 403 if group is None else 200
    for address in (
        asked(customer),
        asked(customer).replace(EXPLORER, f"{EXPLORER}usage.csv"),
        f"{EXPLORER}events/?customer={customer.public_id}",
        "/admin/reports/recurring-revenue/",
    ):
        assert client.get(address).status_code == expected, address


def test_a_number_keeps_its_digits() -> None:
    meter = factories.meter("input_tokens")
    customer = billed_customer(version=version_with_fee(meters=[meter]))
    used(customer, "e1", START, Decimal("12345678901234567.123456789012"))
    shown = plain(text(office(), f"{EXPLORER}events/?customer={customer.public_id}&meter={meter.code}"))
    assert '"input_tokens": 12345678901234567.123456789012' in shown
    assert "12,345,678,901,234,567.123456789012 Accepted" in shown
