"""From a balance down to the document line: running balances, files, the checklist of a month, the export."""

import io
import zipfile
from datetime import UTC, date, datetime

import pytest

from billing.activity.models import Activity
from billing.core.postings import Role
from billing.ledger.models import AccountingPeriod, JournalEntry, Posting
from billing.ledger.selectors import account_statement, trial_balance
from billing.ledger.services import ensure_period
from billing.reports import books
from tests import factories
from tests.billing_factories import (
    advance,
    billed_customer,
    draft_invoice,
    finalized_invoice,
    paid_invoice,
    version_with_fee,
)
from tests.valueverse.backoffice import office as people
from tests.valueverse.backoffice.office import GROUPS, act, office, page, text
from tests.valueverse.backoffice.reading import addresses, plain
from valueverse.backoffice import books as ledger_pages

pytestmark = pytest.mark.django_db


def month_of(invoice: object) -> AccountingPeriod:
    return ensure_period(legal_entity=invoice.legal_entity, on=invoice.issued_on)  # type: ignore[attr-defined]


def test_the_balance_goes_on_from_page_to_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_pages, "ROWS", 3)
    clock, version = factories.test_clock(), version_with_fee()
    for _ in range(4):
        paid_invoice(billed_customer(clock=clock, version=version))
    address = f"/admin/ledger/statement/1100/?entity={clock.legal_entity_id}&as_of=2023-11-30"
    client, balance, seen = office(), 0, 0
    for number in (1, 2, 3):
        response = client.get(f"{address}&p={number}")
        assert response.context["brought_minor"] == balance
        for row in response.context["found"].rows:
            balance += row.posting.accounting_amount_minor
            assert row.balance_minor == balance
            seen += 1
        assert response.context["found"].closing_minor == 0
    assert (seen, balance) == (8, 0)
    assert "Brought forward" in plain(text(client, f"{address}&p=2"))


def test_a_statement_opens_with_what_stood_before_its_first_day() -> None:
    invoice = finalized_invoice()
    entity = invoice.legal_entity
    found = account_statement(
        legal_entity=entity,
        role=Role.RECEIVABLE,
        start_on=date(2023, 12, 1),
        as_of=date(2023, 12, 31),
    )
    assert (found.opening_minor, found.rows, found.closing_minor) == (11781, [], 11781)
    whole = account_statement(
        legal_entity=entity, role=Role.RECEIVABLE, start_on=None, as_of=date(2023, 12, 31)
    )
    assert (whole.opening_minor, whole.debit_minor, whole.credit_minor) == (0, 11781, 0)


def test_a_statement_closes_on_the_trial_balance_and_an_entry_leads_to_its_line() -> None:
    invoice, client = finalized_invoice(), office()
    entity = invoice.legal_entity
    for row in trial_balance(legal_entity=entity, as_of=date(2023, 11, 30)):
        response = client.get(f"/admin/ledger/statement/{row.role}/?entity={entity.pk}&as_of=2023-11-30")
        assert response.context["found"].closing_minor == row.balance_minor
    posting = Posting.objects.exclude(line_id="").get(entry__source_id=invoice.public_id)
    entry = text(client, f"/admin/ledger/journalentry/{posting.entry_id}/change/")
    (address,) = addresses(entry, posting.line_id)
    response = client.get(address)
    assert response.status_code == 302
    assert response.headers["Location"].startswith(f"/admin/invoices/invoice/{invoice.pk}/change/?why=1")
    assert "details open" in text(client, response.headers["Location"])
    assert client.get("/admin/ledger/line/lin_unknown/").status_code == 404


def test_two_days_stand_beside_each_other() -> None:
    invoice, client = paid_invoice(), office()
    shown = plain(
        text(
            client,
            f"/admin/ledger/trial-balance/?entity={invoice.legal_entity_id}&as_of=2023-11-30&compare=2023-10-31",
        )
    )
    assert "2100 2100 Deferred revenue 0.00 99.00 −99.00 0.00 −99.00" in shown


def test_the_trial_balance_as_a_file_has_the_figures_of_the_page() -> None:
    invoice, client = paid_invoice(), office()
    query = f"entity={invoice.legal_entity_id}&as_of=2023-11-30"
    response = client.get(f"/admin/ledger/trial-balance.csv?{query}")
    lines = b"".join(response.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "role,gl_code,account,debit,credit,balance,currency,as_of"
    assert "2200,2200,VAT payable,0.00,18.81,-18.81,EUR,2023-11-30" in lines
    book = client.get(f"/admin/ledger/trial-balance.xlsx?{query}")
    assert book.headers["Content-Disposition"] == 'attachment; filename="trial-balance-2023-11-30.xlsx"'
    sheet = zipfile.ZipFile(io.BytesIO(book.content)).read("xl/worksheets/sheet1.xml").decode()
    assert "<v>-18.81</v>" in sheet
    assert "<f>" not in sheet
    assert client.get(f"/admin/ledger/trial-balance.pdf?{query}").status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "as_of=x",
        "start_on=2023-12-02&as_of=2023-12-01",
        "entity=99999999999999999999999",
        "customer=cus_none",
        "compare=1",
    ],
)
def test_nonsense_stands_at_its_field(query: str) -> None:
    finalized_invoice()
    where = "trial-balance" if "compare" in query else "statement/1100"
    assert "fin-error" in text(office(), f"/admin/ledger/{where}/?{query}")


