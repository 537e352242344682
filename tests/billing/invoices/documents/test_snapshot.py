"""Snapshots: nothing is lost on the way to JSON and back, and equal snapshots give equal bytes."""

import json
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.core.errors import InvalidInput
from billing.core.invoice import Charge, ChargeKind, InvoiceInput, Timing, calculate
from billing.core.periods import Period
from billing.core.pricing import StepKind, parse_price
from billing.core.proration import ProrationUnit, Share
from billing.core.tax import TaxCategory, TaxTreatment
from billing.invoices.documents.canonical import canonical_json, sha256_hex
from billing.invoices.documents.serialization import from_dict, to_dict
from billing.invoices.documents.snapshot import AccountingTax, Allowance, Snapshot
from billing.invoices.documents.steps import proration_of, steps_of
from tests.billing.invoices.documents import samples

LAUNCH = Allowance(kind="coupon", reference="cpn_1", reason="Launch 10 %", amount_minor=990)
DOCUMENTS = [
    replace(
        samples.TRANSFER_INVOICE,
        number="with-allowances",
        lines=tuple(replace(line, allowances=(LAUNCH,)) for line in samples.TRANSFER_INVOICE.lines),
    ),
    samples.BRIGHTCHAT_INVOICE,
    samples.CODEWRIGHT_INVOICE,
    samples.TRANSFER_INVOICE,
    samples.CREDIT_NOTE,
    samples.CANCELLATION,
    replace(
        samples.BRIGHTCHAT_INVOICE,
        currency="JPY",
        tax_in_accounting_currency=AccountingTax(
            currency="EUR",
            tax_minor=2250,
            rate=Decimal("0.0061387"),
            rate_source="ECB",
            rate_on=date(2023, 11, 30),
        ),
        notes=("Ünïcode ✓", "second"),
        logo_svg="<svg/>",
        accent_color="#1e40af",
    ),
]


@pytest.mark.parametrize("snapshot", DOCUMENTS, ids=lambda snapshot: snapshot.number)
def test_a_snapshot_comes_back_from_its_json_unchanged(snapshot: Snapshot) -> None:
    through_json = json.loads(canonical_json(snapshot))
    assert from_dict(through_json) == snapshot
    assert from_dict(to_dict(snapshot)) == snapshot


def test_every_field_of_a_snapshot_is_in_its_json() -> None:
    keys = set(to_dict(samples.BRIGHTCHAT_INVOICE)) - {"schema_version"}
    assert keys == {item.name.removesuffix("_minor") for item in fields(Snapshot)}


def test_amounts_are_decimal_strings_in_major_units_of_their_currency() -> None:
    data = to_dict(samples.BRIGHTCHAT_INVOICE)
    assert (data["subtotal"], data["tax"], data["total"]) == ("193.02", "36.67", "229.69")
    assert data["lines"][0]["net"] == "49.72"
    assert data["lines"][0]["steps"][1]["unit_amount"] == "0.000002"
    foreign = to_dict(DOCUMENTS[-1])
    assert foreign["total"] == "22969"
    assert foreign["tax_in_accounting_currency"]["tax"] == "22.50"


@given(
    minor=st.integers(min_value=-(10**15), max_value=10**15),
    currency=st.sampled_from(["EUR", "JPY", "KWD"]),
    quantity=st.decimals(min_value=0, max_value=10**20, places=12),
    text=st.text(alphabet=st.characters(exclude_categories=["Cs"])),
)
def test_any_amount_quantity_and_text_survives(
    minor: int, currency: str, quantity: Decimal, text: str
) -> None:
    line = replace(samples.BRIGHTCHAT_LINES[0], net_minor=minor, quantity=quantity, description=text)
    snapshot = replace(samples.BRIGHTCHAT_INVOICE, currency=currency, lines=(line,), total_minor=minor)
    assert from_dict(json.loads(canonical_json(snapshot))) == snapshot


def test_equal_snapshots_have_equal_bytes_and_hash() -> None:
    first = canonical_json(samples.BRIGHTCHAT_INVOICE)
    second = canonical_json(from_dict(json.loads(first)))
    assert first == second
    assert sha256_hex(first) == sha256_hex(second)
    assert sha256_hex(first) != sha256_hex(canonical_json(samples.CODEWRIGHT_INVOICE))


def test_the_canonical_json_has_sorted_keys_no_blanks_and_plain_utf8() -> None:
    content = canonical_json(samples.BRIGHTCHAT_INVOICE)
    data = json.loads(content)
    assert list(data) == sorted(data)
    assert list(data["buyer"]) == sorted(data["buyer"])
    assert "Invalidenstraße".encode() in content
    assert b'": ' not in content and b"\n" not in content


def _without(key: str) -> Callable[[dict], None]:
    return lambda data: data.pop(key)


