"""The dashboard: every figure equals the list it leads to, and one that fails stays alone."""

import html
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from billing.invoices.models import Invoice
from billing.usage.services import IncomingEvent, ingest
from customers.models import Customer, TestClock
from customers.selectors import now_for
from payments.models import Payment
from tests import factories
from tests.billing_factories import (
    advance,
    billed_customer,
    finalized_invoice,
    paid_invoice,
    receipt,
    version_with_fee,
)
from tests.scenarios.story import Story
from tests.valueverse.backoffice.office import GROUPS, office, text
from tests.valueverse.backoffice.reading import addresses, listed, plain
from tests.valueverse.backoffice.runs import drafted_run, on_row
from valueverse.backoffice import dashboard_tiles

pytestmark = pytest.mark.django_db

FIGURES = "/admin/dashboard/figures/"


def sent(customer: Customer, count: int, **properties: object) -> None:
    at = now_for(customer)
    events = [
        IncomingEvent(f"e{number}", customer.public_id, "llm_request", at, {"input_tokens": 10, **properties})
        for number in range(count)
    ]
    assert {verdict.kind.value for verdict in ingest(events=events)} == {"accepted"}


def minor(rows: list[Any], name: str) -> int:
    return sum(getattr(row, name) for row in rows)


def a_month_of_work() -> tuple[Client, TestClock]:
    """Two months of three customers: one pays, one pays a part, one pays nothing and is overdue."""
    clock, version = factories.test_clock(), version_with_fee()
    payer = billed_customer(clock=clock, version=version)
    paid_invoice(payer)
    partly = billed_customer(clock=clock, version=version, method=None)
    receipt(partly, 5000, invoice=finalized_invoice(partly))
    late = billed_customer(clock=clock, version=version, method=None)
    finalized_invoice(late)
    advance(payer, datetime(2023, 12, 3, 12, tzinfo=UTC))
    paid_invoice(Customer.objects.get(pk=payer.pk))
    for customer in (partly, late):
        finalized_invoice(Customer.objects.get(pk=customer.pk))
    return office(), clock


def test_every_figure_equals_the_sum_of_the_list_it_leads_to() -> None:
    client, clock = a_month_of_work()
    page = text(client, f"/admin/?entity={clock.legal_entity_id}")
    shown = plain(page)
    assert "as of 2023-12-03 13:00 Europe/Berlin" in shown

    invoices = Invoice.objects.filter(legal_entity=clock.legal_entity, status="finalized")
    december = [row for row in invoices if row.issued_on and row.issued_on.month == 12]
    assert len(december) == 3
    for figure, name, address_part in (
        (minor(december, "total_minor"), "total_minor", "issued_on__gte=2023-12-01"),
        (minor(list(invoices), "open_minor"), "open_minor", "settlement=open"),
    ):
        words = f"{figure // 100:,}.{figure % 100:02} EUR"
        (address,) = {one for one in addresses(page, words) if address_part in one and "due_on" not in one}
        assert minor(listed(client, address), name) == figure
    received = Payment.objects.filter(legal_entity=clock.legal_entity, status="succeeded")
    collected = minor(
        [row for row in received if row.received_on and row.received_on.month == 12], "amount_minor"
    )
    (address,) = {one for one in addresses(page, f"{collected / 100:.2f} EUR") if "payments/payment" in one}
    assert minor(listed(client, address), "amount_minor") == collected > 0
    before = minor(
        [row for row in received if row.received_on and row.received_on.month == 11], "amount_minor"
    )
    (address,) = {one for one in addresses(page, f"Nov 2023 {before / 100:.2f}") if "payments/payment" in one}
    assert minor(listed(client, address), "amount_minor") == before > 0


def test_overdue_is_split_by_age_and_every_bar_has_its_list() -> None:
    client, clock = a_month_of_work()
    page = text(client, f"{FIGURES}?entity={clock.legal_entity_id}")
    overdue = [
        row
        for row in Invoice.objects.filter(legal_entity=clock.legal_entity, status="finalized")
        if row.due_on and row.due_on < date(2023, 12, 3) and row.open_minor
    ]
    ages = [one for one in set(_links(page)) if "due_on__lte" in one]
    assert len(ages) == 4
    assert sum(minor(listed(client, address), "open_minor") for address in ages) == minor(
        overdue, "open_minor"
    )
    (whole,) = {one for one in _links(page) if "due_on__lt=" in one}
    assert minor(listed(client, whole), "open_minor") == minor(overdue, "open_minor") > 0


def _links(page: str) -> list[str]:
    return [html.unescape(address) for address in re.findall(r'href="([^"]+)"', page)]


def test_mrr_equals_its_list_and_each_customer_s_page() -> None:
    client, clock = a_month_of_work()
    page = text(client, f"/admin/?entity={clock.legal_entity_id}")
    (address,) = addresses(page, "297.00 EUR")
    behind = plain(text(client, address))
    assert behind.count("99.00 EUR") == 3
    assert "All 3 in EUR 297.00" in behind


def test_usage_of_today_by_hour_equals_the_events_received() -> None:
    meter = factories.meter()
    customer = billed_customer(version=version_with_fee(meters=[meter]))
    sent(customer, 7)
    client, entity = office(), customer.legal_entity_id
    page = text(client, f"/admin/?entity={entity}")
    (address,) = addresses(page, "7 events")
    assert "7 events, newest receipt first" in plain(text(client, address))
    hours = [one for one in addresses(page, "7") if "received_to" in one]
    assert len(hours) == 1
    assert "7 events, newest receipt first" in plain(text(client, hours[0]))


