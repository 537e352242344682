"""Why this amount: every kind of line explains itself, can be computed again, and says the same on every face."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from billing.catalog.models import Meter
from billing.core.allowances import Allowance, AllowanceKind, allowances_json
from billing.invoices import services as invoices
from billing.invoices.documents.serialization import from_dict
from billing.invoices.models import Invoice, InvoiceLine
from billing.invoices.recompute import OtherRules, recompute_line
from billing.usage.services import IncomingEvent, ingest
from customers.models import Customer
from tests import factories
from tests.billing_factories import (
    advance,
    billed_customer,
    credit_note,
    draft_invoice,
    finalized_invoice,
    now_for,
)
from tests.valueverse.backoffice.office import office, page, text
from tests.valueverse.backoffice.reading import plain
from tests.valueverse.portal.visitors import text_of, visitor

pytestmark = pytest.mark.django_db

START = datetime(2023, 11, 1, tzinfo=UTC)
MODELS: dict[str, dict[str, object]] = {
    "graduated": {
        "tiers": [{"up_to": "1000", "unit_amount": "0.01"}, {"up_to": None, "unit_amount": "0.005"}]
    },
    "volume": {"tiers": [{"up_to": "1000", "unit_amount": "0.01"}, {"up_to": None, "unit_amount": "0.008"}]},
    "package": {"size": "1000", "amount": "0.50", "free_units": "500"},
    "per_unit": {"unit_amount": "0.00333"},
}


def used(customer: Customer, event_id: str, at: datetime, tokens: int) -> None:
    event = IncomingEvent(event_id, customer.public_id, "llm_request", at, {"input_tokens": tokens})
    assert ingest(events=[event], accept_old=True)[0].kind.value == "accepted"


def invoice_of(model: str, tokens: int = 2300) -> tuple[Invoice, Meter]:
    """An invoice over a month's usage by one price model, and the fee of the next month."""
    factories.tax_rate()
    meter = factories.meter("input_tokens")
    usage = factories.usage_price(meter, model=model, definition=MODELS[model])
    customer = billed_customer(version=factories.plan_version(prices=[usage, factories.fee()]))
    finalized_invoice(customer)
    advance(customer, START + timedelta(days=5))
    used(customer, "e1", START + timedelta(days=2), tokens)
    advance(customer, datetime(2023, 12, 1, tzinfo=UTC))
    return finalized_invoice(Customer.objects.get(pk=customer.pk)), meter


@pytest.mark.parametrize(
    ("model", "amount", "says"),
    [
        ("graduated", 1650, "above 1,000 1,300 0.005 – 6.50"),
        ("volume", 1840, "above 1,000 2,300 0.008 – 18.40"),
        (
            "package",
            100,
            "Blocks of 1,000 for 0.50, each started block counts; the first 500 are free. 2,000 billed.",
        ),
        ("per_unit", 766, "7.659 is rounded half up to 7.66"),
    ],
)
def test_each_price_model_explains_itself_and_matches_when_computed_again(
    model: str, amount: int, says: str
) -> None:
    invoice, _ = invoice_of(model)
    assert invoice.lines.get(kind="usage").amount_minor == amount
    shown = plain(text(office(), f"{page(invoice)}?recompute=all"))
    for part in (
        says,
        "published 2023-11-01 00:00 UTC by",
        "meter input_tokens adds up input_tokens: 1 quarter hour , by day , 1 event of 2023-11-01 to 2023-11-30",
        "S 19 %, standard or reduced rate: seller DE, buyer DE, no VAT number, on 2023-12-01",
        f"Matches, {amount / 100:.2f} EUR 2,300 recounted from the events",
        "Matches, 99.00 EUR 1, priced by the published definition.",
    ):
        assert part in shown, part


def test_late_usage_says_what_was_billed_before_and_matches() -> None:
    invoice, _ = invoice_of("volume", 900)  # 9.00; with 200 more the cheaper tier holds: 8.80
    customer = Customer.objects.get(pk=invoice.customer_id)
    advance(customer, datetime(2023, 12, 5, tzinfo=UTC))
    used(customer, "late", START + timedelta(days=20), 200)
    advance(customer, datetime(2024, 1, 1, tzinfo=UTC))
    later = finalized_invoice(Customer.objects.get(pk=customer.pk))
    line = later.lines.get(kind="late_usage")
    assert line.amount_minor == -20
    found = recompute_line(invoice=later, line=line)
    assert (found.quantity, found.amount_minor, found.matches) == (Decimal(200), -20, True)
    shown = plain(text(office(), f"{page(later)}?recompute={line.position}"))
    assert "900 of this period was billed before." in shown
    assert "1 event of 2023-11-01 to 2023-11-30, received after 2023-12-01 00:00 and by" in shown
    assert "Matches, −0.20 EUR" in shown
    earlier = recompute_line(invoice=invoice, line=invoice.lines.get(kind="usage"))
    assert earlier.matches  # what came later is outside the first bill's bounds of receipt


def test_a_part_of_a_month_says_its_days_and_matches() -> None:
    clock = factories.test_clock(now_at=datetime(2023, 11, 16, tzinfo=UTC))
    factories.tax_rate()
    invoice = finalized_invoice(billed_customer(clock=clock, version=factories.plan_version()))
    shown = plain(text(office(), f"{page(invoice)}?recompute=1"))
    assert "15 of 30 days" in shown
    assert "Matches, 49.50 EUR" in shown


