"""Saved views: kept by a person, shared by those who may, deleted by whoever made them."""

from typing import Any

import pytest
from django.test import Client

from billing.activity.models import Activity
from customers.models import SavedView
from customers.services import save_view
from tests.billing_factories import finalized_invoice
from tests.factories import ACTOR, START
from tests.valueverse.backoffice.office import office, person, said, text

pytestmark = pytest.mark.django_db

LIST = "/admin/invoices/invoice/"
SAVE = "/admin/views/save/"
DELETE = "/admin/views/delete/"
QUERY = "status__exact=finalized&o=-due_on"


def keep(client: Client, name: str = "Mine", query: str = QUERY, **given: str) -> Any:
    return client.post(SAVE, {"list": "invoices.invoice", "name": name, "query": query, **given})


def test_a_view_keeps_filter_and_order_for_its_owner_alone() -> None:
    client = office("Auditor")
    assert "Saved as “Mine”." in said(client, keep(client))
    shown = text(client, f"{LIST}?{QUERY}")
    assert "Views: <bdi" in shown
    assert "status__exact=finalized&amp;o=-due_on" in text(client, LIST)
    assert ">Mine<" not in text(office("Auditor"), LIST)
    assert Activity.objects.get(name="saved_view.saved").data["name"] == "Mine"


def test_saving_again_replaces_and_saving_the_same_changes_nothing() -> None:
    client = office()
    keep(client)
    keep(client, name="mine", query="status__exact=draft")
    keep(client, name="mine", query="status__exact=draft")
    view = SavedView.objects.get()
    assert (view.name, view.query) == ("mine", "status__exact=draft")
    assert Activity.objects.filter(name="saved_view.saved").count() == 2


def test_a_shared_view_is_found_by_everybody_and_deleted_by_its_owner() -> None:
    owner, other = office("Finance clerk"), office("Auditor")
    keep(owner, name="Ours", is_shared="1")
    shown = text(other, LIST)
    assert ">Ours<" in shown
    assert "shared by" in shown
    view = SavedView.objects.get()
    form = {"list": "invoices.invoice", "view": view.public_id, "query": ""}
    assert "you have no such view" in said(other, other.post(DELETE, form))
    assert SavedView.objects.exists()
    assert "The view is deleted." in said(owner, owner.post(DELETE, form))
    assert "you have no such view" in said(owner, owner.post(DELETE, form))


@pytest.mark.parametrize("group", ["Auditor", "Support"])
def test_who_may_not_share_does_not(group: str) -> None:
    client = office(group)
    assert "Share with everybody" not in text(client, LIST)
    assert keep(client, is_shared="1").status_code == 403
    assert not SavedView.objects.exists()


def test_two_shared_views_of_one_list_have_two_names() -> None:
    keep(office(), name="Ours", is_shared="1")
    client = office()
    assert "Choose another name." in said(client, keep(client, name="OURS", is_shared="1"))
    assert SavedView.objects.count() == 1


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\x00b"])
def test_a_view_without_a_usable_name_is_not_kept(name: str) -> None:
    client = office()
    assert "The view was not saved." in said(client, keep(client, name=name))
    assert not SavedView.objects.exists()


def test_a_view_of_a_list_that_one_may_not_see_is_refused() -> None:
    assert keep(office(None)).status_code == 403
    assert office().post(SAVE, {"list": "no.such", "name": "x", "query": ""}).status_code == 404
    assert office().get(SAVE).status_code == 404
    assert not SavedView.objects.exists()


def test_the_views_that_come_with_the_product_work() -> None:
    finalized_invoice()
    client = office()
    for address in (LIST, "/admin/payments/payment/", "/admin/customers/customer/"):
        shown = text(client, address)
        assert "built in" in shown
        queries = [part.split('"')[0] for part in shown.split('<li>\n        <a href="?')[1:]]
        assert queries
        for query in queries:
            assert client.get(f"{address}?{query.replace('&amp;', '&')}").status_code == 200


def test_a_person_keeps_a_bounded_number_of_views() -> None:
    owner = person("Auditor")
    for number in range(50):
        save_view(
            owner=owner,
            list_name="a.b",
            name=f"View {number}",
            query="",
            is_shared=False,
            actor=ACTOR,
            at=START,
        )
    with pytest.raises(Exception, match="You keep 50 views"):
        save_view(
            owner=owner, list_name="a.b", name="One more", query="", is_shared=False, actor=ACTOR, at=START
        )
