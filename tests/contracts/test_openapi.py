"""The OpenAPI document is committed, complete, and rendered under our own policy."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from drf_spectacular.drainage import GENERATOR_STATS, reset_generator_stats

from tests import factories
from valueverse.management.commands.update_openapi import GOLDEN, openapi_document

DOCS, SCHEMA = "/api/v1/docs", "/api/v1/schema"


def test_golden_file_is_current_and_nothing_was_guessed() -> None:
    """On a difference: `manage.py update_openapi`, look at the diff, and add a line to the changelog."""
    reset_generator_stats()
    document = openapi_document()
    assert GENERATOR_STATS._warn_cache == GENERATOR_STATS._error_cache == {}
    assert document == (Path(settings.BASE_DIR) / GOLDEN).read_text()


@pytest.mark.django_db
def test_schema_is_served_to_operators_staff_and_callers_and_to_nobody_else() -> None:
    assert Client().get(SCHEMA).status_code == 200, "from this machine"
    afar = {"REMOTE_ADDR": "203.0.113.7"}
    for address in (SCHEMA, DOCS):
        assert Client(**afar).get(address).status_code in (401, 403)
    key = factories.api_key(scopes=["usage:write"]).secret
    assert Client(**afar).get(SCHEMA, headers={"X-Api-Key": key}).status_code == 200
    signed_in = Client(**afar)
    signed_in.force_login(factories.user(is_staff=True), backend="django.contrib.auth.backends.ModelBackend")
    assert signed_in.get(DOCS).status_code == 200


@pytest.mark.django_db
def test_page_loads_everything_from_this_site_and_nothing_inline() -> None:
    page = Client().get(DOCS)
    html = page.content.decode()
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert "<style" not in html
    assert not re.search(r"<script(?![^>]*\bsrc=)", html)
    loaded = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(loaded) >= 5
    for address in loaded:
        assert address.startswith("/")
        answer = Client().get(address.replace("&amp;", "&"))
        assert answer.status_code == 200, address
