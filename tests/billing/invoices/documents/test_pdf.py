"""The printed document: the right figures and sentences on the page, whatever the names hold."""

import io
import threading
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pypdfium2
import pytest
import segno

from billing.core.pricing import StepKind
from billing.invoices.documents.lines import line_groups, row_spans
from billing.invoices.documents.page import page_content
from billing.invoices.documents.pdf import DocumentNotRenderable, logo_problem, render_pdf
from billing.invoices.documents.snapshot import Allowance, CreditUse, Party, Snapshot, Step, Tax
from tests.billing.invoices.documents import samples
from tests.billing.invoices.documents.samples import pdf_pages, pdf_text

LONG_NAME = (
    "Internationale Gesellschaft für die Verarbeitung außergewöhnlich langer Firmennamen und "
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaften mbH & Co. KG auf Aktien"
)
HOSTILE = (
    '#set page(fill: red) *bold* _em_ $x^2$ [link] @ref \\ `raw` <lab> #read("/etc/passwd") = Head '
    "{{ x }} {% y %} <script>alert(1)</script>"
)


def customer(**changes: str) -> Party:
    return replace(samples.BRIGHTCHAT, **changes)


def reverse_charge() -> Snapshot:
    invoice = samples.TRANSFER_INVOICE
    return replace(
        invoice,
        buyer=customer(legal_name="Lumière SARL", city="Paris", country="FR", vat_number="FR40303265045"),
        lines=tuple(replace(line, tax_category="AE", tax_percent=Decimal(0)) for line in invoice.lines),
        taxes=(
            Tax(
                category="AE",
                percent=Decimal(0),
                base_minor=19302,
                tax_minor=0,
                exemption_code="VATEX-EU-AE",
                exemption_text="reverse_charge",
            ),
        ),
        tax_minor=0,
        total_minor=19302,
    )


def sixty_lines() -> Snapshot:
    lines = tuple(
        replace(samples.BRIGHTCHAT_LINES[number % 4], id=f"il_{number}", position=number + 1)
        for number in range(60)
    )
    net = sum(line.net_minor for line in lines)
    return replace(samples.TRANSFER_INVOICE, lines=lines, subtotal_minor=net, tax_minor=0, total_minor=net)


def test_brightchats_december_invoice_shows_the_figures_of_the_demo() -> None:
    (page,) = pdf_pages(render_pdf(samples.BRIGHTCHAT_INVOICE))
    for shown in (
        "Invoice VV-2023-000003",
        "Tier: up to 10,000,000 10,000,000 0.0000025 19 % 25.00",
        "Tier: above 10,000,000 12,361,870 0.0000020 19 % 24.72",
        "22,361,870 in all, 49.72 EUR",
        "4,088,665 0.000009 19 % 36.80",
        "15 started packages of 1,000 19,366 used, the first 5,000 free 15 0.50 19 % 7.50",
        "1 99.00 19 % 99.00",
        "VAT 19 % 193.02 36.67",
        "Net 193.02 EUR",
        "VAT 19 % 36.67 EUR",
        "Total 229.69 EUR",
        "Amount due 229.69 EUR",
        "229.69 EUR will be charged to test card ending in 4242 on Dec 1, 2023.",
        "Service period Nov 1 to Dec 31, 2023",
        "Customer number bc-7",
        "Your VAT ID DE811569869",
        "Brightchat GmbH Invalidenstraße 91 10115 Berlin",
        "Amtsgericht Charlottenburg, HRB 123456",
        "Managing directors: Mia Lang, Jon Petersen",
        "VAT ID DE136695976",
    ):
        assert shown in page


def test_codewrights_december_invoice_says_that_vat_does_not_apply() -> None:
    (page,) = pdf_pages(render_pdf(samples.CODEWRIGHT_INVOICE))
    for shown in (
        "Codewright LLC 1120 NW Couch Street Suite 400 Portland, OR 97209 UNITED STATES",
        "8,059,920 0.0000020 – 16.12",
        "18,059,920 in all, 41.12 EUR",
        "245,870 0.00001 – 2.46",
        "Outside the scope of VAT – 144.58 0.00",
        "Amount due 144.58 EUR",
        "Not subject to VAT in the EU; outside the scope",
        "Art. 44 of Directive 2006/112/EC; § 3a (2) UStG",
    ):
        assert shown in page
    assert "19 %" not in page


