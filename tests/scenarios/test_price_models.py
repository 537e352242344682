"""Each price model from the catalog to the invoice: the amount, its PDF, and why in the customer's words."""

import io
from typing import Any

import pypdfium2
import pytest

from billing.catalog.models import PlanVersion
from billing.core.money import format_major
from billing.invoices.documents.pdf import render_pdf
from billing.invoices.documents.serialization import from_dict
from tests import factories
from tests.scenarios.story import DEC_1, NOV_1, Story, is_sound, usage, utc
from tests.valueverse.portal.visitors import text_of, visitor

pytestmark = pytest.mark.django_db

STAIRS = {"tiers": [{"up_to": "100", "amount": "50"}, {"up_to": None, "amount": "120"}]}
SHARES = {
    "tiers": [{"up_to": "100", "percent": "2.5", "flat_amount": "1"}, {"up_to": None, "percent": "1"}],
    "flat_at_zero": True,
}
BLOCKS = {"tiers": [{"up_to": None, "unit_amount": "3", "block_size": "40"}]}
CAPPED = {
    "tiers": [{"up_to": "100", "unit_amount": "1", "max_amount": "60"}, {"up_to": None, "unit_amount": "2"}]
}


CAPACITY = {"amount": "50", "included": "100", "unit_amount": "0.20"}


def per_unit(**modifiers: object) -> dict[str, object]:
    return {"unit_amount": "0.10", "modifiers": modifiers}


def november(model: str, definition: dict[str, object], quantity: int) -> tuple[Story, Any, PlanVersion]:
    story = Story(NOV_1)
    buyer = story.customer()
    version = story.version(usage(model=model, definition=definition), factories.fee())
    story.subscribe(buyer, version)
    story.bill()
    story.advance(utc(2023, 11, 20))
    if quantity:
        story.use(buyer, utc(2023, 11, 20), quantity)
    story.advance(DEC_1)
    return story, buyer, version


@pytest.mark.parametrize(
    ("model", "definition", "quantity", "amount", "says"),
    [
        ("stairstep", STAIRS, 130, "120.00", "Fixed amount for 130, at the tier: above 100"),
        ("stairstep", STAIRS, 0, "0.00", None),
        ("percentage", {"percent": "2.9", "free_amount": "30"}, 130, "2.90", "after the first 30.00"),
        ("graduated_percentage", SHARES, 130, "3.80", "Share of the amount: up to 100"),
        ("graduated_percentage", SHARES, 0, "1.00", "Share of the amount: up to 100"),
        ("graduated", BLOCKS, 130, "12.00", "4 started blocks of 40"),
        ("graduated", CAPPED, 130, "120.00", "Less what is above the largest amount of the tier"),
        ("capacity", CAPACITY, 130, "56.00", "30 above the 100 that are included"),
        ("capacity", CAPACITY, 0, "50.00", "Fixed amount, includes 100"),
        ("per_unit", per_unit(minimum="20"), 130, "20.00", "Up to the agreed minimum"),
        ("per_unit", per_unit(minimum="20"), 0, "20.00", "Up to the agreed minimum"),
        ("per_unit", per_unit(maximum="10"), 130, "10.00", "Less what is above the agreed maximum"),
        ("per_unit", per_unit(discount_percent="50", free_units="30"), 130, "5.00", "Discount"),
        (
            "per_unit",
            per_unit(conversion={"units_per": "100", "decimals": 0, "rounding": "up"}),
            130,
            "0.20",
            "2 units",
        ),
    ],
)
def test_model_is_billed_printed_and_explained(
    model: str, definition: dict[str, object], quantity: int, amount: str, says: str | None
) -> None:
    story, buyer, _ = november(model, definition, quantity)
    invoice = story.bill_one()
    line = invoice.lines.get(kind="usage")
    assert format_major(line.amount_minor, "EUR") == amount
    assert sum(step["amount_minor"] for step in line.working["steps"]) == line.amount_minor
    for language in ("en", "de"):
        snapshot = from_dict({**invoice.snapshot, "language": language})
        assert format_figure_of(amount, language) in pdf_text(render_pdf(snapshot))
    page = " ".join(text_of(visitor(buyer), f"/portal/invoices/{invoice.public_id}/").split())
    assert says is None or says in page
    assert is_sound()


@pytest.mark.parametrize(
    ("model", "definition", "says"),
    [
        ("stairstep", STAIRS, ["up to 100", "50.00 EUR", "sets one amount for all of it."]),
        ("percentage", {"percent": "2.9"}, ["2.9 % of the amount"]),
        ("graduated_percentage", SHARES, ["2.5 % of the amount, plus 1.00 EUR", "due without usage too."]),
        ("capacity", CAPACITY, ["50.00 EUR, includes 100; 0.20 EUR for each above"]),
        ("graduated", BLOCKS, ["3.00 EUR per started 40"]),
        ("graduated", CAPPED, ["at most 60.00 EUR"]),
        (
            "per_unit",
            per_unit(minimum="20", maximum="30"),
            ["At most 30.00 EUR a period.", "At least 20.00 EUR"],
        ),
    ],
)
def test_subscription_page_says_what_the_price_is(
    model: str, definition: dict[str, object], says: list[str]
) -> None:
    _, buyer, _ = november(model, definition, 0)
    page = " ".join(text_of(visitor(buyer), "/portal/subscriptions/").split())
    for words in says:
        assert words in page


def format_figure_of(amount: str, language: str) -> str:
    return amount.replace(".", ",") if language == "de" else amount


def pdf_text(pdf: bytes) -> str:
    document = pypdfium2.PdfDocument(io.BytesIO(pdf))
    return "".join(page.get_textpage().get_text_range() for page in document)
