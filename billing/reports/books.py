"""The reconciliation of the books: a list of named invariants over the live data.

Each check is one query that returns the rows that break it, so an empty answer is the proof. The names are those of
the reliability invariants (I..); the controls are those of the reference journal entries.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import connection

from billing.activity.services import broken_chain_positions
from billing.usage.selectors import rollup_mismatches
from customers.models import LegalEntity

ROWS_MAX = 50
"""Rows reported per check; a broken invariant shows in the first ones."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A check that does not hold: its name, what should be true, and the rows that break it."""

    name: str
    statement: str
    rows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """A named invariant: what should be true, and the question that returns what breaks it."""

    name: str
    statement: str
    broken: Callable[[], list[str]]


def _sql(query: str) -> Callable[[], list[str]]:
    def rows() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM ({query}) AS broken LIMIT {ROWS_MAX}")  # noqa: S608 - constant text
            names = [column.name for column in cursor.description or ()]
            return [
                ", ".join(f"{name} {value}" for name, value in zip(names, row, strict=True))
                for row in cursor.fetchall()
            ]

    return rows


_CONTROLS: dict[str, tuple[int, str]] = {}
"""Role: its sign, and the query of what the documents say it should be; filled by _control."""


def _control_sql(role: str, sign: int, expected: str) -> str:
    """A role's balance per legal entity, and what the documents say: `expected` yields (legal_entity_id, customer_id,
    amount)."""
    return f"""
        SELECT entity.id AS entity_id, entity.name AS legal_entity, coalesce(book.balance, 0) AS booked,
               coalesce(fact.amount, 0) AS expected
        FROM customers_legalentity entity
        LEFT JOIN (
            SELECT posting.legal_entity_id, {sign} * sum(posting.amount_minor) AS balance
            FROM ledger_posting posting JOIN ledger_account account ON account.id = posting.account_id
            WHERE account.role = '{role}' GROUP BY posting.legal_entity_id
        ) book ON book.legal_entity_id = entity.id
        LEFT JOIN (
            SELECT legal_entity_id, sum(amount) AS amount FROM ({expected}) facts GROUP BY legal_entity_id
        ) fact ON fact.legal_entity_id = entity.id
    """  # noqa: S608 - constant text


def _control(role: str, sign: int, expected: str) -> Callable[[], list[str]]:
    """The entities whose balance of a role differs from the documents."""
    _CONTROLS[role] = (sign, expected)
    return _sql(f"""
        SELECT legal_entity, booked, expected FROM ({_control_sql(role, sign, expected)}) control
        WHERE booked <> expected
    """)  # noqa: S608 - constant text


@dataclass(frozen=True, slots=True)
class ControlRow:
    """A control account of one legal entity: its balance, and what the documents say, in minor units, both positive."""

    role: str
    booked_minor: int
    expected_minor: int

    @property
    def difference_minor(self) -> int:
        """Zero where the books agree with the documents."""
        return self.booked_minor - self.expected_minor


def controls(*, legal_entity: LegalEntity) -> list[ControlRow]:
    """Every control account of a legal entity as it stands now, by role."""
    rows = []
    with connection.cursor() as cursor:
        for role, (sign, expected) in sorted(_CONTROLS.items()):
            query = f"SELECT booked, expected FROM ({_control_sql(role, sign, expected)}) control WHERE entity_id = %s"  # noqa: S608
            cursor.execute(query, [legal_entity.pk])
            booked, documents = cursor.fetchone()
            rows.append(ControlRow(role, int(booked), int(documents)))
    return rows


@dataclass(frozen=True, slots=True)
class ControlDifference:
    """What makes a control differ: a customer (None: postings without one) whose ledger and documents disagree."""

    customer_id: int | None
    booked_minor: int
    expected_minor: int

    @property
    def difference_minor(self) -> int:
        return self.booked_minor - self.expected_minor