def test_the_amounts_of_the_column_add_up_to_the_net_total() -> None:
    for snapshot in (samples.BRIGHTCHAT_INVOICE, samples.CODEWRIGHT_INVOICE, sixty_lines()):
        shown = [
            Decimal(row["net"]) for group in line_groups(snapshot) for row in group["rows"] if row["net"]
        ]
        assert sum(shown) * 100 == snapshot.subtotal_minor


def test_quantity_times_unit_price_is_the_amount_beside_it() -> None:
    for group in line_groups(samples.BRIGHTCHAT_INVOICE):
        for row in group["rows"]:
            if row["net"]:
                product = Decimal(row["quantity"].replace(",", "")) * Decimal(row["price"])
                assert round(product, 2) == Decimal(row["net"])


def test_a_tier_with_a_fixed_amount_prints_both_and_loses_nothing() -> None:
    tier = Step(
        kind=StepKind.GRADUATED,
        quantity=Decimal(50),
        unit_amount=Decimal("0.10"),
        flat_amount=Decimal(20),
        amount_minor=2500,
    )
    line = replace(samples.BRIGHTCHAT_LINES[0], net_minor=2500, quantity=Decimal(50), steps=(tier,))
    (group,) = line_groups(replace(samples.BRIGHTCHAT_INVOICE, lines=(line,)))
    figures = [(row["quantity"], row["price"], row["net"]) for row in group["rows"]]
    assert figures == [("", "", ""), ("50", "0.10", "5.00"), ("1", "20.00", "20.00")]


def test_tiers_without_units_are_left_out_and_a_free_line_still_prints_zero() -> None:
    empty = Step(kind=StepKind.GRADUATED, quantity=Decimal(0), unit_amount=Decimal("0.1"), amount_minor=0)
    line = replace(samples.BRIGHTCHAT_LINES[0], net_minor=0, quantity=Decimal(0), steps=(empty,))
    (group,) = line_groups(replace(samples.BRIGHTCHAT_INVOICE, lines=(line,)))
    assert [(row["quantity"], row["price"], row["net"]) for row in group["rows"]] == [("0", "–", "0.00")]


def test_late_usage_shows_what_was_billed_before_with_a_minus() -> None:
    steps = (
        Step(kind=StepKind.UNIT, quantity=Decimal(150), unit_amount=Decimal("0.01"), amount_minor=150),
        Step(kind=StepKind.ALREADY_BILLED, quantity=Decimal(100), amount_minor=-100),
    )
    line = replace(
        samples.BRIGHTCHAT_LINES[1], kind="late_usage", net_minor=50, quantity=Decimal(50), steps=steps
    )
    text = pdf_text(render_pdf(replace(samples.BRIGHTCHAT_INVOICE, lines=(line,))))
    assert "Usage recorded later" in text
    assert "Less what was billed before 100 – 19 % \u22121.00" in text


@pytest.mark.parametrize(
    ("language", "shown"),
    [
        ("en-GB", "Less Launch 10 %, leaves 44.75 EUR – – 19 % \u22124.97"),
        ("de-DE", "Abzüglich Launch 10 %, bleiben 44,75 EUR – – 19 % \u22124,97"),
    ],
)
def test_a_line_with_an_allowance_shows_gross_what_is_taken_off_and_net(language: str, shown: str) -> None:
    launch = Allowance(kind="coupon", reference="cpn_1", reason="Launch 10 %", amount_minor=497)
    line = replace(samples.BRIGHTCHAT_LINES[0], net_minor=4475, allowances=(launch,))
    snapshot = replace(samples.BRIGHTCHAT_INVOICE, language=language, lines=(line,))
    (group,) = line_groups(snapshot)
    figures = [row["net"].replace(",", ".").replace("\u2212", "-") for row in group["rows"]]
    assert figures == ["", "25.00", "24.72", "-4.97"]
    assert shown in pdf_text(render_pdf(snapshot))


def test_several_subscriptions_get_a_heading_and_a_subtotal_each() -> None:
    lines = tuple(
        replace(line, subscription="Team Paris" if line.position < 3 else "Team Lyon")
        for line in samples.BRIGHTCHAT_LINES
    )
    text = pdf_text(render_pdf(replace(samples.BRIGHTCHAT_INVOICE, lines=lines)))
    assert "Subtotal Team Paris 86.52" in text
    assert "Subtotal Team Lyon 106.50" in text


