"""Figures are separated as the legal entity writes them, wherever its rows are shown."""

import pytest
from django.db import IntegrityError, transaction
from django.urls import reverse

from billing.platform import display
from billing.platform.lists.filters import read_amount
from customers.models import LegalEntity, NumberFormat
from customers.services import update_legal_entity
from customers.services.legal_entities import usual_number_format
from tests import factories
from tests.billing_factories import billed_customer, finalized_invoice
from tests.factories import ACTOR, START
from tests.valueverse.backoffice.office import office, page, text

THIN = "\u202f"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("1,234.56", "−12,430.00"),
        ("1.234,56", "−12.430,00"),
        ("1 234,56", f"−12{THIN}430,00"),
        ("1'234.56", "−12\u2019430.00"),
        ("nonsense", "−12,430.00"),
    ],
)
def test_a_figure_follows_the_format_around_it(name: str, shown: str) -> None:
    with display.number_format(name):
        assert display.figure(-1243000, "EUR") == shown
    assert display.figure(-1243000, "EUR") == "−12,430.00"


def test_quantities_unit_prices_and_percents_follow_it_too() -> None:
    with display.number_format("1.234,56"):
        assert display.quantity(display.Decimal("22361870.5")) == "22.361.870,5"
        assert display.exact(display.Decimal("24.72374"), "EUR") == "24,72374"
        assert display.percent(display.Decimal("7.5")) == "7,5 %"


@pytest.mark.parametrize(
    ("name", "text_", "amount"),
    [
        ("1,234.56", "1,234.50", (123450, 2)),
        ("1,234.56", "1234", (1234, 0)),
        ("1.234,56", "1.234,50", (123450, 2)),
        ("1.234,56", "1.234", (1234, 0)),
        ("1.234,56", "1234.56", (123456, 2)),
        ("1.234,56", "12,5", (125, 1)),
        ("1 234,56", "1 234,56", (123456, 2)),
        ("1 234,56", f"1{THIN}234,56", (123456, 2)),
        ("1'234.56", "1'234.56", (123456, 2)),
        ("1,234.56", "−7.00", (-700, 2)),
    ],
)
def test_an_amount_is_read_as_the_format_writes_it(name: str, text_: str, amount: tuple[int, int]) -> None:
    with display.number_format(name):
        assert read_amount(text_) == amount


@pytest.mark.parametrize(
    ("name", "text_"),
    [
        ("1,234.56", "1.234,56"),
        ("1,234.56", "12,34"),
        ("1,234.56", "1,23"),
        ("1,234.56", "1.234"),
        ("1.234,56", "1,234.56"),
        ("1,234.56", "1e5"),
        ("1,234.56", "٣"),
        ("1,234.56", ""),
        ("1,234.56", "1,234,5"),
    ],
)
def test_an_amount_that_could_be_misread_is_refused(name: str, text_: str) -> None:
    with display.number_format(name), pytest.raises(ValueError, match="Write it like"):
        read_amount(text_)


@pytest.mark.django_db
def test_a_new_legal_entity_writes_as_its_country_unless_told() -> None:
    assert factories.legal_entity(number_format="").number_format == "1.234,56"
    assert usual_number_format("CH") == "1'234.56"
    assert usual_number_format("FR") == "1 234,56"
    assert usual_number_format("GB") == "1,234.56"
    assert set(display.SEPARATORS) == set(NumberFormat.values)


@pytest.mark.django_db
def test_the_format_is_changed_through_the_service_and_held_by_the_database() -> None:
    entity = factories.legal_entity()
    changed = update_legal_entity(legal_entity=entity, actor=ACTOR, at=START, number_format="1'234.56")
    assert changed.number_format == "1'234.56"
    with pytest.raises(Exception, match="not right"):
        update_legal_entity(legal_entity=entity, actor=ACTOR, at=START, number_format="1234")
    with pytest.raises(IntegrityError, match="number_format_is_known"), transaction.atomic():
        LegalEntity.objects.filter(pk=entity.pk).update(number_format="1234")


@pytest.mark.django_db
def test_rows_of_two_entities_stand_in_one_list_each_in_its_own_format() -> None:
    clocks = [
        factories.test_clock(entity=factories.legal_entity(number_format=name))
        for name in ("1.234,56", "1,234.56")
    ]
    invoices = [finalized_invoice(billed_customer(clock=clock)) for clock in clocks]
    client = office()
    shown = text(client, "/admin/invoices/invoice/")
    assert "117,81" in shown
    assert "117.81" in shown
    assert "117,81 EUR" in text(client, page(invoices[0]))
    assert "117.81 EUR" in text(client, page(invoices[1]))
    one = f"/admin/invoices/invoice/totals/?legal_entity__id__exact={invoices[0].legal_entity_id}"
    assert "117,81" in text(client, one)
    assert display.current_format() == "1,234.56"


@pytest.mark.django_db
def test_the_books_and_the_dashboard_of_an_entity_stand_in_its_format() -> None:
    clocks = [
        factories.test_clock(entity=factories.legal_entity(number_format=name))
        for name in ("1.234,56", "1,234.56")
    ]
    invoices = [finalized_invoice(billed_customer(clock=clock)) for clock in clocks]
    client = office()
    for invoice, amount in zip(invoices, ("117,81", "117.81"), strict=True):
        query = f"entity={invoice.legal_entity_id}&as_of={invoice.issued_on}"
        assert amount in text(client, f"{reverse('admin:trial_balance')}?{query}")
        assert amount in text(client, f"/admin/?entity={invoice.legal_entity_id}")
