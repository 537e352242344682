"""What never changes besides documents and books: published prices, tax rates, test clocks and test entities."""

import pytest

from billing.catalog.models import PlanVersion, Price
from tests import factories
from tests.billing_factories import billed_customer, subscription_of
from tests.invariants.hostile import (
    EXCLUSION,
    accepted,
    copy_row,
    refused,
    sql,
    tampering,
)

pytestmark = pytest.mark.django_db


def test_a_published_plan_version_never_changes_nor_do_its_prices() -> None:
    by = "published_plan_version_never_changes"
    version = factories.plan_version()
    price = version.prices.get()
    for change in tampering("catalog_planversion").values():
        with refused(by):
            sql(f"UPDATE catalog_planversion SET {change} WHERE id = %s", version.pk)
    with refused(by):
        sql("DELETE FROM catalog_planversion WHERE id = %s", version.pk)
    for change in tampering("catalog_price").values():
        with refused(by):
            sql(f"UPDATE catalog_price SET {change} WHERE id = %s", price.pk)
    with refused(by):
        sql("DELETE FROM catalog_price WHERE id = %s", price.pk)
    with refused(by):
        copy_row("catalog_price", price.pk, code="another", position=9)


def test_a_plan_version_that_is_not_published_may_change() -> None:
    version = factories.plan_version(publish=False)
    with accepted():
        sql("UPDATE catalog_price SET name = 'Fee' WHERE plan_version_id = %s", version.pk)
        sql("UPDATE catalog_planversion SET anchor = 'anniversary' WHERE id = %s", version.pk)


def test_a_price_is_not_moved_into_a_published_version() -> None:
    published = factories.plan_version()
    price = Price.objects.get(plan_version=factories.plan_version(publish=False))
    with refused("published_plan_version_never_changes"):
        sql("UPDATE catalog_price SET plan_version_id = %s, code = 'x' WHERE id = %s", published.pk, price.pk)


def test_only_a_published_version_in_its_currency_is_sold() -> None:
    subscription = subscription_of(billed_customer())
    draft: PlanVersion = factories.plan_version(publish=False)
    with accepted():
        copy_row("subscriptions_subscription", subscription.pk)
    with refused("subscription_needs_a_published_version"):
        copy_row("subscriptions_subscription", subscription.pk, plan_version_id=draft.pk)
    with refused("subscription_has_the_currency_of_its_plan"):
        copy_row("subscriptions_subscription", subscription.pk, currency="USD")


def test_a_country_has_one_tax_rate_per_category_and_day() -> None:
    rate = factories.tax_rate()
    with accepted():
        copy_row("catalog_taxrate", rate.pk, category="E")
        copy_row("catalog_taxrate", rate.pk, country="FR")
        copy_row("catalog_taxrate", rate.pk, valid_from="2020-07-01", valid_to="2021-01-01")
    with refused("one_tax_rate_per_country_category_and_day", EXCLUSION):
        copy_row("catalog_taxrate", rate.pk, valid_from="2023-01-01")


def test_an_entity_has_one_tax_registration_per_country_and_day() -> None:
    registration = factories.legal_entity().tax_registrations.get()
    with accepted():
        copy_row("customers_taxregistration", registration.pk, country="FR")
    with refused("one_tax_registration_per_country_and_day", EXCLUSION):
        copy_row("customers_taxregistration", registration.pk, valid_from="2023-01-01")


@pytest.mark.parametrize("is_test", [True, False])
def test_a_legal_entity_is_test_or_live_for_good(is_test: bool) -> None:
    entity = factories.legal_entity(is_test=is_test)
    with accepted():
        sql("UPDATE customers_legalentity SET is_test = %s, phone = '1' WHERE id = %s", is_test, entity.pk)
    with refused("legal_entity_is_test_for_good"):
        sql("UPDATE customers_legalentity SET is_test = %s WHERE id = %s", not is_test, entity.pk)


def test_a_test_clock_lives_under_a_test_entity() -> None:
    clock = factories.test_clock()
    live, other = factories.legal_entity(is_test=False), factories.legal_entity()
    with accepted():
        copy_row("customers_testclock", clock.pk, legal_entity_id=other.pk)
    with refused("test_clock_needs_a_test_entity"):
        copy_row("customers_testclock", clock.pk, legal_entity_id=live.pk)
    with refused("test_clock_needs_a_test_entity"):
        sql("UPDATE customers_testclock SET legal_entity_id = %s WHERE id = %s", live.pk, clock.pk)


def test_a_test_clock_only_moves_forward() -> None:
    clock = factories.test_clock()
    with accepted():
        sql("UPDATE customers_testclock SET now_at = now_at + interval '1 second' WHERE id = %s", clock.pk)
    with refused("test_clock_moves_forward"):
        sql("UPDATE customers_testclock SET now_at = now_at - interval '1 second' WHERE id = %s", clock.pk)


def test_a_customer_stays_on_its_clock_and_with_test_entities() -> None:
    customer = factories.customer(test_clock=factories.test_clock())
    live = factories.legal_entity(is_test=False)
    other = factories.test_clock(entity=customer.legal_entity)
    for clock in ("NULL", str(other.pk)):
        with refused("customer_stays_on_its_clock"):
            sql(f"UPDATE customers_customer SET test_clock_id = {clock} WHERE id = %s", customer.pk)
    with refused("test_clock_needs_a_test_entity"):
        sql("UPDATE customers_customer SET legal_entity_id = %s WHERE id = %s", live.pk, customer.pk)


def test_a_customer_on_a_clock_buys_from_test_entities_only() -> None:
    subscription = subscription_of(billed_customer())
    live = factories.legal_entity(is_test=False)
    with refused("customer_on_a_clock_needs_a_test_entity"):
        copy_row("subscriptions_subscription", subscription.pk, legal_entity_id=live.pk)


def test_what_a_meter_measures_never_changes() -> None:
    meter = factories.meter()
    with accepted():
        sql("UPDATE catalog_meter SET name = 'Tokens read' WHERE id = %s", meter.pk)
    changes = tampering("catalog_meter")
    for column in (
        "aggregation",
        "property",
        "filters",
        "group_by",
        "rounding_decimals",
        "recurring",
        "event_type",
    ):
        with refused("meter_measures_the_same"):
            sql(f"UPDATE catalog_meter SET {changes[column]} WHERE id = %s", meter.pk)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"aggregation": "median"}, "aggregation_is_known"),
        ({"aggregation": "count"}, "meter_names_a_property_unless_it_counts"),
        ({"property": ""}, "meter_names_a_property_unless_it_counts"),
        ({"percentile": "95"}, "meter_has_a_percentile_if_it_is_one"),
        ({"aggregation": "percentile"}, "meter_has_a_percentile_if_it_is_one"),
        ({"multiplier": "2"}, "meter_has_a_multiplier_if_it_multiplies"),
        ({"expression": "a + b"}, "meter_has_an_expression_if_it_is_one"),
        ({"rounding": "up"}, "meter_rounding_is_known"),
    ],
)
def test_a_meter_that_cannot_measure_is_not_stored(changes: dict[str, str], constraint: str) -> None:
    meter = factories.meter()
    with accepted():
        copy_row("catalog_meter", meter.pk, code="another")
    with refused(constraint):
        copy_row("catalog_meter", meter.pk, code="another", **changes)


def test_only_prices_of_usage_have_filters() -> None:
    version = factories.plan_version(publish=False)
    with refused("only_usage_has_filters"):
        copy_row("catalog_price", version.prices.get().pk, code="x", position=9, filters={"model": ["large"]})
