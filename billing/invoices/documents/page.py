"""The content of the printed page: everything the typst template shows, as ready-made text in the document's language.

The template knows geometry and type only; what is said, and when, is decided here, where it can be tested.
"""

import re
from math import ceil
from typing import TypedDict

from billing.invoices.documents.epc import AMOUNT_MAX_MINOR, payment_code_svg
from billing.invoices.documents.formatting import (
    MINUS,
    country_name,
    format_date,
    format_figure,
    format_iban,
    format_money,
    format_percent,
    format_period,
    format_unit_amount,
    join_present,
    supported_language,
)
from billing.invoices.documents.lines import Group, line_groups, row_spans, tax_label
from billing.invoices.documents.snapshot import BankAccount, CollectionMethod, DocumentType, Party, Snapshot
from billing.invoices.documents.text import printable, wrapping
from billing.invoices.documents.wording import legal_text, title, words

BLACK = "#000000"
# Where letters are US Letter; everywhere else they are A4. Source: Unicode CLDR, supplemental data, measurementData.
LETTER_COUNTRIES = frozenset(
    ("BZ", "CA", "CL", "CO", "CR", "GT", "MX", "NI", "PA", "PH", "PR", "SV", "US", "VE")
)
FOOTER_LINES = 5  # lines that fit the 25 mm bottom margin
FOOTER_CHARACTERS = 32  # of 7.5 pt, in a quarter of the text width

Pair = tuple[str, str]


class Total(TypedDict):
    """One row of the totals; weight is plain, bold or due."""

    label: str
    amount: str
    weight: str


class Payment(TypedDict):
    """The payment block: sentences, the account to pay to, and the payment code as SVG ("" = none)."""

    heading: str
    sentences: list[str]
    facts: list[Pair]
    code_svg: str
    code_alt: str
    scan: str


class Page(TypedDict):
    """All a template gets. Lists of pairs are (label, value)."""

    language: str
    paper: str  # a4 | us-letter
    title: str
    subtitle: str
    author: str
    test_mark: str
    accent: str
    logo_svg: str
    logo_alt: str
    return_line: str
    address: list[str]
    facts: list[Pair]
    running: str
    page_of: str
    columns: list[str]
    carried: str
    groups: list[Group]
    row_spans: list[int]
    tax_columns: list[str]
    tax_rows: list[list[str]]
    national_tax: str
    totals: list[Total]
    payment: Payment
    legal: list[str]
    notes: list[str]
    footer: list[list[str]]
    footer_extra_lines: int


def page_content(snapshot: Snapshot) -> Page:
    """What is printed of a snapshot. Raises ValueError if the bank account cannot be put into a payment code."""
    text = words(snapshot.language)
    footer, groups = _footer(snapshot), line_groups(snapshot)
    return Page(
        language=supported_language(snapshot.language),
        paper="us-letter" if snapshot.seller.country in LETTER_COUNTRIES else "a4",
        title=printable(title(snapshot.document_type, snapshot.number, snapshot.language)),
        subtitle=_subtitle(snapshot),
        author=printable(snapshot.seller.legal_name),
        test_mark=text["test"] if snapshot.is_test else "",
        accent=accent(snapshot.accent_color),
        logo_svg=snapshot.logo_svg,
        logo_alt=text["logo"].format(name=printable(snapshot.seller.name or snapshot.seller.legal_name)),
        return_line=_return_line(snapshot.seller),
        address=address_lines(snapshot.buyer, home=snapshot.seller.country, language=snapshot.language),
        facts=[(label, wrapping(value)) for label, value in _facts(snapshot) if value],
        running=wrapping(join_present((snapshot.number, snapshot.buyer.legal_name), ", ")),
        page_of=text["page"],
        columns=[
            text["position"],
            text["description"],
            text["quantity"],
            text["unit_price"],
            text["tax"],
            text["net_in"].format(currency=snapshot.currency),
        ],
        carried=text["carried"],
        groups=groups,
        row_spans=row_spans(groups),
        tax_columns=[text["category"], text["rate"], text["base"], text["tax_amount"]],
        tax_rows=_tax_rows(snapshot),
        national_tax=_national_tax(snapshot),
        totals=_totals(snapshot),
        payment=_payment(snapshot),
        legal=_legal(snapshot),
        notes=[wrapping(line) for note in snapshot.notes for line in note.splitlines() if line.strip()],
        footer=footer,
        footer_extra_lines=_footer_extra_lines(footer),
    )


def accent(color: str) -> str:
    """The accent colour if it is "#rrggbb" and dark enough to read on white (4.5:1, WCAG 2.2), else black.

    >>> accent("#1E40AF"), accent("#ffee00"), accent("red; }")
    ('#1e40af', '#000000', '#000000')
    """
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", color):
        return BLACK
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    # Relative luminance in thousandths, with gamma 2 for the sRGB curve: good to a few percent, in whole numbers.
    luminance = (2126 * red**2 + 7152 * green**2 + 722 * blue**2) // (10 * 255**2)
    return color.lower() if luminance <= 183 else BLACK


