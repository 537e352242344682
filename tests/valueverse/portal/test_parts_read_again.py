"""Parts of the portal's pages that are fetched again in the background."""

import pytest

from tests.billing_factories import billed_customer, finalized_invoice
from tests.valueverse.portal.visitors import text_of, visitor

pytestmark = pytest.mark.django_db


def test_a_part_read_in_the_background_leaves_the_messages_for_the_next_page() -> None:
    customer = billed_customer()
    invoice = finalized_invoice(customer)
    client = visitor(customer)
    page = f"/portal/invoices/{invoice.public_id}/"
    answer = client.post(f"{page}pay/", {"key": "k", "amount": "1 EUR"})
    assert answer.status_code == 302
    assert client.get(page, headers={"X-Live": "1"}).status_code == 200
    message = text_of(client, page)
    assert 'class="notice error"' in message
    assert 'class="notice error"' not in text_of(client, page)


def test_pages_with_figures_follow_what_happens_and_others_do_not() -> None:
    customer = billed_customer()
    client = visitor(customer)
    group = f'data-live-group="customer:{customer.public_id}"'
    for path in ("/portal/", "/portal/invoices/", "/portal/payments/"):
        assert group in text_of(client, path), path
    for path in ("/portal/company/", "/portal/account/", "/portal/subscriptions/"):
        assert "data-live-group" not in text_of(client, path), path