@pytest.mark.parametrize(
    ("damage", "field"),
    [
        (_without("total"), "total"),
        (lambda data: data.update(surprise=1), "surprise"),
        (lambda data: data.update(total="229.6.9"), "total"),
        (lambda data: data.update(total=229.69), "total"),
        (lambda data: data.update(issued_on="2023-13-01"), "issued_on"),
        (lambda data: data.update(document_type="receipt"), "document_type"),
        (lambda data: data["lines"][1].update(quantity="many"), "lines[1].quantity"),
        (lambda data: data["lines"][0].update(position="1"), "lines[0].position"),
        (lambda data: data["buyer"].pop("country"), "buyer.country"),
        (lambda data: data.update(lines={}), "lines"),
        (lambda data: data.update(schema_version=99), "schema_version"),
    ],
)
def test_a_damaged_document_is_refused_by_the_name_of_the_key(
    damage: Callable[[dict], None], field: str
) -> None:
    data = json.loads(canonical_json(samples.BRIGHTCHAT_INVOICE))
    damage(data)
    with pytest.raises(InvalidInput) as refused:
        from_dict(data)
    assert list(refused.value.fields) == [field]


def _working(model: str, definition: dict, quantity: str, **more: object) -> dict:
    from datetime import UTC, datetime

    charge = Charge(
        code="c",
        description="d",
        kind=more.pop("kind", ChargeKind.USAGE),
        model=parse_price(model, definition),
        price_id="price_1",
        price_version="1",
        quantity=Decimal(quantity),
        unit_code="C62",
        period=Period(datetime(2023, 11, 1, tzinfo=UTC), datetime(2023, 12, 1, tzinfo=UTC)),
        timing=Timing.IN_ARREARS,
        item_id="si_1",
        **more,
    )
    treatment = TaxTreatment(TaxCategory.S, Decimal(19), "DE", None, None, "VAT 19 %")
    return calculate(InvoiceInput("EUR", (charge,), treatment)).lines[0].working


def test_the_working_of_a_graduated_line_becomes_one_step_per_tier() -> None:
    tiers = [{"up_to": "10000000", "unit_amount": "0.0000025"}, {"up_to": None, "unit_amount": "0.0000020"}]
    steps = steps_of(_working("graduated", {"tiers": tiers}, "22361870"))
    assert [(step.quantity, step.unit_amount, step.amount_minor) for step in steps] == [
        (Decimal(10000000), Decimal("0.0000025"), 2500),
        (Decimal(12361870), Decimal("0.0000020"), 2472),
    ]
    assert {step.kind for step in steps} == {StepKind.GRADUATED}


def test_the_working_of_a_package_line_counts_packages() -> None:
    (step,) = steps_of(_working("package", {"size": "1000", "amount": "0.50", "free_units": "5000"}, "19366"))
    assert (step.kind, step.quantity, step.unit_amount, step.amount_minor) == (
        StepKind.PACKAGE,
        15,
        Decimal("0.5"),
        750,
    )
    assert (step.package_size, step.free_units, step.from_quantity) == (1000, 5000, None)


def test_the_working_of_a_flat_fee_is_charged_once_whatever_the_quantity() -> None:
    (step,) = steps_of(_working("flat", {"amount": "99.00"}, "3", kind=ChargeKind.RECURRING))
    assert (step.kind, step.quantity, step.flat_amount, step.amount_minor) == (StepKind.FLAT, 1, 99, 9900)


def test_late_usage_names_what_was_billed_before_as_a_negative_step() -> None:
    working = _working(
        "per_unit", {"unit_amount": "0.01"}, "50", kind=ChargeKind.LATE_USAGE, quantity_before=Decimal(100)
    )
    whole, before = steps_of(working)
    assert (whole.amount_minor, before.amount_minor) == (150, -100)
    assert before.kind is StepKind.ALREADY_BILLED


def test_a_prorated_line_says_how_many_days_of_how_many() -> None:
    working = _working(
        "flat",
        {"amount": "99.00"},
        "1",
        kind=ChargeKind.RECURRING,
        share=Share(15, 30, ProrationUnit.DAY),
    )
    assert proration_of(working) == (15, 30, "day")
    assert proration_of(_working("flat", {"amount": "1"}, "1")) is None


def test_a_document_from_before_a_field_existed_is_read_with_what_it_meant_then() -> None:
    data = to_dict(samples.BRIGHTCHAT_INVOICE)
    for line in data["lines"]:  # type: ignore[attr-defined]
        del line["prorated_unit"], line["allowances"]
    assert from_dict(data) == samples.BRIGHTCHAT_INVOICE
    del data["number"]
    with pytest.raises(InvalidInput, match="missing"):
        from_dict(data)


def test_an_allowance_is_stored_with_its_reason_and_its_amount_in_major_units() -> None:
    line = to_dict(DOCUMENTS[0])["lines"][0]  # type: ignore[index]
    assert line["allowances"] == [
        {"kind": "coupon", "reference": "cpn_1", "reason": "Launch 10 %", "amount": "9.90"}
    ]
    first = DOCUMENTS[0].lines[0]
    assert first.gross_minor == first.net_minor + 990