def address_lines(party: Party, *, home: str, language: str) -> list[str]:
    """The postal address as written on an envelope; the country only on mail that crosses the border.

    Source: Universal Postal Union, addressing system sheets of the countries named here.
    """
    place = _place(party)
    country = country_name(party.country, language).upper() if party.country != home else ""
    lines = [party.legal_name, party.contact_name, party.line1, party.line2, *place, country]
    return [wrapping(line) for line in lines if line.strip()]


def _place(party: Party) -> list[str]:
    """City, region and postal code in the order and the lines of the country."""
    match party.country:
        case "US" | "CA" | "AU":
            return [join_present((join_present((party.city, party.region), ", "), party.postal_code), " ")]
        case "GB" | "IE":
            return [party.city, party.region, party.postal_code]
        case _:
            return [join_present((party.postal_code, party.city), " "), party.region]


def place_line(party: Party) -> str:
    """The place in one line, as the country writes it."""
    return join_present(_place(party), ", ")


def _return_line(seller: Party) -> str:
    return wrapping(join_present((seller.legal_name, seller.line1, place_line(seller)), " · "))


def _subtitle(snapshot: Snapshot) -> str:
    if snapshot.preceding is None:
        return ""
    key = "cancels" if snapshot.document_type is DocumentType.CANCELLATION else "corrects"
    day = format_date(snapshot.preceding.issued_on, snapshot.language)
    return printable(words(snapshot.language)[key].format(number=snapshot.preceding.number, date=day))


def _facts(snapshot: Snapshot) -> list[Pair]:
    text, language = words(snapshot.language), snapshot.language
    facts = [(text["number"], snapshot.number), (text["date"], format_date(snapshot.issued_on, language))]
    if snapshot.due_on is not None and not snapshot.is_credit:
        facts.append((text["due"], format_date(snapshot.due_on, language)))
    if snapshot.period_start_on is not None and snapshot.period_last_on is not None:
        period = format_period(snapshot.period_start_on, snapshot.period_last_on, language)
        facts.append((text["service_period"], period))
    if snapshot.tax_point_on is not None and snapshot.tax_point_on != snapshot.issued_on:
        facts.append((text["tax_point"], format_date(snapshot.tax_point_on, language)))
    contact = join_present((snapshot.seller.contact_name, snapshot.seller.email), ", ")
    facts += [
        (text["customer"], snapshot.buyer.customer_number),
        (text["customer_vat"], snapshot.buyer.vat_number),
        (text["purchase_order"], snapshot.purchase_order),
        (text["buyer_reference"], snapshot.buyer_reference),
        (text["contact"], contact),
    ]
    return facts


def _tax_rows(snapshot: Snapshot) -> list[list[str]]:
    text, currency, language = words(snapshot.language), snapshot.currency, snapshot.language
    return [
        [
            text.get(f"cat_{tax.category}", tax.category),
            tax_label(tax.category, tax.percent, language),
            format_figure(tax.base_minor, currency, language),
            format_figure(tax.tax_minor, currency, language),
        ]
        for tax in snapshot.taxes
    ]


def _national_tax(snapshot: Snapshot) -> str:
    tax = snapshot.tax_in_accounting_currency
    if tax is None:
        return ""
    language = snapshot.language
    return words(language)["national_tax"].format(
        currency=tax.currency,
        amount=format_figure(tax.tax_minor, tax.currency, language),
        document=snapshot.currency,
        rate=format_unit_amount(tax.rate, tax.currency, language),
        source=printable(tax.rate_source),
        date=format_date(tax.rate_on, language),
    )


def _totals(snapshot: Snapshot) -> list[Total]:
    text, currency, language = words(snapshot.language), snapshot.currency, snapshot.language
    vat = text["vat"]
    if len(snapshot.taxes) == 1 and snapshot.taxes[0].category == "S":
        vat = f"{vat} {format_percent(snapshot.taxes[0].percent, language)}"
    total = format_money(snapshot.total_minor, currency, language)
    totals = [
        Total(
            label=text["net"],
            amount=format_money(snapshot.subtotal_minor, currency, language),
            weight="plain",
        ),
        Total(label=vat, amount=format_money(snapshot.tax_minor, currency, language), weight="plain"),
    ]
    if snapshot.is_credit:
        return [*totals, Total(label=text["total_credit"], amount=total, weight="due")]
    totals.append(Total(label=text["total"], amount=total, weight="bold"))
    if snapshot.paid_minor:
        paid = MINUS + format_money(snapshot.paid_minor, currency, language)
        totals.append(Total(label=text["paid"], amount=paid, weight="plain"))
    due = format_money(snapshot.due_minor, currency, language)
    return [*totals, Total(label=text["amount_due"], amount=due, weight="due")]