def test_a_month_that_is_not_over_says_so_beside_the_button() -> None:
    invoice = finalized_invoice()
    shown = plain(text(office(), page(month_of(invoice))))
    assert "Not to be closed yet: November 2023 ends on 2023-11-30; it is 2023-11-01" in shown
    assert "../close/" not in text(office(), page(month_of(invoice)))


def test_the_checklist_counts_drafts_accruals_and_fees() -> None:
    invoice = finalized_invoice()
    draft = draft_invoice(billed_customer(clock=invoice.customer.test_clock, version=version_with_fee()))
    client = office()
    shown = text(client, page(month_of(invoice)))
    (address,) = {one for one in addresses(shown, "1") if "status__exact=draft" in one}
    assert [row.pk for row in client.get(address).context["cl"].queryset] == [draft.pk]
    assert "1 part of schedules wait" in plain(shown)
    assert "Journal export: Not yet" in plain(shown)


def test_exporting_the_journal_is_recorded_and_asked_for_again_when_entries_come_in() -> None:
    invoice, client = finalized_invoice(), office()
    period = month_of(invoice)
    response = client.post(f"/admin/ledger/accountingperiod/{period.pk}/journal.csv")
    assert len(b"".join(response.streaming_content).splitlines()) > 3  # type: ignore[attr-defined]
    noted = Activity.objects.get(name="journal.exported", object_id=period.public_id)
    assert (noted.actor_kind, noted.data["entries"]) == ("user", 1)
    assert "Journal export: 1 entries" in plain(text(client, page(period)))
    finalized_invoice(billed_customer(clock=invoice.customer.test_clock, version=version_with_fee()))
    assert "Journal export: 1 of 2" in plain(text(client, page(period)))


@pytest.mark.parametrize("group", [*GROUPS, None])
def test_who_may_take_the_journal_along_and_read_the_books(group: str | None) -> None:
    invoice = finalized_invoice()
    period, client = month_of(invoice), people.office(group)
    reads = group in ("Finance manager", "Finance clerk", "Auditor")
    expected = 200 if reads else 403
    assert client.post(f"/admin/ledger/accountingperiod/{period.pk}/journal.csv").status_code == expected
    assert client.get("/admin/ledger/trial-balance.xlsx").status_code == expected
    assert client.get("/admin/ledger/line/lin_x/").status_code == (404 if reads else 403)
    recognize = 200 if group == "Finance manager" else 403
    assert client.get(page(period, "recognize")).status_code == recognize
    assert Activity.objects.filter(name="journal.exported").exists() == reads


def test_a_control_that_differs_leads_to_the_customers_that_make_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, version = factories.test_clock(), version_with_fee()
    finalized_invoice(billed_customer(clock=clock, version=version))
    wrong = finalized_invoice(billed_customer(clock=clock, version=version))
    sign, expected = books._CONTROLS["1100"]
    doubled = (
        f"SELECT legal_entity_id, customer_id, CASE WHEN customer_id = {wrong.customer_id} THEN 2 ELSE 1 END * amount"
        f" AS amount FROM ({expected}) honest"
    )
    monkeypatch.setitem(books._CONTROLS, "1100", (sign, doubled))
    client = office()
    shown = plain(text(client, page(month_of(wrong))))
    assert "1100 Accounts receivable 235.62 353.43 −117.81: show the rows" in shown
    assert "it is 2023-11-01" in shown
    rows = plain(text(client, f"{page(month_of(wrong))}?control=1100"))
    assert f"{wrong.customer} 117.81 235.62 −117.81 Account" in rows
    found = books.control_differences(legal_entity=wrong.legal_entity, role="1100")
    assert [(row.customer_id, row.difference_minor) for row in found] == [(wrong.customer_id, -11781)]


def test_every_control_of_a_paid_and_a_credited_month_has_no_difference_by_customer() -> None:
    invoice = paid_invoice()
    for line in books.controls(legal_entity=invoice.legal_entity):
        assert line.difference_minor == 0
        assert books.control_differences(legal_entity=invoice.legal_entity, role=line.role) == []


@pytest.mark.parametrize("query", ["?control=9999", "?control=1100", "?control=x&checks=1"])
def test_a_period_page_takes_any_query(query: str) -> None:
    assert office().get(f"{page(month_of(finalized_invoice()))}{query}").status_code == 200


def test_recognizing_shows_what_it_adds_before_it_acts_and_adds_it_once() -> None:
    invoice, client = finalized_invoice(), office()
    period = month_of(invoice)
    advance(invoice.customer, datetime(2023, 12, 2, tzinfo=UTC))
    look = plain(client.post(page(period, "recognize"), {"step": "look"}).content.decode())
    assert "This run adds 1 fee parts released, 99.00 EUR; 0 accruals, 0.00 EUR." in look
    assert not JournalEntry.objects.filter(source_type="revenue_schedule_line").exists()
    act(client, period, "recognize")
    assert JournalEntry.objects.filter(source_type="revenue_schedule_line").count() == 1
    again = plain(client.post(page(period, "recognize"), {"step": "look"}).content.decode())
    assert "This run adds 0 fee parts released" in again
    assert "Fees released: 99.00 EUR" in plain(text(client, page(period)))
