"""MRR, lateness and months: by hand-made figures, at their edges, and as plans of the database."""

from datetime import date
from decimal import Decimal

import pytest
from django.db import connection

from billing.invoices.models import Invoice
from billing.reports.receivables import AGES, by_month, month_before, open_by_age, open_invoices
from billing.reports.recurring import mrr, mrr_of_customers, mrr_of_subscriptions
from billing.subscriptions.services import cancel_subscription_now, start_subscription
from customers.selectors import now_for
from payments.models import RECEIVED_PAYMENT_STATUSES, Payment
from tests import factories
from tests.billing_factories import (
    billed_customer,
    finalized_invoice,
    receipt,
    subscription_of,
    version_with_fee,
)
from tests.factories import ACTOR

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("unit", "count", "amount", "expected"),
    [
        ("month", 1, "99.00", 9900),
        ("month", 3, "100.00", 3333),  # a third of 100.00, rounded once
        ("year", 1, "1188.00", 9900),
        ("year", 2, "100.00", 417),  # 4.1666
        ("week", 1, "10.00", 4333),  # 52 weeks in 12 months
        ("day", 1, "1.00", 3042),  # 365 days in 12 months: 30.41666
    ],
)
def test_a_fee_is_worth_its_share_of_a_month(unit: str, count: int, amount: str, expected: int) -> None:
    factories.tax_rate()
    version = factories.plan_version(
        prices=[factories.fee(amount)], interval_unit=unit, interval_count=count, anchor="anniversary"
    )
    customer = billed_customer(version=version)
    subscription = subscription_of(customer)
    assert mrr_of_subscriptions([subscription.pk]) == {subscription.pk: expected}
    assert mrr_of_customers([customer.pk]) == {customer.pk: {"EUR": expected}}
    (found,) = mrr(legal_entity=customer.legal_entity)
    assert (found.currency, found.mrr_minor, found.subscriptions) == ("EUR", expected, 1)


def test_usage_is_not_recurring_and_a_canceled_or_foreign_subscription_does_not_count() -> None:
    version = version_with_fee(meters=[factories.meter()])
    customer = billed_customer(version=version)
    other = billed_customer(version=version)  # another legal entity has its own figure
    assert [row.mrr_minor for row in mrr(legal_entity=customer.legal_entity)] == [9900]
    assert [row.mrr_minor for row in mrr(legal_entity=other.legal_entity)] == [9900]
    cancel_subscription_now(
        subscription_id=subscription_of(customer).public_id, actor=ACTOR, at=now_for(customer)
    )
    assert mrr(legal_entity=customer.legal_entity) == []
    assert mrr_of_customers([customer.pk, other.pk]) == {customer.pk: {}, other.pk: {"EUR": 9900}}


def test_mrr_of_a_page_costs_two_queries_whatever_its_length(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    clock, version = factories.test_clock(), version_with_fee()
    customers = [billed_customer(clock=clock, version=version, method=None) for _ in range(4)]
    for customer in customers[:2]:
        start_subscription(customer=customer, plan_version=version, actor=ACTOR, at=now_for(customer))
    with django_assert_num_queries(2):
        found = mrr_of_customers([customer.pk for customer in customers])
    assert [found[customer.pk]["EUR"] for customer in customers] == [19800, 19800, 9900, 9900]
    assert sum(sums["EUR"] for sums in found.values()) == mrr(legal_entity=clock.legal_entity)[0].mrr_minor


@pytest.mark.parametrize(
    ("late", "bucket"),
    [(0, None), (1, 0), (30, 0), (31, 1), (60, 1), (61, 2), (90, 2), (91, 3), (400, 3)],
)
def test_lateness_falls_into_its_bucket_at_both_edges(late: int, bucket: int | None) -> None:
    invoice = finalized_invoice(billed_customer(method=None))
    assert invoice.due_on == date(2023, 11, 1)
    as_of = date.fromordinal(invoice.due_on.toordinal() + late)
    (found,) = open_by_age(legal_entity=invoice.legal_entity, as_of=as_of)
    assert found.open_minor == 11781
    assert found.overdue_minor == (0 if bucket is None else 11781)
    assert found.by_age == tuple(11781 if number == bucket else 0 for number in range(len(AGES)))


def test_only_what_is_left_is_open_and_a_settled_invoice_is_not() -> None:
    customer = billed_customer(method=None)
    invoice = finalized_invoice(customer)
    receipt(customer, 10000, invoice=invoice)
    (found,) = open_by_age(legal_entity=invoice.legal_entity, as_of=date(2023, 11, 2))
    assert (found.open_minor, found.open_count, found.overdue_minor) == (1781, 1, 1781)
    receipt(customer, 1781, invoice=invoice)
    assert open_by_age(legal_entity=invoice.legal_entity, as_of=date(2023, 11, 2)) == []


def test_months_have_zeros_where_nothing_was_and_end_with_their_day() -> None:
    customer = billed_customer(method=None)
    invoice = finalized_invoice(customer)
    receipt(customer, 5000)
    found = by_month(legal_entity=invoice.legal_entity, as_of=date(2023, 12, 15))
    assert [row.month_on for row in found] == [
        month_before(date(2023, 12, 1), back) for back in range(11, -1, -1)
    ]
    assert [(row.billed_minor, row.collected_minor) for row in found[-2:]] == [(11781, 5000), (0, 0)]
    assert by_month(legal_entity=invoice.legal_entity, as_of=date(2023, 10, 31)) == []
    with pytest.raises(ValueError, match="36"):
        by_month(legal_entity=invoice.legal_entity, as_of=date(2023, 12, 1), months=37)


def plan_of(query: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {query}")
        return "\n".join(row[0] for row in cursor.fetchall())


def test_each_question_has_the_index_that_was_made_for_it() -> None:
    entity = factories.legal_entity()
    for rows, index in (
        (
            open_invoices(legal_entity=entity),
            "invoice_open_",
        ),  # by seller and newest first hold the open ones alone
        (
            Invoice.objects.filter(legal_entity=entity, status="finalized", issued_on__gte=date(2023, 1, 1)),
            "invoice_issued_by_seller",
        ),
        (
            Payment.objects.filter(
                legal_entity=entity, status__in=RECEIVED_PAYMENT_STATUSES, received_on__gte=date(2023, 1, 1)
            ),
            "payment_received_by_seller",
        ),
    ):
        with connection.cursor() as cursor:
            statement, params = rows.order_by().values("pk").query.sql_with_params()
            text = cursor.mogrify(statement, params)  # type: ignore[attr-defined]
        plan = plan_of(text)  # between two that serve, an empty table leaves the planner no reason to choose
        assert "Seq Scan" not in plan and ("_by_seller" in plan or index in plan), index


def test_a_quantity_multiplies_the_fee() -> None:
    factories.tax_rate()
    seats = factories.fee("10.00", "seats")
    customer = billed_customer(version=factories.plan_version(prices=[seats]))
    item = subscription_of(customer).items.get()
    type(item).objects.filter(pk=item.pk).update(quantity=Decimal(3))
    found = mrr_of_customers([customer.pk])[customer.pk]
    assert found == {"EUR": 1000}  # a flat fee stays flat, whatever the quantity
