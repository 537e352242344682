"""A customer's account: documents, payments, allocations and refunds in one row each, with the balance after it.

A balance is what the customer owes, per currency, in minor units: invoices and refunds add to it, credit notes and
payments take from it, an allocation only says which payment settled which invoice. Drafts and voided invoices, and
payments that never arrived or went back, are not on the account. Days are those of the documents; a refund's is the
day it succeeded in the legal entity's time zone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection

from customers.models import Customer
from payments.models import RECEIVED_PAYMENT_STATUSES

KINDS = ("invoice", "credit_note", "payment", "allocation", "refund")
"""The kinds of rows, in the order in which they happen on one day."""

_ROWS = """
    WITH fact AS (
        SELECT issued_on AS day, 0 AS place, id, 'invoice' AS kind, id AS page_id, number AS name, '' AS beside,
               total_minor AS effect, total_minor AS amount, currency
        FROM invoices_invoice WHERE customer_id = %(customer)s AND status = 'finalized'
        UNION ALL
        SELECT note.issued_on, 1, note.id, 'credit_note', note.id, note.number, invoice.number,
               -note.total_minor, -note.total_minor, note.currency
        FROM invoices_creditnote note JOIN invoices_invoice invoice ON invoice.id = note.invoice_id
        WHERE note.customer_id = %(customer)s AND note.status = 'finalized'
        UNION ALL
        SELECT received_on, 2, id, 'payment', id, public_id, reference, -amount_minor, -amount_minor, currency
        FROM payments_payment WHERE customer_id = %(customer)s AND status = ANY(%(received)s)
        UNION ALL
        SELECT allocation.accounting_on, 3, allocation.id, 'allocation', payment.id, payment.public_id, invoice.number,
               0, allocation.amount_minor, payment.currency
        FROM payments_paymentallocation allocation
        JOIN payments_payment payment ON payment.id = allocation.payment_id
        JOIN invoices_invoice invoice ON invoice.id = allocation.invoice_id
        WHERE payment.customer_id = %(customer)s AND payment.status = ANY(%(received)s)
        UNION ALL
        SELECT (refund.finished_at AT TIME ZONE entity.time_zone)::date, 4, refund.id, 'refund', payment.id,
               payment.public_id, refund.reason, refund.amount_minor, refund.amount_minor, refund.currency
        FROM payments_refund refund
        JOIN payments_payment payment ON payment.id = refund.payment_id
        JOIN customers_legalentity entity ON entity.id = payment.legal_entity_id
        WHERE payment.customer_id = %(customer)s AND payment.status = ANY(%(received)s)
          AND refund.status = 'succeeded'
    ), account AS (
        SELECT *, sum(effect) OVER (
            PARTITION BY currency ORDER BY day, place, id ROWS UNBOUNDED PRECEDING
        )::bigint AS balance
        FROM fact
    )
"""


@dataclass(frozen=True, slots=True)
class AccountLine:
    """A row of an account. amount_minor: signed as it changes the debt; an allocation changes nothing, and says how
    much was put to the invoice named in `beside`. page_id: of the document, or of the payment for money."""

    on: date
    kind: str
    page_id: int
    name: str
    beside: str
    amount_minor: int
    balance_minor: int
    currency: str


def account_lines(
    *, customer: Customer, kinds: Sequence[str] = (), limit: int | None = None, offset: int = 0
) -> list[AccountLine]:
    """The rows of an account, newest first; kinds: only those, the balances stay those of the whole account."""
    query = f"""{_ROWS}
        SELECT day, kind, page_id, name, beside, amount, balance, currency FROM account
        WHERE kind = ANY(%(kinds)s) ORDER BY day DESC, place DESC, id DESC LIMIT %(limit)s OFFSET %(offset)s
    """  # noqa: S608 - constant text
    return [
        AccountLine(*row)
        for row in _fetch(query, customer, kinds=list(kinds or KINDS), limit=limit, offset=offset)
    ]


def account_length(*, customer: Customer, kinds: Sequence[str] = ()) -> int:
    """How many rows of these kinds an account has."""
    query = f"{_ROWS} SELECT count(*) FROM account WHERE kind = ANY(%(kinds)s)"  # noqa: S608 - constant text
    return int(_fetch(query, customer, kinds=list(kinds or KINDS))[0][0])


@dataclass(frozen=True, slots=True)
class Statement:
    """An account over some days in one currency: what was owed before, each row oldest first, what is owed after."""

    currency: str
    opening_minor: int
    lines: list[AccountLine]
    closing_minor: int


def statements(*, customer: Customer, start_on: date, last_on: date) -> list[Statement]:
    """The account over [start_on, last_on] without allocations, one statement per currency that ever occurred."""
    query = f"""{_ROWS}
        SELECT day, kind, page_id, name, beside, amount, balance, currency FROM account
        WHERE kind <> 'allocation' AND day >= %(start_on)s AND day <= %(last_on)s ORDER BY day, place, id
    """  # noqa: S608 - constant text
    lines = [AccountLine(*row) for row in _fetch(query, customer, start_on=start_on, last_on=last_on)]
    before = f"""{_ROWS}
        SELECT currency, coalesce(sum(effect) FILTER (WHERE day < %(start_on)s), 0)::bigint
        FROM fact GROUP BY currency ORDER BY currency
    """  # noqa: S608 - constant text
    made = []
    for currency, opening in _fetch(before, customer, start_on=start_on):
        own = [line for line in lines if line.currency == currency]
        closing = own[-1].balance_minor if own else opening
        made.append(Statement(currency, opening, own, closing))
    return made


def _fetch(query: str, customer: Customer, **given: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, {"customer": customer.pk, "received": list(RECEIVED_PAYMENT_STATUSES), **given})
        return list(cursor.fetchall())
