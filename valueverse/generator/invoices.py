"""Generated invoices of one month and seller: drafted, issued in order of number, booked, mailed, collected."""

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.apps import apps
from django.db.backends.utils import CursorWrapper

from billing.core.postings import Role
from customers.models import LegalEntity, NumberSeries
from valueverse.generator import statements
from valueverse.generator.inserting import insert, public_id
from valueverse.generator.samples import Sample, instants, month_end
from valueverse.generator.sizes import Share

BATCH = 1_000
"""Invoices in one transaction. Each takes its number by an update of one row, so larger ones get slower."""

ROLES = (
    (Role.RECEIVABLE, ""),
    (Role.DEFERRED, ""),
    (Role.VAT, ""),
    (Role.SUBSCRIPTION_REVENUE, ""),
    (Role.UNAPPLIED_CASH, ""),
    (Role.GATEWAY_CLEARING, "test"),
)
"""The accounts that generated entries post to."""


@dataclass(frozen=True, slots=True)
class Books:
    """Where a seller's invoices are numbered and booked."""

    seller: LegalEntity
    series_id: int
    prefix: str


def books_of(seller: LegalEntity, number: int) -> Books:
    """A seller's series of invoices; the prefix is what its pattern prints before the year."""
    series = NumberSeries.objects.get(legal_entity=seller, document_type="invoice")
    return Books(seller, series.pk, f"G{number}-")


def ensure_accounts(seller: LegalEntity) -> None:
    """The accounts of the books, as the first posting to each would make them."""
    account = apps.get_model("ledger", "Account")
    for role, detail in ROLES:
        account.objects.get_or_create(
            legal_entity=seller,
            role=role.value,
            currency="EUR",
            detail=detail,
            defaults={"gl_code": f"{role.value}-{detail}" if detail else role.value},
        )


def prepare_session(cursor: CursorWrapper, books: Books, samples: list[Sample]) -> None:
    """What a database session needs before its first batch: the samples, the accounts, and how to issue."""
    cursor.execute(
        "SET synchronous_commit = off"
    )  # a crash of the server loses a batch or two; they are made again
    cursor.execute("SET statement_timeout = 0")
    cursor.execute("SET jit = off")
    cursor.execute(statements.PREPARE)
    for index, sample in enumerate(samples):
        cursor.execute(
            "INSERT INTO sample VALUES (%s, %s, %s, %s, %s)",
            [index, _json(sample.invoice), _json(sample.tax), sample.tax_label, sample.document],
        )
        for line in sample.lines:
            cursor.execute(
                "INSERT INTO sample_line VALUES (%s, %s, %s)", [index, line["position"], _json(line)]
            )
    cursor.execute(
        "CREATE TEMP TABLE account AS SELECT role, id AS account_id FROM ledger_account "
        "WHERE legal_entity_id = %s AND currency = 'EUR'",
        [books.seller.pk],
    )
    for table in ("sample", "sample_line", "account"):
        cursor.execute(f"ANALYZE {table}")


def _json(columns: dict[str, Any]) -> str:
    plain = {
        name: value if isinstance(value, int | dict | list) else str(value) for name, value in columns.items()
    }
    return json.dumps(plain)


def write_invoices(
    cursor: CursorWrapper,
    share: Share,
    chunk: range,
    *,
    books: Books,
    month_on: date,
    month_index: int,
    number_before: int,
    is_over: bool,
    given: dict[str, Any],
) -> None:
    """Write the invoices of one month for the customers in `chunk`, and all that follows, in the caller's transaction.

    number_before: the last number taken of the month's year. is_over: whether the month's fees are delivered.
    """
    issued_at, paid_at = instants(month_on)
    given = {
        **given,
        "from": chunk.start,
        "to": chunk.stop - 1,
        "key": f"{share.seller}-{month_on:%Y-%m}-",
        "external_prefix": f"g{share.seller}-",
        "prefix": f"{books.prefix}{month_on.year}-",
        "number_before": number_before,
        "month_index": month_index,
        "month_on": month_on,
        "last_on": month_end(month_on),
        "year": month_on.year,
        "is_over": is_over,
        "series": books.series_id,
        "entity": books.seller.pk,
        "issued_at": issued_at,
        "paid_at": paid_at,
        "reason": "subscription_create" if month_index == 0 else "subscription_cycle",
    }
    cursor.execute(statements.BATCH, given)
    cursor.execute(statements.LINES, given)
    cursor.execute("CREATE INDEX ON batch_line (invoice_id); ANALYZE batch; ANALYZE batch_line")
    cursor.execute(statements.DOCUMENTS, given)
    _documents(cursor, given)
    _issue(cursor, given)
    _book(cursor, given)
    _collect(cursor, given)


