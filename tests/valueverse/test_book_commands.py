"""The commands of the books: recognize_revenue, close_period, check_books, export_journal."""

import csv
import json
from collections import defaultdict
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from billing.invoices.models import Invoice
from billing.invoices.services import void_invoice
from billing.invoices.services.voiding import InvoiceSeen
from tests import factories
from tests.scenarios.story import DEC_1, FIONA, NOV_1, Story, everything, is_sound, usage

pytestmark = pytest.mark.django_db


def command(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command(*arguments, "--json", stdout=out)
    answer = json.loads(out.getvalue())
    assert isinstance(answer, dict)
    return answer


def november() -> Story:
    """The story on 1 December: a fee of 99.00 and usage of 1.00 in November, nothing recognized."""
    story = Story(NOV_1)
    buyer = story.customer()
    story.subscribe(buyer, story.version(usage(), factories.fee()))
    story.bill()
    story.use(buyer, NOV_1, 100)
    story.advance(DEC_1)
    return story


def test_recognize_revenue_names_what_became_revenue_and_does_it_once() -> None:
    story = november()
    (row,) = command("recognize_revenue", "--as-of", "2023-11-30")["results"]
    assert (row["slices"], row["released"], row["accruals"], row["accrued"]) == (1, "99.00", 1, "1.00")
    before = everything()
    (row,) = command("recognize_revenue", "--as-of", "2023-11-30")["results"]
    assert (row["slices"], row["accruals"]) == (0, 0)
    assert everything() == before
    assert story.books(date(2023, 11, 30))["4000"] == "-99.00"
    assert is_sound()


def test_recognize_revenue_takes_the_sellers_yesterday_by_its_clock() -> None:
    november()
    (row,) = command("recognize_revenue")["results"]
    assert (row["as_of"], row["slices"]) == ("2023-11-30", 1)


def test_a_dry_recognition_shows_the_sums_and_changes_nothing() -> None:
    november()
    before = everything()
    answer = command("recognize_revenue", "--as-of", "2023-11-30", "--dry-run")
    assert (answer["dry_run"], answer["results"][0]["released"]) == (True, "99.00")
    assert everything() == before


def test_recognition_can_be_limited_to_a_seller_and_a_customer() -> None:
    story = november()
    factories.legal_entity()
    other = story.customer()
    only = ["--as-of", "2023-11-30", "--legal-entity", story.seller.public_id, "--customer", other.public_id]
    (row,) = command("recognize_revenue", *only)["results"]
    assert (row["slices"], row["accruals"]) == (0, 0)
    before = everything()
    with pytest.raises(CommandError, match="no such legal entity"):
        command("recognize_revenue", "--legal-entity", "ent_nobody")
    assert everything() == before


def test_close_period_recognizes_closes_and_prints_the_trial_balance() -> None:
    story = november()
    answer = command("close_period", "2023-11")
    assert answer["trial_balance"] == {
        "1100": "117.81", "1150": "1.00", "2100": "0.00", "2200": "-18.81", "4000": "-99.00", "4010": "-1.00"
    }  # fmt: skip
    assert answer["status"] == "is closed"
    before = everything()
    assert command("close_period", "2023-11")["trial_balance"] == answer["trial_balance"]
    assert everything() == before
    assert story.seller.accounting_periods.get(start_on=date(2023, 11, 1)).status == "closed"
    assert is_sound()


def test_a_dry_close_shows_the_trial_balance_and_changes_nothing() -> None:
    november()
    before = everything()
    answer = command("close_period", "2023-11", "--dry-run")
    assert (answer["status"], answer["trial_balance"]["4000"]) == ("would be closed", "-99.00")
    assert everything() == before


def test_a_soft_close_lets_recognition_in() -> None:
    story = november()
    assert command("close_period", "2023-11", "--soft")["status"] == "is soft closed"
    story.use(story.seller.customers.get(), NOV_1, 50)
    (row,) = command("recognize_revenue", "--as-of", "2023-11-30")["results"]
    assert row["accrued"] == "0.50"
    assert story.books(date(2023, 11, 30))["4010"] == "-1.50"
    assert is_sound()


@pytest.mark.parametrize("month", ["2023-12", "2024-01"])
def test_a_month_that_is_not_over_is_not_closed(month: str) -> None:
    november()
    before = everything()
    with pytest.raises(CommandError, match="month_not_over"):
        command("close_period", month)
    assert everything() == before


@pytest.mark.parametrize("month", ["11-2023", "2023-13", "november", "2023-11-30"])
def test_a_month_that_is_none_is_wrong_usage(month: str) -> None:
    with pytest.raises((CommandError, SystemExit)):
        command("close_period", month)


def test_with_several_sellers_the_one_to_close_is_named() -> None:
    story = november()
    factories.legal_entity()
    before = everything()
    with pytest.raises(CommandError, match="legal-entity") as refused:
        command("close_period", "2023-11")
    assert refused.value.returncode == 2
    assert everything() == before
    assert command("close_period", "2023-11", "--legal-entity", story.seller.public_id)["month"] == "2023-11"


def test_check_books_is_silent_about_sound_books_and_exits_3_on_others() -> None:
    november()
    answer = command("check_books")
    assert (answer["broken"], len(answer["checks"]) > 15) == ([], True)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE usage_usagerollup SET event_count = event_count + 1")
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("check_books", stdout=out)
    assert ended.value.code == 3
    assert "BROKEN  I13 rollups equal their events" in out.getvalue()


def test_the_exported_journal_balances_entry_by_entry_and_agrees_with_the_books(tmp_path: Path) -> None:
    story = november()
    command("close_period", "2023-11")
    file = tmp_path / "journal.csv"
    seller = ["--legal-entity", story.seller.public_id]
    assert command("export_journal", "2023-11", *seller, "--output", str(file)) == {"postings": 7}
    entries: dict[str, int] = defaultdict(int)
    roles: dict[str, int] = defaultdict(int)
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            cents = int(row["amount"].replace(".", ""))
            entries[row["entry"]] += cents
            roles[row["role"]] += cents
            assert row["accounting_on"].startswith("2023-11")
    assert set(entries.values()) == {0}
    assert {role: f"{cents / 100:.2f}" for role, cents in roles.items() if cents} == story.books(
        date(2023, 11, 30)
    )
    assert is_sound()


def test_an_exported_invoice_is_no_longer_voided(capsys: pytest.CaptureFixture[str]) -> None:
    story = november()
    call_command("export_journal", "2023-11", "--legal-entity", story.seller.public_id)
    assert capsys.readouterr().out.count("\n") == 1 + 3
    before = everything()
    with pytest.raises(InvoiceSeen):
        void_invoice(invoice_id=Invoice.objects.get().public_id, reason="wrong", actor=FIONA, at=DEC_1)
    assert everything() == before