def test_headings_and_subtotals_stay_with_their_lines_and_the_totals_with_two() -> None:
    def grouped(*names: str) -> list[int]:
        lines = tuple(replace(samples.BRIGHTCHAT_LINES[3], subscription=name) for name in names)
        return row_spans(line_groups(replace(samples.BRIGHTCHAT_INVOICE, lines=lines)))

    # heading A, line, line + subtotal A, heading B, line, line + subtotal B: the last span is kept with the totals
    assert grouped("A", "A", "B", "B") == [2, 0, 2, 0, 4, 0, 0, 0]
    assert grouped("", "", "", "") == [1, 1, 2, 0]
    assert grouped("") == [1]
    assert row_spans(line_groups(samples.BRIGHTCHAT_INVOICE)) == [1, 1, 1, 1, 2, 0]


def test_the_german_document_is_german_throughout() -> None:
    text = pdf_text(render_pdf(replace(samples.TRANSFER_INVOICE, language="de-DE")))
    for shown in (
        "Rechnung VV-2023-000003",
        "Leistungszeitraum 01.11. bis 31.12.2023",
        "Staffel: bis 10.000.000 10.000.000 0,0000025 19 % 25,00",
        "insgesamt 22.361.870, 49,72 EUR",
        "Umsatzsteuer 19 % 36,67 EUR",
        "Zahlbetrag 229,69 EUR",
        "Bitte überweisen Sie 229,69 EUR bis zum 15.12.2023.",
        "Mit der Banking-App scannen",
        "Geschäftsführung: Mia Lang, Jon Petersen",
    ):
        assert shown in text
    for english in ("Invoice", "Total", "Quantity", "Please", "Nov ", "Page"):
        assert english not in text


def test_a_transfer_invoice_shows_the_account_and_the_reference() -> None:
    text = pdf_text(render_pdf(samples.TRANSFER_INVOICE))
    assert "Please transfer 229.69 EUR by Dec 15, 2023." in text
    assert "IBAN DE02 1203 0000 0000 2020 51" in text
    assert "Reference VV-2023-000003" in text
    assert "Purchase order PO-4711" in text
    assert "Thank you for your order." in text


def test_the_payment_code_is_the_sepa_transfer_of_the_amount_due() -> None:
    # Line by line as EPC069-12 lays it down; 2 = ISO 8859-1, and no purpose and no structured reference.
    expected = b"BCD\n002\n2\nSCT\nBYLADEM1001\nValueVerse GmbH\nDE02120300000000202051\nEUR129.69\n\n\nVV-2023-000003"
    part_paid = replace(samples.TRANSFER_INVOICE, paid_minor=10000)
    drawing = io.BytesIO()
    segno.make(expected, error="m", boost_error=False, micro=False).save(
        drawing, kind="svg", border=4, xmldecl=False
    )
    assert page_content(part_paid)["payment"]["code_svg"] == drawing.getvalue().decode()


@pytest.mark.parametrize(
    "snapshot",
    [
        samples.BRIGHTCHAT_INVOICE,
        samples.CREDIT_NOTE,
        replace(samples.TRANSFER_INVOICE, currency="USD"),
        replace(samples.TRANSFER_INVOICE, paid_minor=22969),
    ],
    ids=["charged", "credit note", "dollars", "nothing due"],
)
def test_there_is_no_payment_code_where_no_sepa_transfer_is_asked_for(snapshot: Snapshot) -> None:
    assert page_content(snapshot)["payment"]["code_svg"] == ""


def test_a_test_invoice_also_shows_the_payment_code() -> None:
    assert page_content(replace(samples.TRANSFER_INVOICE, is_test=True))["payment"]["code_svg"]


def test_a_credit_note_names_its_invoice_and_what_becomes_of_the_money() -> None:
    text = pdf_text(render_pdf(samples.CREDIT_NOTE))
    assert "Credit note VV-CN-2023-000001 Credit note for invoice VV-2023-000003 of Dec 1, 2023" in text
    assert "Total credited 8.93 EUR" in text
    assert "8.93 EUR will be paid back to test card ending in 4242." in text
    assert "Amount due" not in text and "Due " not in text and "\u2212" not in text


def test_a_cancellation_says_so_in_both_languages() -> None:
    text = pdf_text(render_pdf(samples.CANCELLATION))
    assert "Cancellation VV-CN-2023-000002 Cancels invoice VV-2023-000003 of Dec 1, 2023 in full" in text
    assert "229.69 EUR are set off against the open amount of invoice VV-2023-000003." in text
    german = pdf_text(render_pdf(replace(samples.CANCELLATION, language="de")))
    assert "Stornorechnung VV-CN-2023-000002 Storniert die Rechnung VV-2023-000003 vom 01.12.2023" in german


