"""Reviewing a run through its page: look, hold, exclude, retry; each with its way back."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from billing.activity.models import Activity
from billing.catalog.models import Meter
from billing.invoices import services
from billing.invoices.models import BillingHold, BillRun, BillRunCustomer, Invoice
from billing.subscriptions.models import BilledPeriod
from customers.models import Customer
from customers.selectors import now_for
from tests import factories
from tests.billing_factories import advance, billed_customer, version_with_fee
from tests.factories import ACTOR
from tests.scenarios.story import DEC_1, NOV_1, Story, everything, usage
from tests.valueverse.backoffice.office import act, office, page, said, text
from tests.valueverse.backoffice.runs import (
    REVIEW,
    drafted_run,
    on_row,
    row_of,
    run_in_review,
    shown,
    work,
)

pytestmark = pytest.mark.django_db


def test_each_draft_stands_beside_the_last_invoice_with_what_changed_and_why() -> None:
    story = Story(NOV_1)
    buyer = story.customer(name="Brightchat")
    story.subscribe(buyer, story.version(usage(), factories.fee()))
    first = story.bill_one()
    story.use(buyer, NOV_1, 4972)
    story.advance(DEC_1)
    run = drafted_run()
    row = run.customers.get()
    assert (row.total_minor, row.last_total_minor) == (17698, 11781)
    assert row.flags == ["off"]
    found = shown(office(), run)
    for part in (
        "Brightchat",
        str(first.number),
        "first usage billed",
        "117.81 to 176.98 EUR",
        "+59.17 (+50 %)",
        "same",
        "Why 49.72?",
        "frozen",
        "+49.72",
    ):
        assert part in found, part


def test_price_and_tax_changes_say_from_what_to_what() -> None:
    story = Story(NOV_1)
    buyer = story.customer()
    old = story.version(factories.fee())
    bought = story.subscribe(buyer, old)
    story.bill()
    dearer = story.version(factories.fee("119.00"))
    item = bought.items.get()
    item.price = dearer.prices.get()
    item.save()
    story.advance(DEC_1)
    row = drafted_run().customers.get()
    assert row.flags == ["price_changed"]
    assert "99.00 to 119.00" in row.flag_notes["price_changed"]
    assert "Price changed" in shown(office(), row.run)


def test_an_active_meter_without_usage_and_a_first_invoice_are_flagged() -> None:
    story = Story(NOV_1)
    buyer = story.customer()
    story.subscribe(buyer, story.version(usage(), factories.fee()))
    assert drafted_run().customers.get().flags == ["first_invoice"]
    services.bill_due(as_of=DEC_1, actor=ACTOR, at=DEC_1)
    (run,) = BillRun.objects.all()
    services.cancel_bill_run(run=run, actor=ACTOR, at=NOV_1)
    story.bill()
    story.advance(DEC_1)
    row = drafted_run().customers.get()
    assert row.flags == ["no_usage"]
    assert Meter.objects.get().code in row.flag_notes["no_usage"]


def test_looking_at_a_draft_is_noted_with_the_name_goes_on_and_is_taken_back() -> None:
    run, client = run_in_review(3), office()
    row = row_of(run)
    then = f"?row={row_of(run, 1).pk}"
    answer = on_row(client, row, "look", then=then)
    assert answer.url == f"{page(run)}{then}#pair"
    row.refresh_from_db()
    assert row.looked_at is not None
    found = shown(client, run)
    assert "Looked at 1 of 3" in found
    assert "Not looked at" in found
    on_row(client, row, "unlook")
    row.refresh_from_db()
    assert row.looked_at is None


def test_a_held_customer_is_left_out_stays_held_and_is_billed_by_the_run_after_its_release() -> None:
    run, client = run_in_review(2), office()
    row = row_of(run)
    on_row(client, row, "hold", reason="Contract is being amended", until_on="")
    row.refresh_from_db()
    assert row.status == "held"
    assert "Contract is being amended" in shown(client, run, f"?tab=held&row={row.pk}")
    assert "Approve 1 invoice, 117.81 EUR" in text(client, page(run, "approve"))
    act(client, run, "approve")
    act(client, run, "finalize")
    work(run)
    assert (run.status, Invoice.objects.filter(status="finalized").count()) == ("completed", 1)
    draft = Invoice.objects.get(status="draft")
    assert draft.customer == row.customer
    assert "Billing is on hold" in text(client, page(row.customer))
    assert row.customer.name in text(client, "/admin/invoices/invoice/?on_hold=yes")
    assert services.bill_due(as_of=now_for(row.customer), actor=ACTOR, at=now_for(row.customer)) == []
    refused = client.post(page(draft, "finalize"), {"step": "look"}).content.decode()
    assert "on hold" in refused
    act(client, row.customer, "release")
    services.bill_due(as_of=now_for(row.customer), actor=ACTOR, at=now_for(row.customer))
    assert set(Invoice.objects.values_list("status", flat=True)) == {"finalized"}


def test_a_hold_ends_by_itself_on_its_day_by_the_customer_s_clock() -> None:
    customer = billed_customer(method=None)
    at = now_for(customer)
    client = office()
    day = (at + timedelta(days=10)).date().isoformat()
    look = client.post(page(customer, "hold"), {"reason": "Dispute", "until_on": day, "step": "look"})
    assert f"until {day}" in look.content.decode()
    act(client, customer, "hold", reason="Dispute", until_on=day)
    assert not services.something_is_due(as_of=at)
    advance(customer, at + timedelta(days=11))
    assert services.something_is_due(as_of=at + timedelta(days=11))


def test_a_released_customer_is_back_in_review_with_the_same_draft() -> None:
    run, client = run_in_review(1), office()
    row, draft = row_of(run), Invoice.objects.get()
    on_row(client, row, "hold", reason="Wait")
    on_row(client, row, "release")
    row.refresh_from_db()
    assert (row.status, row.hold) == ("drafted", None)
    assert Invoice.objects.get() == draft


def test_a_customer_held_before_the_run_is_in_it_without_a_draft_and_drafted_when_released() -> None:
    customer = billed_customer(method=None)
    services.place_hold(customer=customer, reason="Wait", actor=ACTOR, at=now_for(customer))
    billed_customer(clock=customer.test_clock, version=customer.subscriptions.get().plan_version, method=None)
    run, client = drafted_run(), office()
    row = run.customers.get(customer=customer)
    assert (row.status, Invoice.objects.filter(customer=customer).count()) == ("held", 0)
    on_row(client, row, "release")
    work(run)
    row.refresh_from_db()
    assert (row.status, row.total_minor) == ("drafted", 11781)


def test_an_excluded_customer_is_due_again_and_the_undo_drafts_the_same() -> None:
    run, client = run_in_review(2), office()
    row = row_of(run)
    on_row(client, row, "exclude", reason="Billed by hand this month")
    row.refresh_from_db()
    assert (row.status, Invoice.objects.count()) == ("excluded", 1)
    assert not BilledPeriod.objects.filter(
        item__subscription__customer=row.customer, released_at=None
    ).exists()
    assert "Billed by hand this month" in shown(client, run, f"?tab=excluded&row={row.pk}")
    on_row(client, row, "include")
    row.refresh_from_db()
    assert (row.status, row.total_minor, Invoice.objects.count()) == ("drafted", 11781, 2)
    assert run.customers.get(pk=row.pk).exclude_reason == ""


@pytest.mark.parametrize("verb", ["hold", "exclude"])
def test_without_a_reason_nothing_happens_and_what_was_typed_stays(verb: str) -> None:
    run, client = run_in_review(1), office()
    before = everything()
    answer = on_row(client, row_of(run), verb, reason="  ", until_on="2023-12-24")
    found = answer.content.decode()
    assert answer.status_code == 400
    assert "Say why" in found
    if verb == "hold":
        assert "2023-12-24" in found
    assert everything() == before


@pytest.mark.parametrize("until", ["yesterday", "2001-01-01", "2023-13-45"])
def test_a_hold_until_nonsense_is_an_error_at_the_field(until: str) -> None:
    run, client = run_in_review(1), office()
    answer = on_row(client, row_of(run), "hold", reason="Wait", until_on=until)
    assert answer.status_code == 400
    assert "fin-error" in answer.content.decode()
    assert not BillingHold.objects.exists()


def test_the_second_of_two_clicks_and_an_old_page_do_nothing_and_say_who_was_first() -> None:
    run, client, other = run_in_review(1), office(), office("Finance clerk")
    row = row_of(run)
    seen = f"{row.status}-{row.total_minor}-0"
    address = f"{REVIEW}{run.pk}/customers/{row.pk}/hold/"
    client.post(address, {"seen": seen, "reason": "First"})
    found = said(other, other.post(address, {"seen": seen, "reason": "Second"}))
    assert "Nothing was done" in found
    assert BillingHold.objects.get().reason == "First"


def test_who_failed_is_listed_with_the_reason_and_tried_again_alone() -> None:
    run, client = failed_run(), office()
    row = run.customers.get(status="parked")
    found = shown(client, run, f"?tab=failed&row={row.pk}")
    assert "Retry failed (1)" in found
    assert page(row.customer) in found
    assert "failed again" in said(client, on_row(client, row, "retry"))
    factories.tax_rate()
    on_row(client, row, "retry")
    row.refresh_from_db()
    assert (row.status, row.error_message, row.total_minor) == ("drafted", "", 11781)


def test_all_who_failed_are_tried_again_in_the_background() -> None:
    run, client = failed_run(), office()
    factories.tax_rate()
    act(client, run, "retry")
    refused = client.post(page(run, "approve"), {"seen": "old", "step": "act"})
    assert refused.status_code == 302
    work(run)
    assert not run.customers.filter(status="parked").exists()
    assert "Approve 1 invoice" in text(client, page(run, "approve"))


def failed_run() -> BillRun:
    story = Story(NOV_1, rate="")
    story.subscribe(story.customer(), story.version(factories.fee()))
    return drafted_run()


def test_what_failed_when_it_was_finalized_is_finalized_singly_as_it_was_approved() -> None:
    run, client = run_in_review(2), office()
    bad = row_of(run)
    Customer.objects.filter(pk=bad.customer_id).update(city="")
    act(client, run, "approve")
    act(client, run, "finalize")
    work(run)
    bad.refresh_from_db()
    assert (run.status, bad.status) == ("completed", "parked")
    draft = Invoice.objects.get(status="draft")
    assert "Not billed" in shown(client, run, f"?row={bad.pk}")
    Customer.objects.filter(pk=bad.customer_id).update(city="Berlin")
    on_row(client, bad, "retry")
    draft.refresh_from_db()
    bad.refresh_from_db()
    assert (draft.status, bad.status) == ("finalized", "finalized")


def test_a_filter_a_search_and_a_tab_say_the_same_as_their_totals() -> None:
    run, client = run_in_review(3), office()
    on_row(client, row_of(run), "hold", reason="Wait")
    assert ">Customer 01<" in shown(client, run, "?q=omer+01")
    assert ">Customer 02<" not in shown(client, run, "?q=omer+01")
    for query, customers in (
        ("?tab=held", 1),
        ("?status=drafted", 2),
        ("?flag=first_invoice", 3),
        ("?low=117.82", 0),
        ("?low=100&high=117.81", 3),
        ("?plan=nothing", 0),
        ("?tab=gone", 0),
    ):
        found = shown(client, run, query)
        rows = found.count("data-row=")
        assert (query, rows) == (query, customers)
    assert "An amount like 1234.56" in shown(client, run, "?low=abc")
    for nonsense in ("?p=0", "?p=99999", "?row=0", "?row=x", "?tab=nope", "?sort=nope", "?q=%00"):
        shown(client, run, nonsense)


def test_customers_of_the_last_run_who_are_gone_are_listed_with_the_reason() -> None:
    story = Story(NOV_1)
    version = story.version(factories.fee())
    stays, goes = story.customer(name="Stays"), story.customer(name="Goes")
    for buyer in (stays, goes):
        story.subscribe(buyer, version)
    story.bill()
    story.cancel_at_period_end(goes.subscriptions.get())
    story.advance(DEC_1)
    goes.subscriptions.update(next_billing_at=None)
    run = drafted_run()
    assert (run.gone_count, run.compared_with is not None) == (1, True)
    found = shown(office(), run, "?tab=gone")
    assert "Goes" in found
    assert "ended 2023-12-01" in found


@pytest.mark.parametrize("count", [2, 40])
def test_the_page_costs_the_same_whatever_the_run_holds(count: int) -> None:
    run, client = run_in_review(count), office()
    shown(client, run)
    with CaptureQueriesContext(connection) as found:
        shown(client, run)
    assert len(found) <= 46, len(found)
    row = row_of(run)
    with CaptureQueriesContext(connection) as found:
        client.get(f"{REVIEW}{run.pk}/pair/{row.pk}/")
    assert len(found) <= 20, len(found)


def test_drafting_costs_no_query_more_per_customer_for_its_flags() -> None:
    """The figures of a chunk are noted by a fixed number of queries."""
    run = run_in_review(30)
    rows = list(run.customers.select_related("customer"))
    from billing.invoices.services.run_figures import note_customer_figures

    def queries(of: list[Any]) -> int:
        with CaptureQueriesContext(connection) as found:
            note_customer_figures(rows=of)
        return len(found)

    assert queries(rows) == queries(rows[:2]) <= 8


def test_hostile_names_are_shown_as_text_and_long_ones_whole() -> None:
    run = run_in_review(1)
    for name in ("<script>alert(1)</script>", "Donaudampfschifffahrt" * 8):
        Customer.objects.update(name=name[:120])
        found = shown(office(), run)
        assert "<script>alert" not in found


def test_nothing_due_says_what_is_next() -> None:
    customer = billed_customer(method=None)
    services.bill_due(as_of=now_for(customer), actor=ACTOR, at=now_for(customer))
    start = "/admin/invoices/billrun/start/"
    found = office().post(start, {"as_of": f"{now_for(customer):%Y-%m-%d %H:%M}", "step": "look"})
    assert "Nothing due." in found.content.decode()
    assert "Next 2023-12-01, 1 customer." in found.content.decode()


def test_a_part_of_the_page_is_there_for_whoever_is_told_that_something_moved() -> None:
    run, client = run_in_review(1), office()
    found = shown(client, run)
    assert f'data-live-group="run:{run.public_id}"' in found
    assert f'data-live-refresh="/admin/invoices/billrun/{run.pk}/progress/"' in found
    part = client.get(f"/admin/invoices/billrun/{run.pk}/progress/").content.decode()
    assert "1 draft waits for approval" in part
    assert "<html" not in part


def test_a_long_run_records_its_progress_once_per_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.invoices.services.runs.CHUNK", 2)
    run = run_in_review(5)
    events = Activity.objects.filter(object_id=run.public_id, name="bill_run.progressed")
    assert events.count() == 2  # after two of three chunks; the last one ends the drafting
    assert BillRunCustomer.objects.filter(run=run, status="drafted").count() == 5


def test_a_customer_of_another_run_is_not_found() -> None:
    client, clock, version = office(), factories.test_clock(), version_with_fee()
    billed_customer(clock=clock, version=version, method=None)
    one = drafted_run()
    billed_customer(clock=clock, version=version, method=None)
    other = drafted_run()
    assert client.get(f"{REVIEW}{one.pk}/pair/{other.customers.get().pk}/").status_code == 404
    assert client.post(f"{REVIEW}{one.pk}/customers/{other.customers.get().pk}/look/").status_code == 404