def test_twelve_months_stand_in_a_table_and_each_leads_to_its_list() -> None:
    client, clock = a_month_of_work()
    page = text(client, f"/admin/dashboard/charts/?entity={clock.legal_entity_id}")
    shown = plain(page)
    assert "January 2023 0.00 0.00" in shown
    assert "December 2023 353.43 117.81" in shown
    billed = [one for one in addresses(page, "353.43") if "issued_on__gte=2023-12-01" in one]
    assert minor(listed(client, billed[0]), "total_minor") == 35343


def test_a_figure_that_fails_says_so_and_the_others_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    client, clock = a_month_of_work()

    def too_slow(seller: object) -> list[object]:
        raise OperationalError("canceling statement due to statement timeout")

    monkeypatch.setattr(dashboard_tiles, "open_tile", too_slow)
    shown = plain(text(client, f"/admin/?entity={clock.legal_entity_id}"))
    assert shown.count("Not counted: the database did not answer in time. Try again") == 1
    assert "MRR 297.00 EUR" in shown


def test_a_question_that_takes_too_long_is_given_up_and_leaves_no_limit_behind() -> None:
    from django.db import connection

    from valueverse.patience import attempt

    def slow() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(5)")

    def limit() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            return str(cursor.fetchone()[0])

    before = limit()
    assert attempt("slow", slow, patience_ms=50) is None
    assert attempt("fast", limit, patience_ms=50) == "50ms"
    assert limit() == before


def test_what_waits_is_counted_and_leads_to_its_list() -> None:
    story = Story(datetime(2023, 11, 1, tzinfo=UTC), rate="")  # no tax rate: the customer cannot be billed
    story.subscribe(story.customer(), story.version(factories.fee()))
    run, client = drafted_run(), office()
    row = run.customers.get(status="parked")
    page = text(client, f"/admin/dashboard/needs/?entity={row.customer.legal_entity_id}")
    (address,) = addresses(page, "1 bill run in review")
    assert listed(client, address) == [run]
    (address,) = addresses(page, "1 parked customer in the last run")
    shown = text(client, address)
    assert "Retry failed (1)" in plain(shown)
    assert row.customer.name in shown
    customer = plain(text(client, f"/admin/customers/customer/{row.customer_id}/change/"))
    assert f"Not billed by the run as of {run.as_of:%Y-%m-%d %H:%M} UTC : {row.error_message}" in customer
    on_row(client, row, "hold", reason="Asked for a new contract")
    page = text(client, f"/admin/dashboard/needs/?entity={row.customer.legal_entity_id}")
    (address,) = addresses(page, "1 customer held in the last run")
    assert row.customer.name in text(client, address)


def test_an_empty_installation_shows_five_steps_that_tick_themselves() -> None:
    client = office()
    assert plain(text(client, "/admin/")).count("To do") == 5
    clock = factories.test_clock()
    shown = plain(text(client, "/admin/"))
    assert (shown.count("To do"), shown.count("Done")) == (4, 1)
    version = version_with_fee()
    assert plain(text(client, "/admin/")).count("To do") == 2
    billed_customer(clock=clock, version=version)
    assert "To the first invoice" not in plain(text(client, "/admin/"))


@pytest.mark.parametrize(
    "query", ["?entity=0", "?entity=x", "?entity=%00", "?entity=99999999999999999999", "?x=1"]
)
def test_a_dashboard_of_nonsense_is_that_of_the_first_legal_entity(query: str) -> None:
    invoice = finalized_invoice()
    assert str(invoice.legal_entity) in plain(text(office(), f"/admin/{query}"))


def test_parts_are_found_by_name_only() -> None:
    finalized_invoice()
    assert office().get("/admin/dashboard/nothing/").status_code == 404
    assert "no-store" in office().get("/admin/dashboard/figures/").headers["Cache-Control"]
    assert Client().get("/admin/dashboard/figures/").status_code == 302


@pytest.mark.parametrize("group", [*GROUPS, None])
def test_everybody_sees_the_figures_of_their_work(group: str | None) -> None:
    finalized_invoice()
    shown = plain(text(office(group), "/admin/"))
    assert ("MRR 99.00 EUR" in shown) == (group is not None)
    assert ("Last bill run" in shown) == (group not in (None, "Support"))
    assert ("controls at zero" in shown) == (group not in (None, "Support"))
    if group is None:
        assert "You may not see anything here yet" in shown


def test_parts_name_where_they_are_read_again() -> None:
    invoice = finalized_invoice()
    page = text(office(), "/admin/")
    assert page.count('data-live-group="dashboard"') == 4
    for part in ("needs", "figures", "charts", "state"):
        assert f'data-live-refresh="/admin/dashboard/{part}/?entity={invoice.legal_entity_id}"' in page


def test_a_failed_payment_stands_there_for_a_week() -> None:
    from payments import services as payments
    from payments.gateways.test import TestMethod
    from tests.factories import ACTOR

    customer = billed_customer(method=TestMethod.DECLINES)
    invoice = finalized_invoice(customer)
    payments.collect_invoice(invoice_id=invoice.public_id, actor=ACTOR, at=now_for(customer))
    client, address = office(), f"/admin/dashboard/needs/?entity={invoice.legal_entity_id}"
    (behind,) = addresses(text(client, address), "1 failed payment in 7 days")
    assert [row.invoice for row in listed(client, behind)] == [invoice]
    assert customer.test_clock
    type(customer.test_clock).objects.filter(pk=customer.test_clock.pk).update(
        now_at=now_for(customer) + timedelta(days=8)
    )
    assert "failed payment" not in plain(text(client, address))