def change(line: InvoiceLine, **values: Any) -> InvoiceLine:
    """A line as somebody with the owner's rights may have left it: not saved, as the database refuses that."""
    for name, value in values.items():
        setattr(line, name, value)
    return line


def test_an_amount_a_quantity_or_a_price_that_is_not_right_does_not_match() -> None:
    invoice, _ = invoice_of("per_unit")
    line = invoice.lines.get(kind="usage")
    assert not recompute_line(invoice=invoice, line=change(line, amount_minor=767)).matches
    line.refresh_from_db()
    found = recompute_line(invoice=invoice, line=change(line, working={**line.working, "quantity": "2301"}))
    assert (found.matches, found.quantity) == (False, Decimal(2300))
    line.refresh_from_db()
    dearer = {**line.working, "definition": {"unit_amount": "1"}}
    found = recompute_line(invoice=invoice, line=change(line, working=dearer))
    assert (found.matches, found.price_is_unchanged, found.amount_minor) == (False, False, 230000)
    line.refresh_from_db()
    with pytest.raises(OtherRules):
        recompute_line(invoice=invoice, line=change(line, working={**line.working, "rules_version": "0"}))


def test_a_mismatch_shows_both_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    invoice, meter = invoice_of("per_unit")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE usage_usagerollup SET quantity_sum = 3000 WHERE meter_id = %s", [meter.pk])
    shown = plain(text(office(), f"{page(invoice)}?recompute=1"))
    assert "Does not match Computed now 9.99 EUR for 3,000; the line says 7.66 EUR for 2,300." in shown


@pytest.mark.parametrize("query", ["?recompute=99", "?recompute=x&why=y", "?why=-1", "?recompute=%00"])
def test_any_query_is_answered(query: str) -> None:
    invoice, _ = invoice_of("per_unit")
    assert "Recompute now" in text(office(), f"{page(invoice)}{query}")


def test_api_and_portal_say_the_same_as_the_back_office() -> None:
    invoice, _ = invoice_of("graduated")
    customer = Customer.objects.get(pk=invoice.customer_id)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {factories.api_key().secret}")
    answer = client.get(f"/api/v1/invoices/{invoice.public_id}").json()
    (line,) = (row for row in answer["lines"] if row["kind"] == "usage")
    assert (line["amount"], line["working"]["exact_amount"]) == ("16.50", "16.5")
    steps = [(step["quantity"], step["amount"]) for step in line["working"]["steps"]]
    assert steps == [("1000", "10"), ("1300", "6.5")]
    inside = plain(text(office(), page(invoice)))
    outside = plain(text_of(visitor(customer), f"/portal/invoices/{invoice.public_id}/"))
    for shown in ("10.00", "6.50", "16.50"):
        assert shown in inside
        assert shown in outside


def test_an_allowance_is_shown_everywhere_taxed_net_and_credited_as_it_was() -> None:
    """99.00 of fee less 9.90: 89.10 net, 16.93 of tax at 19 %."""
    draft = draft_invoice()
    launch = Allowance(kind=AllowanceKind.COUPON, reference="cpn_1", label="Launch 10 %", amount_minor=990)
    draft.lines.update(amount_minor=8910, allowance_minor=990, allowances=allowances_json([launch]))
    draft.taxes.update(base_minor=8910, tax_minor=1693)
    Invoice.objects.filter(pk=draft.pk).update(subtotal_minor=8910, tax_minor=1693, total_minor=10603)
    invoice = invoices.finalize_invoice(
        invoice_id=draft.public_id, actor=factories.ACTOR, at=now_for(draft.customer)
    )
    (line,) = invoice.lines.all()
    found = recompute_line(invoice=invoice, line=line)
    assert (line.gross_minor, found.amount_minor, found.matches) == (9900, 9900, True)
    assert invoice.snapshot is not None
    (printed,) = from_dict(dict(invoice.snapshot)).lines
    assert (printed.gross_minor, printed.net_minor, printed.allowances[0].reason) == (
        9900,
        8910,
        "Launch 10 %",
    )
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {factories.api_key().secret}")
    (answer,) = client.get(f"/api/v1/invoices/{invoice.public_id}").json()["lines"]
    assert (answer["gross"], answer["amount"], answer["working"]["rounded_amount"]) == (
        "99.00",
        "89.10",
        "99.00",
    )
    assert answer["allowances"] == [
        {"kind": "coupon", "reference": "cpn_1", "label": "Launch 10 %", "amount": "9.90"}
    ]
    inside = plain(text(office(), page(invoice)))
    assert "99.00 EUR, less Launch 10 % 9.90: 89.10 EUR net, before tax" in inside
    outside = plain(text_of(visitor(invoice.customer), f"/portal/invoices/{invoice.public_id}/"))
    assert "Less Launch 10 %: 9.90 EUR. That leaves 89.10 EUR." in outside
    note = credit_note(invoice)
    (credited,) = note.lines.all()
    assert (credited.amount_minor, credited.allowance_minor, credited.allowances) == (
        8910,
        990,
        line.allowances,
    )
    assert note.total_minor == 10603
