"""Where things stand on the sheet, measured in the PDF itself: windows of envelopes, folds, page breaks."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pypdfium2
import pypdfium2.raw
import pytest

from billing.invoices.documents.pdf import render_pdf
from billing.invoices.documents.snapshot import Party, Snapshot, Step, StepKind
from tests.billing.invoices.documents import samples
from tests.billing.invoices.documents.samples import pdf_pages
from tests.billing.invoices.documents.test_pdf import sixty_lines

MM = 72 / 25.4
INCH = 72.0
AMERICAN = replace(
    samples.SELLER,
    legal_name="ValueVerse Inc.",
    line1="1 Market Street",
    city="San Francisco",
    region="CA",
    postal_code="94105",
    country="US",
    vat_number="",
)
LETTER = replace(samples.CODEWRIGHT_INVOICE, seller=AMERICAN, is_test=False, logo_svg="")
LOGO = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 100 30'>"
    "<rect width='100' height='30' fill='#123456'/></svg>"
)


def page_of(snapshot: Snapshot, number: int = 0) -> pypdfium2.PdfPage:
    return pypdfium2.PdfDocument(render_pdf(snapshot))[number]


def box(page: pypdfium2.PdfPage, text: str) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the first place where a text stands, in points from the sheet's top left corner."""
    text_page = page.get_textpage()
    found = text_page.search(text, match_case=True).get_next()
    assert found is not None, text
    boxes = [text_page.get_charbox(index) for index in range(found[0], found[0] + found[1])]
    height = page.get_height()
    return (
        min(b[0] for b in boxes),
        height - max(b[3] for b in boxes),
        max(b[2] for b in boxes),
        height - min(b[1] for b in boxes),
    )


def marks(page: pypdfium2.PdfPage) -> list[float]:
    """Heights of the short lines in the left margin, in points from the top."""
    height, found = page.get_height(), []
    for shape in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_PATH]):
        _left, bottom, right, top = shape.get_bounds()
        if right < 12 * MM and top - bottom < 2:
            found.append(round(height - (top + bottom) / 2, 1))
    return sorted(found)


@pytest.mark.parametrize("lines", [3, 6])
def test_the_address_stands_in_the_window_of_a_german_envelope(lines: int) -> None:
    """DIN 5008 form B: the field is 85 x 45 mm at 20/45 mm; its upper 17.7 mm are for the return line."""
    buyer = samples.BRIGHTCHAT
    if lines == 6:
        buyer = replace(buyer, contact_name="Ada Lovelace", line2="Hinterhaus", country="AT", region="Wien")
    page = page_of(replace(samples.TRANSFER_INVOICE, buyer=buyer))
    assert (round(page.get_width() / MM), round(page.get_height() / MM)) == (210, 297)
    for text in ("Brightchat GmbH", "10115 Berlin"):
        left, top, right, bottom = box(page, text)
        assert left >= 25 * MM - 1 and right <= 105 * MM
        assert top >= 62.7 * MM - 1 and bottom <= 90 * MM
    left, top, right, bottom = box(page, "ValueVerse GmbH · Torstraße 140")
    assert top >= 45 * MM and bottom <= 62.7 * MM and left >= 20 * MM and right <= 105 * MM
    assert box(page, "Number")[0] == pytest.approx(125 * MM, abs=1)


def test_an_a4_sheet_has_marks_where_it_is_folded_and_punched() -> None:
    assert marks(page_of(samples.TRANSFER_INVOICE)) == [
        pytest.approx(height * MM, abs=1) for height in (105, 148.5, 210)
    ]


@pytest.mark.parametrize("country", ["US", "CA", "MX"])
def test_where_letters_are_us_letter_so_are_documents(country: str) -> None:
    page = page_of(replace(LETTER, seller=replace(AMERICAN, country=country)))
    assert (page.get_width(), page.get_height()) == (8.5 * INCH, 11 * INCH)