def test_a_credit_split_in_three_says_each_part() -> None:
    use = CreditUse(offset_minor=100, refund_minor=200, credit_minor=593)
    text = pdf_text(render_pdf(replace(samples.CREDIT_NOTE, credit_use=use)))
    assert "1.00 EUR are set off" in text
    assert "2.00 EUR will be paid back" in text
    assert "5.93 EUR are kept as your credit" in text


def test_reverse_charge_is_said_with_its_law_in_both_languages() -> None:
    english = pdf_text(render_pdf(reverse_charge()))
    assert "Reverse charge: the recipient is liable for the VAT" in english
    assert "Art. 196 of Directive 2006/112/EC; § 3a (2), § 13b UStG" in english
    german = pdf_text(render_pdf(replace(reverse_charge(), language="de")))
    assert "Steuerschuldnerschaft des Leistungsempfängers (Art. 44 und Art. 196" in german
    assert "FRANKREICH" in german


def test_only_a_german_seller_cites_german_law() -> None:
    seller = replace(samples.SELLER, country="FR")
    assert "UStG" not in pdf_text(render_pdf(replace(reverse_charge(), seller=seller)))


def test_test_documents_and_only_they_carry_the_mark() -> None:
    assert "TEST" in pdf_text(render_pdf(samples.BRIGHTCHAT_INVOICE))
    assert "TEST" not in pdf_text(render_pdf(replace(samples.BRIGHTCHAT_INVOICE, is_test=False)))
    assert all("TEST" in page for page in pdf_pages(render_pdf(replace(sixty_lines(), is_test=True))))


def test_what_is_already_paid_is_taken_off() -> None:
    text = pdf_text(render_pdf(replace(samples.BRIGHTCHAT_INVOICE, paid_minor=10000)))
    assert "Already paid \u2212100.00 EUR Amount due 129.69 EUR" in text
    settled = pdf_text(render_pdf(replace(samples.BRIGHTCHAT_INVOICE, paid_minor=22969)))
    assert "Nothing is due." in settled


def test_sixty_lines_repeat_the_head_and_carry_the_sum_forward() -> None:
    pages = pdf_pages(render_pdf(sixty_lines()))
    assert len(pages) > 3
    for number, page in enumerate(pages[1:], start=2):
        assert f"VV-2023-000003, Brightchat GmbH, page {number} of {len(pages)}" in page
        assert "Pos Description Quantity Unit price Tax Net EUR" in page
    for before, after in pairwise(pages):
        carried_out = before.rsplit("Carried forward ", 1)[1].split()[0]
        carried_in = after.split("Carried forward ", 1)[1].split()[0]
        assert carried_out == carried_in
    assert pages[0].count("Carried forward") == 1
    assert pages[-1].count("Carried forward") == 1
    assert "Amount due 2,895.30 EUR" in pages[-1]


@pytest.mark.parametrize("count", range(5, 13))
def test_the_totals_never_stand_alone_on_a_page(count: int) -> None:
    snapshot = sixty_lines()
    lines = snapshot.lines[:count]
    pages = pdf_pages(render_pdf(replace(snapshot, lines=lines)))
    (closing,) = [page for page in pages if "Amount due" in page]
    assert lines[-1].description in closing.split("Net EUR", 1)[1].split("Tax category")[0]


def test_long_names_wrap_and_are_never_cut() -> None:
    seller = replace(
        samples.SELLER, legal_name=LONG_NAME, directors="Maximiliane Freifrau von Hohenstein, " * 6
    )
    snapshot = replace(
        samples.TRANSFER_INVOICE,
        seller=seller,
        buyer=customer(legal_name=LONG_NAME, line2=LONG_NAME, customer_number="c" * 80),
        lines=(replace(samples.BRIGHTCHAT_LINES[0], description=LONG_NAME), *samples.BRIGHTCHAT_LINES[1:]),
        purchase_order="P" * 120,
    )
    content = render_pdf(snapshot)
    # Breaks and hyphens at the end of a line aside, every letter is there.
    letters = "".join(character for character in pdf_text(content) if character.isalnum())
    name = "".join(character for character in LONG_NAME if character.isalnum())
    assert letters.count(name) >= 4
    assert "c" * 80 in letters and "P" * 120 in letters
    document = pypdfium2.PdfDocument(content)
    for page in document:
        text_page, (width, height) = page.get_textpage(), page.get_size()
        for index in range(text_page.count_chars()):
            left, bottom, right, top = text_page.get_charbox(index)
            assert left >= 0 and right <= width and bottom >= 0 and top <= height


