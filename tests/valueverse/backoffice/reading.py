"""Following a figure to the list behind it, as a person would."""

import html
import re
from typing import Any

from django.test import Client


def plain(page: str) -> str:
    """A page's words, without its marks."""
    body = re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", page)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def addresses(page: str, text: str) -> list[str]:
    """Where the links with this text lead."""
    found = re.findall(r'(?s)<a[^>]*href="([^"]*)"[^>]*>(.*?)</a>', page)
    return [html.unescape(address) for address, inner in found if plain(inner) == text]


def listed(client: Client, address: str) -> list[Any]:
    """The rows of the admin list at an address: all of them, not the page."""
    response = client.get(address)
    assert response.status_code == 200, (address, response.status_code)
    return list(response.context["cl"].queryset)