def test_the_address_stands_in_the_window_of_a_number_10_envelope() -> None:
    """The field is 3.4 x 0.66 inches at 0.9/2.5 inches."""
    page = page_of(LETTER)
    for text in ("Codewright LLC", "Suite 400", "Portland, OR 97209"):
        left, top, right, bottom = box(page, text)
        assert left >= 0.9 * INCH - 1 and right <= 4.3 * INCH
        assert top >= 2.5 * INCH - 1 and bottom <= 3.16 * INCH + 1
    assert marks(page) == [pytest.approx(height * INCH, abs=1) for height in (3.67, 7.33)]
    assert box(page, "ValueVerse Inc. · 1 Market Street · San Francisco, CA 94105")[1] < 2 * INCH
    assert box(page, "Invoice VV-2023-000004")[1] > 3.67 * INCH


@pytest.mark.parametrize("seller", [samples.SELLER, AMERICAN], ids=["A4", "Letter"])
def test_everything_keeps_off_the_margins_and_the_logo_stands_on_the_right(seller: Party) -> None:
    page = page_of(replace(samples.TRANSFER_INVOICE, seller=seller, logo_svg=LOGO))
    width, height = page.get_size()
    right_margin = (20 * MM) if seller is samples.SELLER else 0.75 * INCH
    text_page = page.get_textpage()
    for index in range(text_page.count_chars()):
        left, bottom, right, top = text_page.get_charbox(index)
        if right > left:
            assert left >= 18 * MM and right <= width - right_margin + 1
            assert bottom >= 3 * MM and top <= height - 10 * MM
    fills = [
        shape.get_bounds()
        for shape in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_PATH], max_depth=5)
        if shape.get_bounds()[2] - shape.get_bounds()[0] > 50 * MM
        and shape.get_bounds()[3] - shape.get_bounds()[1] > 10 * MM
    ]
    left, bottom, right, top = fills[0]
    assert right <= width - right_margin + 1 and right - left <= 60 * MM + 1 and top - bottom <= 18 * MM + 1
    assert height - bottom < 40 * MM


@pytest.mark.parametrize("seller", [samples.SELLER, AMERICAN], ids=["A4", "Letter"])
def test_sums_are_carried_over_every_page_of_either_paper(seller: Party) -> None:
    pages = pdf_pages(render_pdf(replace(sixty_lines(), seller=seller)))
    table = [page for page in pages if "Net EUR" in page]
    assert len(table) > 3
    for before, after in pairwise(table):
        out = before.rsplit("Carried forward ", 1)[1].split()[0]
        assert out == after.split("Carried forward ", 1)[1].split()[0]


@pytest.mark.parametrize("before", range(4, 14))
def test_the_tiers_of_a_line_never_break_over_a_page(before: int) -> None:
    """Four tiers and their heading, after any number of other lines."""
    steps = tuple(
        Step(
            kind=StepKind.GRADUATED,
            quantity=Decimal(1000),
            unit_amount=Decimal("0.10"),
            amount_minor=10000,
            from_quantity=Decimal(1000 * number) if number else None,
            up_to=Decimal(1000 * (number + 1)),
        )
        for number in range(4)
    )
    tiered = replace(
        samples.BRIGHTCHAT_LINES[0], description="Tiered thing", steps=steps, net_minor=40000, position=99
    )
    lines = (*sixty_lines().lines[:before], tiered, *sixty_lines().lines[:8])
    pages = pdf_pages(render_pdf(replace(sixty_lines(), lines=lines)))
    (page,) = [page for page in pages if "Tiered thing" in page]
    assert page.count("1,000 0.10 19 % 100.00") == 4


def test_a_line_of_nothing_prints_zero_and_nothing_is_to_pay() -> None:
    lines = tuple(
        replace(line, net_minor=0, quantity=Decimal(0), steps=()) for line in samples.BRIGHTCHAT_LINES
    )
    taxes = tuple(replace(tax, base_minor=0, tax_minor=0) for tax in samples.TRANSFER_INVOICE.taxes)
    (text,) = pdf_pages(
        render_pdf(
            replace(
                samples.TRANSFER_INVOICE,
                lines=lines,
                taxes=taxes,
                subtotal_minor=0,
                tax_minor=0,
                total_minor=0,
            )
        )
    )
    assert text.count("19 % 0.00") >= 4
    assert "Nothing is due." in text
    assert "Scan with" not in text and "IBAN DE02" in text  # the bank stands in the footer only
