"""Usage by a property of the events: the values add up to the figure of the home page, and hostile ones are text."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from billing.usage.services import IncomingEvent, ingest
from customers.models import Customer
from tests import billing_factories as billing
from tests import factories
from tests.factories import START
from tests.valueverse.backoffice.reading import plain
from tests.valueverse.portal.visitors import text_of, visitor

pytestmark = pytest.mark.django_db

USAGE = "/portal/usage/"


def use(customer: Customer, event_id: str, tokens: object, **properties: object) -> None:
    event = IncomingEvent(
        event_id, customer.public_id, "llm_request", START, {"input_tokens": tokens, **properties}
    )
    assert ingest(events=[event], accept_old=True)[0].kind.value == "accepted"


def a_customer(**changes: Any) -> Customer:
    """Two models and one event without; 1,140 tokens at one cent."""
    meter = factories.meter("tokens")
    customer = billing.billed_customer(version=billing.version_with_fee(meters=[meter]), **changes)
    billing.paid_invoice(customer)
    billing.advance(customer, START + timedelta(days=3))
    use(customer, "e1", 100, model="small", region="eu")
    use(customer, "e2", 1000, model="large")
    use(customer, "e3", 40)
    return customer


def test_the_values_add_up_to_the_figure_of_the_home_page() -> None:
    customer = a_customer()
    client = visitor(customer)
    assert "11.40 EUR" in plain(text_of(client, "/portal/"))
    shown = plain(text_of(client, f"{USAGE}?by=property:model"))
    assert "1,140 used in the period · Price so far 11.40 EUR" in shown
    assert "large 1,000 1 small 100 1 Without it 40 1 Whole period 1,140 3" in shown


def test_the_page_offers_the_properties_that_the_events_have_and_the_days() -> None:
    page = text_of(visitor(a_customer()), USAGE)
    assert '<option value="property:model">model</option>' in page
    assert '<option value="property:region">region</option>' in page
    assert "property:input_tokens" not in page  # a number is added up, never split by


def test_in_german() -> None:
    shown = plain(text_of(visitor(a_customer(), language="de"), f"{USAGE}?by=property:model"))
    assert "large 1.000 1 small 100 1 Ohne Angabe 40 1 Ganzer Zeitraum 1.140 3" in shown
    assert "wird nicht auf die Werte verteilt" in shown


def test_the_file_has_the_values_and_no_formula() -> None:
    customer = a_customer()
    use(customer, "e4", 9000, model="=cmd()")
    client = visitor(customer)
    answer = client.get(f"{USAGE}export.csv?by=property:model")
    rows = list(csv.reader(io.StringIO(answer.content.decode())))
    assert rows[0] == ["model", "meter", "name", "quantity", "unit", "events"]
    assert rows[1][:4] == ["'=cmd()", "tokens", "Input tokens", "9000"]
    assert sum(int(row[3]) for row in rows[1:]) == 10140
    assert "export.csv" in text_of(client, f"{USAGE}?by=property:model")


@pytest.mark.parametrize("by", ["property:nothing", "model", "property:", "%00", "property:%27%3B--", "week"])
def test_an_unknown_property_means_the_days(by: str) -> None:
    shown = plain(text_of(visitor(a_customer()), f"{USAGE}?by={by}"))
    assert "Nov 1, 2023 1,140 11.40" in shown


def test_a_hostile_value_is_text() -> None:
    customer = a_customer()
    use(customer, "e5", 5, model="<script>alert(1)</script>")
    assert "<script>alert(1)" not in text_of(visitor(customer), f"{USAGE}?by=property:model")


def test_another_customer_s_values_are_not_there() -> None:
    customer = a_customer()
    other = billing.billed_customer(clock=customer.test_clock, version=billing.version_with_fee(meters=[]))
    use(other, "x1", 7, model="theirs")
    page = text_of(visitor(customer), f"{USAGE}?by=property:model")
    assert "theirs" not in page
