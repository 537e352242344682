"""The demo story through the services, on the real trace: its invoices and the trial balance of every day it shows.

Figures by hand from the sums of the trace (22,361,870 and 4,088,665 tokens in 19,366 requests; 18,059,974 and 245,896
in 8,819). Source of the trace: Azure LLM inference trace 2023, valueverse/demo/data/README.md.
"""

from collections import Counter
from datetime import date
from itertools import islice

import pytest

from billing.activity.models import Activity
from billing.invoices.models import DocumentMail, Invoice, StoredDocument
from billing.ledger.models import JournalEntry
from billing.ledger.selectors import trial_balance
from billing.usage.models import UsageEvent
from billing.usage.services import ingest
from billing.usage.services.events import event_from_json
from customers.models import Customer
from payments.models import Payment
from tests.scenarios.story import JAN_1, MONEY_ROWS, is_sound, lines
from valueverse.closing import close_month
from valueverse.demo import steps, story, summary
from valueverse.demo.sender import trace_events

pytestmark = pytest.mark.django_db

USAGE_CODES = ("input_tokens", "output_tokens", "requests")


def send(limit: int | None = None) -> Counter[str]:
    """Send both files through the same service that the endpoint calls; the verdicts, counted."""
    verdicts: Counter[str] = Counter()
    for buyer in story.BUYERS:
        customer = Customer.objects.get(external_id=buyer.external_id)
        events = trace_events(
            buyer.file, customer_id=customer.public_id, event_type=story.EVENT_TYPE, limit=limit
        )
        while batch := list(islice(events, 5000)):
            verdicts.update(verdict.kind.value for verdict in ingest(events=[*map(event_from_json, batch)]))
    return verdicts


def play_november(told: story.Story) -> None:
    steps.bill()
    steps.advance_clock(told, story.RETRY)
    steps.collect_again()
    steps.advance_clock(told, story.USAGE_DAY_END)


def play_december(told: story.Story) -> None:
    steps.advance_clock(told, story.DECEMBER)
    steps.close_november(told.seller)
    steps.bill()


def column(told: story.Story, day: date) -> dict[str, str]:
    """The trial balance as journal_entries lists it: zero balances left out."""
    return {role: text for role, text in summary.books_json(told.seller, day).items() if text != "0.00"}


def test_the_story_gives_four_invoices_over_591_08_and_the_books_that_belong_to_them() -> None:
    told = story.ensure_story()
    play_november(told)
    assert send() == {"accepted": 28_185}
    play_december(told)

    shown = [summary.invoice_json(invoice) for invoice in summary.demo_invoices(told.seller)]
    assert [
        (one["number"], one["customer"], one["issued_on"], one["subtotal"], one["tax"], one["total"])
        for one in shown
    ] == [
        ("VV-2023-000001", "Brightchat GmbH", "2023-11-01", "99.00", "18.81", "117.81"),
        ("VV-2023-000002", "Codewright LLC", "2023-11-01", "99.00", "0.00", "99.00"),
        ("VV-2023-000003", "Brightchat GmbH", "2023-12-01", "193.02", "36.67", "229.69"),
        ("VV-2023-000004", "Codewright LLC", "2023-12-01", "144.58", "0.00", "144.58"),
    ]
    assert [(one["status"], one["settlement"]) for one in shown] == [("finalized", "settled")] * 4
    assert shown[2]["lines"] == [
        {"code": "input_tokens", "quantity": "22361870", "amount": "49.72"},
        {"code": "output_tokens", "quantity": "4088665", "amount": "36.80"},
        {"code": "requests", "quantity": "19366", "amount": "7.50"},
        {"code": "platform_fee", "quantity": "1", "amount": "99.00"},
    ]
    assert [line["amount"] for line in shown[3]["lines"]] == ["41.12", "2.46", "2.00", "99.00"]

    declined, paid = Payment.objects.filter(invoice__number="VV-2023-000002").order_by("pk")
    assert (declined.status, paid.status) == ("failed", "succeeded")
    assert paid.received_on == date(2023, 11, 1)
    outside = Invoice.objects.get(number="VV-2023-000004").snapshot
    assert outside["taxes"][0]["exemption_code"] == "VATEX-EU-O"

    steps.advance_clock(told, JAN_1)
    close_month(legal_entity=told.seller, month_on=date(2023, 12, 1), actor=story.ACTOR, at=JAN_1)
    assert column(told, date(2023, 11, 1)) == {
        "1050": "216.81", "2100": "-198.00", "2200": "-18.81"
    }  # fmt: skip
    assert column(told, date(2023, 11, 30)) == {
        "1050": "216.81", "1150": "139.60", "2200": "-18.81", "4000": "-198.00", "4010": "-139.60"
    }  # fmt: skip
    assert column(told, date(2023, 12, 1)) == {
        "1050": "591.08", "2100": "-198.00", "2200": "-55.48", "4000": "-198.00", "4010": "-139.60"
    }  # fmt: skip
    assert column(told, date(2023, 12, 31)) == {
        "1050": "591.08", "2200": "-55.48", "4000": "-396.00", "4010": "-139.60"
    }  # fmt: skip
    assert sum(row.balance_minor for row in trial_balance(legal_entity=told.seller, as_of=JAN_1.date())) == 0
    assert is_sound()


def test_a_limited_story_follows_from_its_data_and_playing_it_again_changes_nothing_but_duplicates() -> None:
    told = story.ensure_story()
    play_november(told)
    assert send(limit=300) == {"accepted": 600}
    play_december(told)
    brightchat, codewright = Invoice.objects.filter(number__gt="VV-2023-000002").order_by("number")
    rows = list(trace_events(story.BRIGHTCHAT.file, customer_id="", event_type="llm_request", limit=300))
    tokens = sum(row["properties"]["input_tokens"] for row in rows)
    assert lines(brightchat)[0][2] == str(tokens)
    assert lines(brightchat)[2][2:] == ("300", "0.00")
    assert brightchat.total_minor > codewright.total_minor > 9900

    before = counts()
    again = story.ensure_story()
    play_november(again)
    assert send(limit=300) == {"duplicate": 600}
    play_december(again)
    assert counts() == before
    assert is_sound()


def test_the_story_without_any_usage_bills_the_fees_and_every_invoice_is_stored_and_mailed_once() -> None:
    told = story.ensure_story()
    play_november(told)
    play_december(told)
    totals = Invoice.objects.order_by("number").values_list("total_minor", flat=True)
    assert list(totals) == [11781, 9900, 11781, 9900]
    usage = [line for invoice in Invoice.objects.all() for line in lines(invoice) if line[0] in USAGE_CODES]
    assert {line[3] for line in usage} == {"0.00"}
    assert StoredDocument.objects.count() == 2 * 4
    assert list(DocumentMail.objects.order_by("pk").values_list("status", flat=True)) == ["sent"] * 4
    assert not JournalEntry.objects.filter(is_late=True).exists()
    assert "1150" not in column(told, date(2023, 11, 30))
    assert is_sound()


def counts() -> dict[str, int]:
    return {model.__name__: model.objects.count() for model in (*MONEY_ROWS, UsageEvent, Activity)}