def payment_sentences(snapshot: Snapshot) -> list[str]:
    """What happens with the amount, one sentence each: transfer, charge, or what becomes of a credit."""
    text, currency, language = words(snapshot.language), snapshot.currency, snapshot.language
    method = printable(snapshot.payment.method_label)
    if snapshot.is_credit:
        use = snapshot.credit_use
        invoice = snapshot.preceding.number if snapshot.preceding else ""
        parts = [
            ("offset", use.offset_minor if use else 0),
            ("refund_method" if method else "refund", use.refund_minor if use else 0),
            ("credit", use.credit_minor if use else 0),
        ]
        return [
            text[key].format(amount=format_money(minor, currency, language), invoice=invoice, method=method)
            for key, minor in parts
            if minor
        ]
    if snapshot.due_minor <= 0:
        return [text["nothing_due"]]
    due_on = snapshot.due_on or snapshot.issued_on
    if snapshot.payment.collection_method is CollectionMethod.CHARGE_AUTOMATICALLY:
        key = "charge_method" if method else "charge"
    else:
        key = "transfer_receipt" if due_on <= snapshot.issued_on else "transfer"
    amount = format_money(snapshot.due_minor, currency, language)
    return [text[key].format(amount=amount, date=format_date(due_on, language), method=method)]


def bank_facts(account: BankAccount, snapshot: Snapshot) -> list[Pair]:
    """The account to pay to, with the reference to write on the transfer."""
    text = words(snapshot.language)
    facts = [
        (text["payee"], account.holder),
        ("IBAN", format_iban(account.iban)),
        ("BIC", account.bic),
        (text["bank"], account.bank_name),
        (text["reference"], snapshot.payment_reference),
    ]
    return [(label, wrapping(value) if label != "IBAN" else value) for label, value in facts if value]


def transfer_account(snapshot: Snapshot) -> BankAccount | None:
    """The account a customer is asked to transfer to, if that is how the document is paid and something is due."""
    by_transfer = snapshot.payment.collection_method is CollectionMethod.SEND_INVOICE
    return snapshot.payment.bank_account if by_transfer and snapshot.due_minor > 0 else None


def _payment(snapshot: Snapshot) -> Payment:
    text = words(snapshot.language)
    sentences = payment_sentences(snapshot)
    payment = Payment(
        heading=text["payment"] if sentences else "",
        sentences=sentences,
        facts=[],
        code_svg="",
        code_alt="",
        scan=text["scan"],
    )
    account = transfer_account(snapshot)
    if account is None:
        return payment
    payment["facts"] = bank_facts(account, snapshot)
    if snapshot.currency == "EUR" and account.iban and snapshot.due_minor <= AMOUNT_MAX_MINOR:
        payment["code_svg"] = payment_code_svg(
            holder=account.holder,
            iban=account.iban,
            bic=account.bic,
            amount_minor=snapshot.due_minor,
            reference=snapshot.payment_reference,
        )
        payment["code_alt"] = text["scan_alt"].format(
            amount=format_money(snapshot.due_minor, snapshot.currency, snapshot.language),
            holder=printable(account.holder),
            reference=printable(snapshot.payment_reference),
        )
    return payment


def _legal(snapshot: Snapshot) -> list[str]:
    country = snapshot.seller.country
    texts = [
        legal_text(tax.category, tax.exemption_text, language=snapshot.language, seller_country=country)
        for tax in snapshot.taxes
    ]
    return [wrapping(text) for text in dict.fromkeys(texts) if text]


def _footer(snapshot: Snapshot) -> list[list[str]]:
    """Four columns: the firm, who runs it, how the tax office knows it, where its money goes."""
    text, seller, account = words(snapshot.language), snapshot.seller, snapshot.payment.bank_account
    country = country_name(seller.country, snapshot.language) if seller.country else ""
    columns = [
        [seller.legal_name, seller.line1, seller.line2, join_present((place_line(seller), country), ", ")],
        [seller.register, f"{text['directors']}: {seller.directors}" if seller.directors else ""],
        [
            f"{text['vat_id']} {seller.vat_number}" if seller.vat_number else "",
            f"{text['tax_number']} {seller.tax_number}" if seller.tax_number else "",
            seller.email,
            seller.phone,
        ],
        [account.bank_name, f"IBAN {format_iban(account.iban)}", f"BIC {account.bic}" if account.bic else ""]
        if account
        else [],
    ]
    return [[wrapping(line) for line in column if line.strip()] for column in columns]


def _footer_extra_lines(footer: list[list[str]]) -> int:
    """How many lines the longest column needs beyond those the usual margin has room for."""
    needed = max(sum(ceil(len(line) / FOOTER_CHARACTERS) for line in column) for column in footer)
    return max(0, needed - FOOTER_LINES)