def test_markup_in_names_prints_as_it_is() -> None:
    snapshot = replace(
        samples.BRIGHTCHAT_INVOICE,
        is_test=False,
        buyer=customer(legal_name=HOSTILE, line1="=1+1", customer_number="#panic()"),
        lines=(replace(samples.BRIGHTCHAT_LINES[0], description=HOSTILE), *samples.BRIGHTCHAT_LINES[1:]),
        notes=(HOSTILE,),
        purchase_order="=cmd|' /C calc'!A0",
    )
    text = pdf_text(render_pdf(snapshot)).replace("\u200b", "")
    squeezed = "".join(text.split())
    assert squeezed.count("".join(HOSTILE.split())) >= 3
    assert "#panic()" in text and "=cmd|' /C calc'!A0" in text and "=1+1" in text
    assert "root:" not in text


def test_the_same_snapshot_gives_the_same_bytes() -> None:
    first = render_pdf(samples.TRANSFER_INVOICE)
    render_pdf(samples.CODEWRIGHT_INVOICE)
    assert render_pdf(samples.TRANSFER_INVOICE) == first


def test_threads_get_their_own_documents() -> None:
    numbers = [f"VV-2023-{number:06}" for number in range(12)]
    pages: dict[str, str] = {}

    def work(number: str) -> None:
        pages[number] = pdf_text(render_pdf(replace(samples.BRIGHTCHAT_INVOICE, number=number)))

    threads = [threading.Thread(target=work, args=(number,)) for number in numbers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(f"Invoice {number}" in pages[number] for number in numbers)


def test_the_file_is_tagged_pdf_a_3_in_the_language_of_the_document() -> None:
    content = render_pdf(replace(samples.TRANSFER_INVOICE, language="de"))
    assert b"<pdfaid:part>3</pdfaid:part>" in content
    assert b"<pdfaid:conformance>A</pdfaid:conformance>" in content
    assert b"/StructTreeRoot" in content
    assert b"/Lang(de)" in content
    assert b"/CreationDate(D:20231201000000Z)" in content


def test_greek_cyrillic_and_broken_characters_still_make_an_archival_file() -> None:
    name = "Ελληνικά Кириллица Łódź \x07\ue000\u202e\ufffd AG"
    content = render_pdf(replace(samples.BRIGHTCHAT_INVOICE, buyer=customer(legal_name=name)))
    assert b"pdfaid:part" in content
    assert "Ελληνικά Кириллица Łódź ?? AG" in pdf_text(content)


def test_a_name_in_letters_without_a_font_does_not_stop_the_invoice() -> None:
    content = render_pdf(replace(samples.BRIGHTCHAT_INVOICE, buyer=customer(legal_name="株式会社ライト 🎉")))
    assert "Amount due 229.69 EUR" in pdf_text(content)


@pytest.mark.parametrize(
    "logo",
    ["<svg", '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><image href="/etc/passwd"/></svg>'],
    ids=["broken", "reads a file"],
)
def test_a_logo_that_is_broken_or_reads_files_is_refused(logo: str) -> None:
    if "image" in logo:
        logo = logo.replace("<image", '<image width="1" height="1"')
    with pytest.raises(DocumentNotRenderable) as refused:
        render_pdf(replace(samples.BRIGHTCHAT_INVOICE, logo_svg=logo))
    assert refused.value.code == "document_not_renderable"


def test_checking_a_logo_leaves_the_next_document_as_it_is() -> None:
    before = render_pdf(samples.BRIGHTCHAT_INVOICE)
    assert logo_problem("<svg") and not logo_problem(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 4 1'/>"
    )
    assert render_pdf(samples.BRIGHTCHAT_INVOICE) == before


def test_an_iban_that_cannot_be_one_is_refused() -> None:
    bank = replace(samples.BANK, iban="X" * 50)
    snapshot = replace(samples.TRANSFER_INVOICE, payment=replace(samples.TRANSFER, bank_account=bank))
    with pytest.raises(DocumentNotRenderable) as refused:
        render_pdf(snapshot)
    assert "payment.bank_account" in refused.value.fields