def _documents(cursor: CursorWrapper, given: dict[str, Any]) -> None:
    insert(
        cursor,
        "invoices.Invoice",
        "batch ORDER BY n",
        given,
        id="id",
        public_id="public_id",
        legal_entity_id="%(entity)s",
        customer_id="customer_id",
        payer_id="customer_id",
        subscription_id="subscription_id",
        billing_reason="%(reason)s",
        currency="'EUR'",
        status="'draft'",
        usage_cutoff_at="%(issued_at)s",
        subtotal_minor="subtotal_minor",
        tax_minor="tax_minor",
        total_minor="total_minor",
        created_at="%(issued_at)s",
    )
    text = {
        name: f"line ->> '{name}'"
        for name in ("code", "description", "kind", "timing", "product_code", "unit_code", "tax_category")
    }
    insert(
        cursor,
        "invoices.InvoiceLine",
        "batch_line ORDER BY n, position",
        given,
        public_id="public_id",
        invoice_id="invoice_id",
        item_id="item_id",
        position="position",
        quantity="(line ->> 'quantity')::numeric",
        unit_amount="nullif(line ->> 'unit_amount', 'None')::numeric",
        amount_minor="amount_minor",
        service_start_on="%(month_on)s",
        service_last_on="%(last_on)s",
        service_start_at="%(month_on)s::timestamp AT TIME ZONE 'UTC'",
        service_end_at="(%(last_on)s::date + 1)::timestamp AT TIME ZONE 'UTC'",
        tax_percent="(line ->> 'tax_percent')::numeric",
        working="line -> 'working'",
        **text,
    )
    insert(
        cursor,
        "invoices.InvoiceTax",
        "batch ORDER BY n",
        given,
        invoice_id="id",
        tax_country="tax ->> 'tax_country'",
        category="tax ->> 'category'",
        percent="(tax ->> 'percent')::numeric",
        base_minor="subtotal_minor",
        tax_minor="tax_minor",
    )
    insert(
        cursor,
        "subscriptions.BilledPeriod",
        "batch_line ORDER BY n, position",
        given,
        item_id="item_id",
        reason="'recurring'",
        start_at="%(month_on)s::timestamp AT TIME ZONE 'UTC'",
        end_at="(%(last_on)s::date + 1)::timestamp AT TIME ZONE 'UTC'",
        invoice_id="invoice_public_id",
        line_id="public_id",
    )


def _record(
    cursor: CursorWrapper, given: dict[str, Any], name: str, kind: str, object_id: str, condition: str
) -> None:
    insert(
        cursor,
        "activity.Activity",
        f"batch WHERE {condition} ORDER BY n",
        given,
        public_id=public_id("act", f"'{name}' || %(key)s || n"),
        name=f"'{name}'",
        object_kind=f"'{kind}'",
        object_id=object_id,
        customer_id="customer_public_id",
        data="jsonb_build_object('number', number, 'total_minor', total_minor, 'currency', 'EUR')",
        actor_kind="%(actor_kind)s",
        actor_id="%(actor_id)s",
        actor_label="%(actor_label)s",
        happened_at="%(issued_at)s",
        recorded_at="now()",
        dispatched_at="now()",
    )


def _issue(cursor: CursorWrapper, given: dict[str, Any]) -> None:
    _record(cursor, given, "invoice.finalized", "invoice", "public_id", "true")
    cursor.execute(
        "INSERT INTO customers_numbercounter (series_id, year, last_number) VALUES (%(series)s, %(year)s, 0) "
        "ON CONFLICT (series_id, year) DO NOTHING",
        given,
    )
    cursor.execute(
        "SELECT pg_temp.issue(%(series)s, %(year)s, %(month_on)s, %(issued_at)s, %(prefix)s)", given
    )
    insert(
        cursor,
        "invoices.DocumentMail",
        "batch ORDER BY n",
        given,
        public_id=public_id("eml", "%(key)s || n"),
        invoice_id="id",
        recipient="email",
        status="'sent'",
        attempts="1",
        queued_at="%(issued_at)s",
        sent_at="%(issued_at)s",
    )