def control_differences(
    *, legal_entity: LegalEntity, role: str, limit: int = ROWS_MAX
) -> list[ControlDifference]:
    """The customers that make a control account differ, largest difference first; they add up to its difference.

    Raises KeyError for a role that is no control account.
    """
    sign, expected = _CONTROLS[role]
    query = f"""
        SELECT customer_id, sum(booked)::bigint, sum(expected)::bigint FROM (
            SELECT posting.customer_id, {sign} * posting.amount_minor AS booked, 0 AS expected
            FROM ledger_posting posting JOIN ledger_account account ON account.id = posting.account_id
            WHERE account.role = %(role)s AND posting.legal_entity_id = %(entity)s
            UNION ALL
            SELECT customer_id, 0, amount FROM ({expected}) fact WHERE legal_entity_id = %(entity)s
        ) side GROUP BY customer_id HAVING sum(booked) <> sum(expected)
        ORDER BY abs(sum(booked) - sum(expected)) DESC, customer_id LIMIT %(limit)s
    """  # noqa: S608 - constant text
    with connection.cursor() as cursor:
        cursor.execute(query, {"role": role, "entity": legal_entity.pk, "limit": limit})
        return [ControlDifference(*row) for row in cursor.fetchall()]


CHECKS: tuple[Check, ...] = (
    Check(
        "I1 I2 entries balance",
        "Every journal entry sums to zero in both currencies and has two postings or more.",
        _sql("""
            SELECT entry.public_id AS entry, count(posting.id) AS postings, sum(posting.amount_minor) AS document,
                   sum(posting.accounting_amount_minor) AS accounting
            FROM ledger_journalentry entry LEFT JOIN ledger_posting posting ON posting.entry_id = entry.id
            GROUP BY entry.id
            HAVING count(posting.id) < 2 OR sum(posting.amount_minor) <> 0
                   OR sum(posting.accounting_amount_minor) <> 0
        """),
    ),
    Check(
        "I5 every fact is posted once",
        "Every issued invoice and credit note, payment, allocation and refund with an amount has exactly one entry.",
        _sql("""
            SELECT fact.kind, fact.id AS fact, count(entry.id) AS entries FROM (
                SELECT 'invoice' AS kind, public_id AS id, 'issue' AS purpose FROM invoices_invoice
                    WHERE status <> 'draft' AND total_minor <> 0
                UNION ALL SELECT 'invoice', public_id, 'reverse' FROM invoices_invoice
                    WHERE status = 'voided' AND total_minor <> 0
                UNION ALL SELECT 'credit_note', public_id, 'issue' FROM invoices_creditnote
                    WHERE status = 'finalized' AND total_minor <> 0
                UNION ALL SELECT 'payment', public_id, 'succeed' FROM payments_payment
                    WHERE status IN ('succeeded', 'partially_refunded', 'refunded', 'returned')
                UNION ALL SELECT 'allocation', public_id, CASE WHEN amount_minor > 0 THEN 'apply' ELSE 'reverse' END
                    FROM payments_paymentallocation
                UNION ALL SELECT 'refund', public_id, 'succeed' FROM payments_refund WHERE status = 'succeeded'
            ) fact
            LEFT JOIN ledger_journalentry entry ON entry.source_type = fact.kind AND entry.source_id = fact.id
                AND entry.purpose = fact.purpose
            GROUP BY fact.kind, fact.id, fact.purpose HAVING count(entry.id) <> 1
        """),
    ),
    Check(
        "I6 documents add up",
        "Total = lines + tax, and the tax table covers the lines, on every invoice and credit note.",
        _sql("""
            SELECT coalesce(document.number, document.public_id) AS document, document.subtotal_minor AS net,
                   line.amount AS lines, document.tax_minor AS tax, tax.amount AS taxes
            FROM invoices_invoice document
            LEFT JOIN LATERAL (SELECT sum(amount_minor) AS amount FROM invoices_invoiceline
                               WHERE invoice_id = document.id) line ON true
            LEFT JOIN LATERAL (SELECT sum(tax_minor) AS amount, sum(base_minor) AS base FROM invoices_invoicetax
                               WHERE invoice_id = document.id) tax ON true
            WHERE document.subtotal_minor <> coalesce(line.amount, 0) OR document.tax_minor <> coalesce(tax.amount, 0)
               OR document.subtotal_minor <> coalesce(tax.base, 0)
               OR document.total_minor <> document.subtotal_minor + document.tax_minor
            UNION ALL
            SELECT coalesce(document.number, document.public_id), document.subtotal_minor, line.amount,
                   document.tax_minor, tax.amount
            FROM invoices_creditnote document
            LEFT JOIN LATERAL (SELECT sum(amount_minor) AS amount FROM invoices_creditnoteline
                               WHERE credit_note_id = document.id) line ON true
            LEFT JOIN LATERAL (SELECT sum(tax_minor) AS amount, sum(base_minor) AS base FROM invoices_creditnotetax
                               WHERE credit_note_id = document.id) tax ON true
            WHERE document.subtotal_minor <> coalesce(line.amount, 0) OR document.tax_minor <> coalesce(tax.amount, 0)
               OR document.subtotal_minor <> coalesce(tax.base, 0)
               OR document.total_minor <> document.subtotal_minor + document.tax_minor
        """),
    ),
    Check(
        "I7 stored documents are untouched",
        "The bytes of every stored document have the hash they were stored with.",
        _sql("""
            SELECT public_id AS document, sha256 AS expected, encode(sha256(content), 'hex') AS actual
            FROM invoices_storeddocument WHERE encode(sha256(content), 'hex') <> sha256
        """),
    ),
    Check(
        "I8 numbers have no gaps",
        "The numbers of a series and year run from 1 to the counter, each once, and in order of issue.",
        _sql("""
            WITH numbers AS (
                SELECT series_id, series_year, series_number, issued_on FROM invoices_invoice WHERE status <> 'draft'
                UNION ALL
                SELECT series_id, series_year, series_number, issued_on FROM invoices_creditnote WHERE status <> 'draft'
            ), ordered AS (
                SELECT *, lag(issued_on) OVER (PARTITION BY series_id, series_year ORDER BY series_number) AS before
                FROM numbers
            )
            SELECT series.pattern AS series, counter.year, counter.last_number, count(ordered.series_number) AS numbers,
                   count(*) FILTER (WHERE ordered.issued_on < ordered.before) AS out_of_order
            FROM customers_numbercounter counter
            JOIN customers_numberseries series ON series.id = counter.series_id
            LEFT JOIN ordered ON ordered.series_id = counter.series_id AND ordered.series_year = counter.year
            GROUP BY series.pattern, counter.id
            HAVING count(DISTINCT ordered.series_number) <> counter.last_number
                OR count(ordered.series_number) <> counter.last_number
                OR coalesce(max(ordered.series_number), 0) <> counter.last_number
                OR count(*) FILTER (WHERE ordered.issued_on < ordered.before) > 0
        """),
    ),
    Check(
        "I11 billed periods tile time",
        "The periods billed of an item follow each other without a hole.",
        _sql("""
            SELECT item_id AS item, reason, end_at AS billed_until, next_start AS billed_again_from FROM (
                SELECT item_id, reason, end_at,
                       lead(start_at) OVER (PARTITION BY item_id, reason ORDER BY start_at) AS next_start
                FROM (SELECT DISTINCT item_id, reason, start_at, end_at FROM subscriptions_billedperiod
                      WHERE released_at IS NULL) periods
            ) pairs WHERE next_start <> end_at
              AND NOT EXISTS (SELECT FROM subscriptions_billedperiod released
                              WHERE released.item_id = pairs.item_id AND released.reason = pairs.reason
                                AND released.released_at IS NOT NULL AND released.start_at >= pairs.end_at
                                AND released.end_at <= pairs.next_start)
        """),
    ),
    Check(
        "I13 rollups equal their events",
        "Every rollup has the count and sum of the events behind it.",
        lambda: [str(row) for row in rollup_mismatches(limit=ROWS_MAX)],
    ),
    Check(
        "I17 settlement counters equal their facts",
        "What an invoice says is paid and credited is the sum of its allocations and credit notes.",
        _sql("""
            SELECT invoice.number AS invoice, invoice.allocated_minor AS paid, allocation.amount AS allocations,
                   invoice.offset_minor AS offset, credit.offset AS credit_offsets, invoice.credited_minor AS credited,
                   credit.total AS credit_notes
            FROM invoices_invoice invoice
            LEFT JOIN LATERAL (SELECT coalesce(sum(amount_minor), 0) AS amount FROM payments_paymentallocation
                               WHERE invoice_id = invoice.id) allocation ON true
            LEFT JOIN LATERAL (SELECT coalesce(sum(offset_minor), 0) AS offset, coalesce(sum(total_minor), 0) AS total
                               FROM invoices_creditnote WHERE invoice_id = invoice.id AND status = 'finalized') credit
                ON true
            WHERE invoice.allocated_minor <> allocation.amount OR invoice.offset_minor <> credit.offset
               OR invoice.credited_minor <> credit.total
        """),
    ),
    Check(
        "I18 I19 payment counters equal their facts",
        "What a payment says is allocated and refunded is the sum of its allocations and refunds.",
        _sql("""
            SELECT payment.public_id AS payment, payment.allocated_minor AS allocated, allocation.amount AS allocations,
                   payment.refunded_minor AS refunded, refund.amount AS refunds
            FROM payments_payment payment
            LEFT JOIN LATERAL (SELECT coalesce(sum(amount_minor), 0) AS amount FROM payments_paymentallocation
                               WHERE payment_id = payment.id) allocation ON true
            LEFT JOIN LATERAL (SELECT coalesce(sum(amount_minor), 0) AS amount FROM payments_refund
                               WHERE payment_id = payment.id AND status IN ('pending', 'succeeded')) refund ON true
            WHERE payment.allocated_minor <> allocation.amount OR payment.refunded_minor <> refund.amount
        """),
    ),
    Check(
        "control accounts receivable",
        "Account 1100 is what is open of all finalized invoices.",
        _control(
            "1100",
            1,
            """SELECT legal_entity_id, customer_id,
                      total_minor - allocated_minor - offset_minor - written_off_minor AS amount
               FROM invoices_invoice WHERE status = 'finalized'""",
        ),
    ),
    Check(
        "control unbilled receivable",
        "Account 1150 is the usage accrued and not on an issued, uncanceled invoice.",
        _control(
            "1150",
            1,
            """SELECT legal_entity_id, customer_id, amount_minor AS amount FROM revenue_usageaccrual
               UNION ALL
               SELECT invoice.legal_entity_id, invoice.customer_id, -line.amount_minor
               FROM invoices_invoiceline line JOIN invoices_invoice invoice ON invoice.id = line.invoice_id
               WHERE invoice.status = 'finalized' AND line.timing = 'in_arrears' AND NOT EXISTS (
                   SELECT FROM invoices_creditnote note
                   WHERE note.invoice_id = invoice.id AND note.is_cancellation AND note.status = 'finalized')""",
        ),
    ),
    Check(
        "I22 billed usage was accrued once",
        "What was accrued for a billed service period is what its invoices say, unless usage came in since.",
        _sql("""
            SELECT item.public_id AS item, accrued.start_at AS service_from, accrued.amount AS accrued,
                   invoiced.amount AS invoiced
            FROM (SELECT item_id, start_at, end_at, sum(amount_minor) AS amount
                  FROM revenue_usageaccrual GROUP BY item_id, start_at, end_at) accrued
            JOIN subscriptions_subscriptionitem item ON item.id = accrued.item_id
            JOIN subscriptions_subscription subscription ON subscription.id = item.subscription_id
            JOIN LATERAL (
                SELECT (SELECT sum(line.amount_minor) FROM invoices_invoiceline line
                        JOIN invoices_invoice invoice ON invoice.id = line.invoice_id
                        WHERE line.item_id = accrued.item_id AND line.timing = 'in_arrears'
                          AND line.service_start_at = accrued.start_at
                          AND invoice.public_id = ANY(array_agg(billed.invoice_id))) AS amount,
                       max(billed.received_until) AS received_until,
                       bool_and(billed.released_at IS NULL AND invoice.status = 'finalized') AS is_final
                FROM subscriptions_billedperiod billed
                LEFT JOIN invoices_invoice invoice ON invoice.public_id = billed.invoice_id
                WHERE billed.item_id = accrued.item_id AND billed.reason = 'usage'
                  AND billed.start_at = accrued.start_at
            ) invoiced ON invoiced.is_final
            WHERE accrued.amount <> invoiced.amount AND NOT EXISTS (
                SELECT FROM usage_usageevent event
                WHERE event.customer_id = subscription.customer_id AND event.at >= accrued.start_at
                  AND event.at < accrued.end_at AND event.received_at > invoiced.received_until)
            AND NOT EXISTS (
                SELECT FROM usage_usagesign sign
                WHERE sign.customer_id = subscription.customer_id AND sign.at >= accrued.start_at
                  AND sign.at < accrued.end_at AND sign.received_at > invoiced.received_until)
        """),
    ),
    Check(
        "control unapplied cash",
        "Account 2050 is the money received and neither allocated nor paid back.",
        _control(
            "2050",
            -1,
            """SELECT payment.legal_entity_id, payment.customer_id,
                      payment.amount_minor - payment.allocated_minor - coalesce((
                   SELECT sum(refund.amount_minor) FROM payments_refund refund WHERE refund.payment_id = payment.id
                   AND refund.credit_note_id IS NULL AND refund.status = 'succeeded'), 0) AS amount
               FROM payments_payment payment
               WHERE payment.status IN ('succeeded', 'partially_refunded', 'refunded')""",
        ),
    ),
    Check(
        "control refunds payable",
        "Account 2070 is what credit notes owe back and no refund has paid.",
        _control(
            "2070",
            -1,
            """SELECT legal_entity_id, customer_id, refund_minor AS amount FROM invoices_creditnote
               WHERE status = 'finalized'
               UNION ALL
               SELECT payment.legal_entity_id, payment.customer_id, -refund.amount_minor
               FROM payments_refund refund JOIN payments_payment payment ON payment.id = refund.payment_id
               WHERE refund.status = 'succeeded' AND refund.credit_note_id IS NOT NULL""",
        ),
    ),
    Check(
        "I22 control deferred revenue",
        "Account 2100 is the sum of the schedule slices that are neither released nor canceled.",
        _control(
            "2100",
            -1,
            """SELECT schedule.legal_entity_id, schedule.customer_id, slice.amount_minor AS amount
               FROM revenue_revenueslice slice JOIN revenue_revenueschedule schedule ON schedule.id = slice.schedule_id
               WHERE slice.entry_id IS NULL AND slice.canceled_at IS NULL""",
        ),
    ),
    Check(
        "control VAT payable",
        "Account 2200 is the tax of issued invoices less that of credit notes.",
        _control(
            "2200",
            -1,
            """SELECT legal_entity_id, customer_id, tax_minor AS amount FROM invoices_invoice WHERE status = 'finalized'
               UNION ALL
               SELECT legal_entity_id, customer_id, -tax_minor FROM invoices_creditnote WHERE status = 'finalized'""",
        ),
    ),
    Check(
        "control gateway clearing",
        "Account 1050 is what gateways received less what they paid back.",
        _control(
            "1050",
            1,
            """SELECT legal_entity_id, customer_id, amount_minor AS amount FROM payments_payment
               WHERE kind = 'provider' AND status IN ('succeeded', 'partially_refunded', 'refunded', 'returned')
               UNION ALL
               SELECT payment.legal_entity_id, payment.customer_id, -refund.amount_minor
               FROM payments_refund refund JOIN payments_payment payment ON payment.id = refund.payment_id
               WHERE payment.kind = 'provider' AND refund.status = 'succeeded'""",
        ),
    ),
    Check(
        "I29 issues are recorded",
        "Every issued document has its event in the activity.",
        _sql("""
            SELECT document.number AS document FROM (
                SELECT public_id, number, 'invoice.finalized' AS event FROM invoices_invoice WHERE status <> 'draft'
                UNION ALL
                SELECT public_id, number, 'credit_note.finalized' FROM invoices_creditnote WHERE status <> 'draft'
            ) document
            WHERE NOT EXISTS (SELECT FROM activity_activity activity
                              WHERE activity.object_id = document.public_id AND activity.name = document.event)
        """),
    ),
    Check(
        "I29 the outbox is relayed",
        "No recorded event waits longer than an hour for the relay.",
        _sql("""
            SELECT count(*) AS waiting, min(recorded_at) AS since FROM activity_activity
            WHERE dispatched_at IS NULL AND recorded_at < now() - interval '1 hour' HAVING count(*) > 0
        """),
    ),
    Check(
        "I33 the activity chain holds",
        "No row of the activity was changed, removed or inserted after it was chained.",
        lambda: [f"chain position {position}" for position in broken_chain_positions(limit=ROWS_MAX)],
    ),
)


def check_books() -> list[Finding]:
    """Run every check; what comes back does not hold."""
    findings = []
    for check in CHECKS:
        rows = check.broken()
        if rows:
            findings.append(Finding(check.name, check.statement, tuple(rows)))
    return findings
