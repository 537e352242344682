"""The mail that carries a document: subject, plain text and HTML saying the same."""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.template import Context, Engine

from billing.invoices.documents.formatting import (
    NO_BREAK_SPACE,
    format_date,
    format_money,
    format_month,
    format_period,
    format_short_date,
    join_present,
    supported_language,
)
from billing.invoices.documents.page import (
    Pair,
    accent,
    bank_facts,
    payment_sentences,
    place_line,
    transfer_account,
)
from billing.invoices.documents.snapshot import DocumentType, Snapshot
from billing.invoices.documents.text import ZERO_WIDTH_SPACE, printable
from billing.invoices.documents.wording import title, words

TEMPLATES = Path(__file__).resolve().parents[3] / "templates" / "emails"


@dataclass(frozen=True, slots=True)
class MailContent:
    """What a mail says; the document itself is attached by the sender."""

    subject: str
    text: str
    html: str


@cache
def _engine(*, autoescape: bool) -> Engine:
    """Mails are rendered outside requests and without the project's context processors."""
    return Engine(dirs=[str(TEMPLATES)], autoescape=autoescape)


def invoice_mail(snapshot: Snapshot, *, document_url: str | None) -> MailContent:
    """The mail of an invoice, credit note or cancellation, in the document's language.

    document_url: where the document is shown (https), or None, which leaves the button out.
    """
    text = words(snapshot.language)
    return compose_mail(
        snapshot,
        subject=_subject(snapshot),
        heading=title(snapshot.document_type, snapshot.number, snapshot.language),
        first_line=_first_line(snapshot),
        facts=_facts(snapshot),
        sentences=payment_sentences(snapshot),
        button=text["mail_view_credit" if snapshot.is_credit else "mail_view"],
        url=document_url,
    )


def compose_mail(
    snapshot: Snapshot,
    *,
    subject: str,
    heading: str,
    first_line: str,
    facts: Sequence[Pair],
    sentences: Sequence[str],
    button: str,
    url: str | None,
) -> MailContent:
    """A mail about a document, from its seller; text and HTML say the same.

    The subject is one line whatever the names hold: a line break in it would start another mail header.
    url: where the button leads (https), or None, which leaves it out.
    """
    content = {
        "language": supported_language(snapshot.language),
        "title": heading,
        "first_line": first_line,
        "test_note": words(snapshot.language)["mail_test_note"] if snapshot.is_test else "",
        "facts": [(label, value.replace(ZERO_WIDTH_SPACE, "")) for label, value in facts],
        "sentences": sentences,
        "url": url or "",
        "button": button,
        "accent": accent(snapshot.accent_color),
        "footer": _footer(snapshot),
    }
    plain = _engine(autoescape=False).get_template("document.txt").render(Context(content, autoescape=False))
    return MailContent(
        subject=printable(subject.replace(NO_BREAK_SPACE, " ")),
        text=plain.replace(NO_BREAK_SPACE, " ").rstrip() + "\n",
        html=_engine(autoescape=True).get_template("document.html").render(Context(content)),
    )


def _subject(snapshot: Snapshot) -> str:
    language, amount_minor, key = snapshot.language, snapshot.total_minor, "mail_subject"
    if snapshot.is_credit:
        key = f"mail_subject_{snapshot.document_type.value}"
    elif snapshot.due_on is not None and snapshot.due_minor > 0:
        key, amount_minor = "mail_subject_due", snapshot.due_minor
    due_on = snapshot.due_on or snapshot.issued_on
    return words(language)[key].format(
        number=snapshot.number,
        amount=format_money(amount_minor, snapshot.currency, language),
        date=format_short_date(due_on, language, beside=snapshot.issued_on),
    )


def _first_line(snapshot: Snapshot) -> str:
    text = words(snapshot.language)
    if snapshot.preceding is not None:
        key = (
            "mail_first_cancellation"
            if snapshot.document_type is DocumentType.CANCELLATION
            else "mail_first_credit_note"
        )
        date = format_date(snapshot.preceding.issued_on, snapshot.language)
        return text[key].format(number=printable(snapshot.preceding.number), date=date)
    period = _period(snapshot)
    return text["mail_first"].format(period=period) if period else text["mail_first_plain"]


def _period(snapshot: Snapshot) -> str:
    """The service period in words: the month if it is exactly one."""
    start_on, last_on = snapshot.period_start_on, snapshot.period_last_on
    if start_on is None or last_on is None:
        return ""
    month_last_on = start_on.replace(day=calendar.monthrange(start_on.year, start_on.month)[1])
    if start_on.day == 1 and last_on == month_last_on:
        return format_month(start_on, snapshot.language, beside=snapshot.issued_on)
    period = format_period(start_on, last_on, snapshot.language)
    return words(snapshot.language)["mail_period"].format(period=period)


def _facts(snapshot: Snapshot) -> list[Pair]:
    text, language = words(snapshot.language), snapshot.language
    facts = [
        (text["mail_amount"], format_money(snapshot.total_minor, snapshot.currency, language)),
        (text["number"], printable(snapshot.number)),
        (text["date"], format_date(snapshot.issued_on, language)),
    ]
    if snapshot.due_minor > 0 and snapshot.due_on is not None:
        facts.append((text["due"], format_date(snapshot.due_on, language)))
    account = transfer_account(snapshot)
    return [*facts, *bank_facts(account, snapshot)] if account else facts


def _footer(snapshot: Snapshot) -> list[str]:
    text, seller = words(snapshot.language), snapshot.seller
    lines = [
        join_present((seller.legal_name, seller.line1, place_line(seller)), ", "),
        join_present(
            (seller.register, f"{text['directors']}: {seller.directors}" if seller.directors else ""), ", "
        ),
        join_present(
            (
                f"{text['vat_id']} {seller.vat_number}" if seller.vat_number else "",
                seller.email,
                seller.phone,
            ),
            ", ",
        ),
    ]
    return [printable(line) for line in lines if line]
