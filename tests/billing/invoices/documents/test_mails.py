"""The mail that carries a document: subject, first line, figures, and nothing that a name could smuggle in."""

from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import pytest

from billing.invoices.documents.mails import invoice_mail
from billing.invoices.documents.snapshot import Snapshot
from tests.billing.invoices.documents import samples

URL = "https://billing.example/i/inv_1?token=a&page=2"


class _Reader(HTMLParser):
    """What a mail program shows and loads."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.shown += data.split()


def read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    return reader


def test_the_invoice_mail_says_amount_number_due_date_account_and_reference() -> None:
    mail = invoice_mail(samples.TRANSFER_INVOICE, document_url=URL)
    assert mail.subject == "Invoice VV-2023-000003: 229.69 EUR, due Dec 15"
    assert mail.text.startswith("Your invoice for Nov 1 to Dec 31, 2023 is attached.\n")
    for shown in (
        "Amount: 229.69 EUR",
        "Number: VV-2023-000003",
        "Due: Dec 15, 2023",
        "IBAN: DE02 1203 0000 0000 2020 51",
        "Reference: VV-2023-000003",
        "VAT ID DE136695976",
    ):
        assert shown in mail.text
        assert shown.split()[-1] in {word.rstrip(",") for word in read(mail.html).shown}
    assert f"\n{URL}\n" in mail.text


def test_an_invoice_for_one_month_names_the_month() -> None:
    snapshot = replace(
        samples.BRIGHTCHAT_INVOICE, period_start_on=date(2023, 11, 1), period_last_on=date(2023, 11, 30)
    )
    assert invoice_mail(snapshot, document_url=None).text.startswith(
        "Your invoice for November is attached.\n"
    )
    german = invoice_mail(replace(snapshot, language="de"), document_url=None)
    assert german.text.startswith("Ihre Rechnung für November ist beigefügt.\n")


def test_the_german_mail_is_german() -> None:
    mail = invoice_mail(replace(samples.TRANSFER_INVOICE, language="de"), document_url=URL)
    assert mail.subject == "Rechnung VV-2023-000003: 229,69 EUR, fällig 15. Dez."
    assert "Bitte überweisen Sie 229,69 EUR bis zum 15.12.2023." in mail.text
    assert "Rechnung ansehen:" in mail.text
    assert '<html lang="de">' in mail.html
    for english in ("Invoice", "Amount", "Due", "Please"):
        assert english not in mail.text and english not in " ".join(read(mail.html).shown)


@pytest.mark.parametrize(
    ("snapshot", "subject", "first_line"),
    [
        (
            samples.CREDIT_NOTE,
            "Credit note VV-CN-2023-000001: 8.93 EUR",
            "A credit note for invoice VV-2023-000003 of Dec 1, 2023 is attached.",
        ),
        (
            samples.CANCELLATION,
            "Cancellation VV-CN-2023-000002: 229.69 EUR",
            "Invoice VV-2023-000003 of Dec 1, 2023 is canceled. The document is attached.",
        ),
        (
            replace(samples.CREDIT_NOTE, language="de"),
            "Rechnungskorrektur VV-CN-2023-000001: 8,93 EUR",
            "Die Korrektur zur Rechnung VV-2023-000003 vom 01.12.2023 ist beigefügt.",
        ),
    ],
    ids=["credit note", "cancellation", "German credit note"],
)
def test_a_credit_note_mail_asks_for_no_money(snapshot: Snapshot, subject: str, first_line: str) -> None:
    mail = invoice_mail(snapshot, document_url=URL)
    assert mail.subject == subject
    assert mail.text.splitlines()[0] == first_line
    assert "Due" not in mail.text and "IBAN" not in mail.text


def test_text_and_html_say_the_same() -> None:
    for snapshot in (samples.BRIGHTCHAT_INVOICE, samples.TRANSFER_INVOICE, samples.CREDIT_NOTE):
        mail = invoice_mail(snapshot, document_url=None)
        shown = read(mail.html).shown
        spoken = {word.rstrip(":") for word in mail.text.split()} - {"--"}
        assert spoken <= {word.rstrip(":") for word in shown}


def test_the_mail_loads_nothing_and_has_one_button() -> None:
    reader = read(invoice_mail(samples.TRANSFER_INVOICE, document_url=URL).html)
    assert reader.links == [URL]
    assert not reader.tags & {"img", "script", "link", "iframe"}
    assert read(invoice_mail(samples.TRANSFER_INVOICE, document_url=None).html).links == []


def test_names_cannot_add_markup_or_mail_headers() -> None:
    seller = replace(
        samples.SELLER, legal_name='<script>alert(1)</script> & "Sons"', directors="{{ 7|add:1 }}"
    )
    snapshot = replace(samples.TRANSFER_INVOICE, seller=seller, number="VV-1\r\nBcc: all@example.org")
    mail = invoice_mail(snapshot, document_url='https://x.example/"><script>')
    assert "script" not in read(mail.html).tags
    assert "\n" not in mail.subject and "\r" not in mail.subject
    assert '<script>alert(1)</script> & "Sons"' in mail.text
    assert "{{ 7|add:1 }}" in mail.text


def test_a_test_document_says_that_nothing_has_to_be_paid() -> None:
    assert "This is a test document." in invoice_mail(samples.BRIGHTCHAT_INVOICE, document_url=None).text
    assert "test document" not in invoice_mail(samples.TRANSFER_INVOICE, document_url=None).text


def test_a_paid_invoice_is_not_called_due() -> None:
    paid = replace(samples.TRANSFER_INVOICE, paid_minor=22969)
    mail = invoice_mail(paid, document_url=None)
    assert mail.subject == "Invoice VV-2023-000003: 229.69 EUR"
    assert "Nothing is due." in mail.text and "IBAN" not in mail.text