def _book(cursor: CursorWrapper, given: dict[str, Any]) -> None:
    insert(
        cursor,
        "revenue.RevenueSchedule",
        "batch_line ORDER BY n, position",
        given,
        id="schedule_id",
        public_id=public_id("rvs", "%(key)s || n || '-' || position"),
        line_id="public_id",
        invoice_id="invoice_public_id",
        legal_entity_id="%(entity)s",
        customer_id="customer_id",
        product_code="line ->> 'product_code'",
        currency="'EUR'",
        amount_minor="amount_minor",
        start_on="%(month_on)s",
        end_on="%(last_on)s::date + 1",
        created_at="%(issued_at)s",
    )
    cursor.execute(statements.FACTS, given)
    cursor.execute("CREATE INDEX ON fact (invoice_id); ANALYZE fact")
    insert(
        cursor,
        "ledger.JournalEntry",
        "fact JOIN ledger_accountingperiod period ON period.legal_entity_id = %(entity)s "
        "AND period.start_on = %(month_on)s ORDER BY entry_id",
        given,
        id="entry_id",
        public_id=public_id("jrn", "%(key)s || source_type || '-' || position", place="entry_id"),
        legal_entity_id="%(entity)s",
        period_id="period.id",
        accounting_on="accounting_on",
        currency="'EUR'",
        accounting_currency="'EUR'",
        source_type="source_type",
        source_id="source_id",
        purpose="purpose",
        reference="reference",
        actor_kind="%(actor_kind)s",
        actor_id="%(actor_id)s",
        actor_label="%(actor_label)s",
        posted_at="now()",
    )
    insert(
        cursor,
        "ledger.Posting",
        statements.POSTINGS,
        given,
        entry_id="entry_id",
        account_id="account_id",
        legal_entity_id="%(entity)s",
        currency="'EUR'",
        amount_minor="amount",
        accounting_amount_minor="amount",
        customer_id="customer_id",
        line_id="line_id",
        product_code="product_code",
        service_start_on="start_on",
        service_end_on="last_on",
        tax_rate="tax_rate",
    )
    insert(
        cursor,
        "revenue.RevenueSlice",
        "batch_line LEFT JOIN fact ON fact.invoice_id = batch_line.invoice_id "
        "AND fact.position = batch_line.position AND fact.source_type = 'revenue_schedule_line'",
        given,
        public_id="slice_public_id",
        schedule_id="schedule_id",
        month_on="%(month_on)s",
        last_on="%(last_on)s",
        amount_minor="amount_minor",
        entry_id="fact.entry_id",
    )


def _collect(cursor: CursorWrapper, given: dict[str, Any]) -> None:
    """One attempt by card: most succeed and are allocated, a few are declined for good."""
    insert(
        cursor,
        "payments.CollectionSchedule",
        "batch WHERE by_card ORDER BY n",
        given,
        invoice_id="id",
        attempts="1",
        stopped_reason="CASE WHEN is_paid THEN '' ELSE 'Declined: insufficient_funds' END",
    )
    insert(
        cursor,
        "payments.Payment",
        "batch WHERE by_card ORDER BY n",
        given,
        public_id="payment_public_id",
        customer_id="customer_id",
        legal_entity_id="%(entity)s",
        kind="'provider'",
        status="CASE WHEN is_paid THEN 'succeeded' ELSE 'failed' END",
        currency="'EUR'",
        amount_minor="total_minor",
        invoice_id="id",
        method_id="method_id",
        gateway="'test'",
        gateway_ref="'generated:' || payment_public_id",
        idempotency_key="encode(sha256(payment_public_id::bytea), 'hex')",
        failure_code="CASE WHEN is_paid THEN '' ELSE 'insufficient_funds' END",
        failure_message="CASE WHEN is_paid THEN '' ELSE 'The test gateway declined: insufficient funds.' END",
        received_on="CASE WHEN is_paid THEN %(month_on)s::date END",
        initiated_at="%(issued_at)s",
        finished_at="%(paid_at)s",
    )
    insert(
        cursor,
        "payments.PaymentAllocation",
        "batch JOIN payments_payment payment ON payment.invoice_id = batch.id WHERE is_paid ORDER BY n",
        given,
        public_id=public_id("pal", "%(key)s || n"),
        payment_id="payment.id",
        invoice_id="batch.id",
        amount_minor="total_minor",
        accounting_on="%(month_on)s",
        created_at="%(paid_at)s",
    )
    _record(cursor, given, "payment.succeeded", "payment", "payment_public_id", "is_paid")
    _record(cursor, given, "payment.failed", "payment", "payment_public_id", "by_card AND NOT is_paid")
