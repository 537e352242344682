"""The people of the back office, each in a group, and how they act on a page."""

import re
from typing import Any

from django.contrib.auth.models import Group
from django.test import Client

from customers.models import User
from tests import factories

GROUPS = ("Finance manager", "Finance clerk", "Support", "Auditor")


def person(group: str | None, email: str = "") -> User:
    """Somebody on the staff, in one group or in none."""
    made = factories.user(email, is_staff=True)
    if group:
        made.groups.add(Group.objects.get(name=group))
    return made


def office(group: str | None = "Finance manager") -> Client:
    """A browser in which that person is signed in."""
    client = Client()
    client.force_login(person(group), backend="django.contrib.auth.backends.ModelBackend")
    return client


def page(row: Any, verb: str = "change") -> str:
    """The address of an object's page, or of a verb on it."""
    return f"/admin/{row._meta.app_label}/{row._meta.model_name}/{row.pk}/{verb}/"


def text(client: Client, address: str) -> str:
    """A page as text."""
    response = client.get(address)
    assert response.status_code == 200, (address, response.status_code)
    return response.content.decode()


def seen(client: Client, address: str) -> str:
    """The mark of what the person saw on a verb's page."""
    found = re.search(r'name="seen" value="([^"]+)"', text(client, address))
    assert found, "the page has no form"
    return found.group(1)


def act(client: Client, row: Any, verb: str, **given: Any) -> Any:
    """Open a verb's page and press its button."""
    address = page(row, verb)
    return client.post(address, {"seen": seen(client, address), "step": "act", **given})


def said(client: Client, response: Any) -> str:
    """What the page says that the person ends on."""
    assert response.status_code == 302, response.content.decode()
    return text(client, response.url)


def make(client: Client, kind: str, **given: Any) -> Any:
    """Open the page that makes an object, fill it in, press its button. kind: 'catalog/product'."""
    address = f"/admin/{kind}/add/"
    return client.post(address, {"seen": seen(client, address), "step": "act", **given})
