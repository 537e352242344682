"""`manage.py generate_data`: what it writes stands up to every check that the services' own data does."""

import json
from datetime import date
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction

from billing.activity.models import Activity
from billing.invoices import services as invoices
from billing.invoices.documents.canonical import canonical_json, sha256_hex
from billing.invoices.documents.pdf import render_pdf
from billing.invoices.documents.serialization import from_dict
from billing.invoices.models import Invoice
from billing.reports.books import check_books
from billing.revenue.services import recognize_revenue
from billing.subscriptions.models import BilledPeriod
from customers.models import Customer, LegalEntity
from payments.models import Payment
from tests import factories
from tests.billing_factories import billed_customer, paid_invoice
from tests.valueverse.backoffice.office import office, page
from valueverse.generator import run as generating
from valueverse.generator import samples, sizes
from valueverse.generator.sizes import Share, Size, month_starts

SIZE = ("--customers", "120", "--invoices", "300", "--sessions", "2")


@pytest.fixture(autouse=True)
def few_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two sellers and two quantities, since each sample is a draft of its own."""
    monkeypatch.setattr(sizes, "SELLERS", 2)
    monkeypatch.setattr(samples, "SEATS", (1, 5))


def generate(*arguments: str) -> dict[str, Any]:
    out = StringIO()
    call_command("generate_data", *arguments, "--json", stdout=out, stderr=StringIO())
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def test_what_is_generated_balances_reads_and_is_not_repeated(committed_db: str) -> None:
    assert generate(*SIZE)["invoices"] == 300
    assert (Customer.objects.count(), Invoice.objects.filter(status="finalized").count()) == (120, 300)
    assert check_books() == []
    invoice: Any = None
    for invoice in Invoice.objects.order_by("pk"):
        snapshot = from_dict(invoice.snapshot)
        assert sha256_hex(canonical_json(snapshot)) == invoice.snapshot_hash
        assert (snapshot.number, snapshot.total_minor) == (invoice.number, invoice.total_minor)
        assert snapshot.buyer.name == invoice.customer.name
        assert [line.id for line in snapshot.lines] == list(invoice.lines.values_list("public_id", flat=True))
    assert render_pdf(from_dict(invoice.snapshot)).startswith(b"%PDF")
    assert Payment.objects.filter(status="failed").exists()
    assert Invoice.objects.filter(allocated_minor=0).exists()
    assert Customer.objects.filter(name__contains="<script>").exists()
    assert Customer.objects.filter(name__startswith="=cmd").exists()
    with pytest.raises(CommandError, match="all of it is here"):
        generate(*SIZE)
    with pytest.raises(CommandError, match="Use another database"):
        generate("--customers", "120", "--invoices", "301")
    assert Invoice.objects.count() == 300


def test_what_is_generated_is_what_the_services_would_have_written(committed_db: str) -> None:
    """The same plan, billed by the services and by the generator: the same columns are filled, by the same kinds."""
    generate(*SIZE)
    generated = Invoice.objects.filter(allocated_minor__gt=0, lines__timing="in_advance").order_by("pk")[0]
    entity = factories.legal_entity(time_zone="UTC")
    real = paid_invoice(_customer_of(entity))
    ours, theirs = _shape(generated), _shape(real)
    assert ours == theirs
    facts = {"invoice.finalized"}
    assert facts <= set(Activity.objects.filter(object_id=generated.public_id).values_list("name", flat=True))


def _customer_of(entity: LegalEntity) -> Customer:
    return billed_customer(clock=factories.test_clock(entity=entity))


def _shape(invoice: Invoice) -> dict[str, Any]:
    """Which columns hold something, and how the books and the payment look, without the figures."""
    payment = Payment.objects.get(invoice=invoice, status="succeeded")
    allocation = payment.allocations.get()
    fills = {
        field.name: getattr(invoice, field.attname) not in (None, "")
        for field in invoice._meta.concrete_fields
        if field.name not in ("bill_run", "sent_at")
    }
    entries = {}
    for source_id in (invoice.public_id, payment.public_id, allocation.public_id):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT entry.source_type, entry.purpose, account.role, account.detail, sign(posting.amount_minor), "
                "posting.line_id <> '', posting.product_code <> '', posting.tax_rate, posting.service_start_on IS NULL "
                "FROM ledger_journalentry entry JOIN ledger_posting posting ON posting.entry_id = entry.id "
                "JOIN ledger_account account ON account.id = posting.account_id "
                "WHERE entry.source_id = %s ORDER BY posting.id",
                [source_id],
            )
            rows = cursor.fetchall()
            # One deferral for each line; the number of lines is a matter of the plan.
            entries[rows[0][0]] = sorted(set(rows))
    periods = BilledPeriod.objects.filter(invoice_id=invoice.public_id)
    return {
        "invoice": fills,
        "line": sorted(invoice.lines.values_list("kind", "timing", "meter_code").distinct()),
        "working": sorted(invoice.lines.all()[0].working),
        "snapshot": sorted(invoice.snapshot or {}),
        "entries": entries,
        "payment": (payment.kind, payment.status, payment.gateway, payment.received_on == invoice.issued_on),
        "periods": sorted({(row.reason, row.received_after, row.received_until) for row in periods}),
        "collection": (invoice.collection.attempts, invoice.collection.next_attempt_at),
    }


def test_an_interrupted_run_goes_on_where_it_stood(
    committed_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generating, "BATCH", 20)
    monkeypatch.setattr(generating, "CHUNK", 25)
    written = []

    def break_off(what: str, count: int) -> None:
        written.append(count)
        if sum(written) > 200:
            raise KeyboardInterrupt

    size = Size(120, 300, 1)
    with pytest.raises(KeyboardInterrupt):
        generating.run(generating.prepare(size), sessions=2, progress=break_off)
    assert 0 < Invoice.objects.count() < 300
    assert check_books() == []
    generate(*SIZE)
    assert (Customer.objects.count(), Invoice.objects.count()) == (120, 300)
    assert check_books() == []


def test_the_next_month_is_recognized_and_billed_as_usual(committed_db: str) -> None:
    """The services take over where the generator ended."""
    generate("--customers", "8", "--invoices", "16")
    entity = LegalEntity.objects.filter(name__startswith="Generated").order_by("pk")[0]
    invoice = Invoice.objects.filter(legal_entity=entity).order_by("-pk")[0]
    assert invoice.subscription is not None
    at = invoice.subscription.next_billing_at
    assert at is not None
    (draft,) = _draft(invoice, at)
    issued = invoices.finalize_invoice(invoice_id=draft.public_id, actor=factories.ACTOR, at=at)
    assert issued.total_minor == invoice.total_minor
    assert issued.series_number == (
        invoice.series_number + 1 if issued.series_year == invoice.series_year else 1  # type: ignore[operator]
    )
    last_on = invoice.lines.all()[0].service_last_on
    made = recognize_revenue(legal_entity=entity, as_of=last_on, actor=factories.ACTOR, at=at)
    assert made.slices > 0
    assert check_books() == []


def _draft(invoice: Invoice, at: Any) -> list[Invoice]:
    with transaction.atomic():
        return invoices.draft_due_invoices(
            customer=invoice.customer, as_of=at, cutoff=at, actor=factories.ACTOR
        )


def test_pages_show_generated_rows(committed_db: str) -> None:
    generate("--customers", "120", "--invoices", "120")
    client = office()
    hostile = Customer.objects.filter(name__contains="<script>")[0]
    shown = client.get(page(hostile)).content.decode()
    assert "<script>alert" not in shown
    assert "&lt;script&gt;" in shown
    for address in (
        "/admin/",
        "/admin/invoices/invoice/",
        "/admin/customers/customer/",
        "/admin/payments/payment/",
    ):
        assert client.get(address).status_code == 200
    invoice = hostile.invoices.order_by("pk")[0]
    assert client.get(page(invoice)).status_code == 200


@pytest.mark.django_db
def test_live_data_is_left_alone() -> None:
    factories.legal_entity(is_test=False)
    with pytest.raises(CommandError, match="is not a test entity"):
        generate(*SIZE)
    assert not Customer.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "arguments",
    [
        ("--customers", "0"),
        ("--customers", "-1"),
        ("--customers", "10", "--invoices", "9"),
        ("--customers", "10", "--invoices", "361"),
        ("--customers", "2000000", "--invoices", "2000000"),
        ("--scale", "0"),
        ("--scale", "nan"),
        ("--sessions", "0"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        generate(*arguments)
    assert not LegalEntity.objects.exists()


def test_shares_add_up_to_what_was_asked_for() -> None:
    for customers, documents in (
        (1, 1),
        (3, 7),
        (4, 4),
        (120, 300),
        (99_999, 1_000_000),
        (100_000, 1_000_000),
    ):
        shares = Size(customers, documents, 1).shares()
        assert sum(share.customers for share in shares) == customers
        assert sum(share.invoices for share in shares) == documents
        assert all(share.customers <= share.invoices <= share.customers * 36 for share in shares)
    assert [Share(1, 10, 25).invoices_in(month) for month in range(3)] == [10, 10, 5]


def test_months_end_with_the_present_one() -> None:
    assert month_starts(3, today=date(2024, 1, 31)) == [
        date(2023, 11, 1),
        date(2023, 12, 1),
        date(2024, 1, 1),
    ]
