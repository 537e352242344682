"""Who may call what: every address with every caller (S05), in one table."""

from collections.abc import Iterator, Mapping

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from billing.activity.models import Activity
from billing.platform.api.views import ApiView
from customers.api.views.tokens import TokenView
from tests import factories
from tests.people import People

pytestmark = pytest.mark.django_db

NOBODY = {"anonymous": 401, "bob of acme, no staff": 403, "oscar, staff without permissions": 403}
CALLERS_READ = NOBODY | {
    "fiona, staff who may view": 200,
    "superuser": 200,
    "key for all": 200,
    "key that reads": 200,
    "key for usage only": 403,
}
READ_BY_ALL_KEYS = CALLERS_READ | {"key of acme": 200, "key of globex": 200}
READ_BY_FREE_KEYS = CALLERS_READ | {"key of acme": 403, "key of globex": 403}
WRITE = NOBODY | {
    "fiona, staff who may view": 403,
    "superuser": 400,
    "key for all": 400,
    "key that reads": 403,
    "key for usage only": 403,
    "key of acme": 403,
    "key of globex": 403,
}
"""An empty body: whoever may write is told what is missing, everybody else is not asked for it."""


def expected(people: People) -> Mapping[tuple[str, str], Mapping[str, int]]:
    """Method and address -> caller -> status."""
    version = factories.plan_version()
    price, clock = version.prices.get(), factories.test_clock(entity=people.acme.legal_entity)
    meter, rate = factories.meter(), factories.tax_rate()
    own = READ_BY_ALL_KEYS | {"key of globex": 404}
    change_own = WRITE | {"superuser": 200, "key for all": 200, "key of acme": 200, "key of globex": 404}
    publish = WRITE | {"superuser": 200, "key for all": 200}
    return {
        ("GET", "customers"): READ_BY_ALL_KEYS,
        ("POST", "customers"): WRITE,
        ("GET", f"customers/{people.acme.public_id}"): own,
        ("PATCH", f"customers/{people.acme.public_id}"): change_own,
        ("GET", "legal-entities"): READ_BY_FREE_KEYS,
        ("POST", "legal-entities"): WRITE,
        ("GET", f"legal-entities/{people.acme.legal_entity.public_id}"): READ_BY_FREE_KEYS,
        ("GET", "test-clocks"): READ_BY_FREE_KEYS,
        ("POST", "test-clocks"): WRITE,
        ("GET", f"test-clocks/{clock.public_id}"): READ_BY_FREE_KEYS,
        ("POST", f"test-clocks/{clock.public_id}/advance"): WRITE,
        ("GET", "meters"): READ_BY_ALL_KEYS,
        ("POST", "meters"): WRITE,
        ("GET", f"meters/{meter.public_id}"): READ_BY_ALL_KEYS,
        ("GET", "products"): READ_BY_ALL_KEYS,
        ("POST", "products"): WRITE,
        ("GET", f"products/{version.plan.product.public_id}"): READ_BY_ALL_KEYS,
        ("GET", "plans"): READ_BY_ALL_KEYS,
        ("POST", "plans"): WRITE,
        ("GET", f"plans/{version.plan.public_id}"): READ_BY_ALL_KEYS,
        ("POST", f"plans/{version.plan.public_id}/versions"): WRITE,
        ("GET", f"plan-versions/{version.public_id}"): READ_BY_ALL_KEYS,
        ("POST", f"plan-versions/{version.public_id}/publish"): publish,
        ("GET", "prices"): READ_BY_ALL_KEYS,
        ("GET", f"prices/{price.public_id}"): READ_BY_ALL_KEYS,
        ("GET", "tax-rates"): READ_BY_ALL_KEYS,
        ("POST", "tax-rates"): WRITE,
        ("GET", f"tax-rates/{rate.public_id}"): READ_BY_ALL_KEYS,
    }


def test_every_address_answers_every_caller_as_the_table_says() -> None:
    people = People()
    found: dict[tuple[str, str, str], int] = {}
    wanted: dict[tuple[str, str, str], int] = {}
    for (method, address), by_caller in expected(people).items():
        assert by_caller.keys() == people.clients.keys()
        for caller, status in by_caller.items():
            data = {} if method != "GET" else None
            answer = people.clients[caller].generic(
                method,
                f"/api/v1/{address}",
                b"{}" if data is not None else b"",
                content_type="application/json",
            )
            found[method, address, caller] = answer.status_code
            wanted[method, address, caller] = status
    assert found == wanted


def api_views(
    patterns: list[URLPattern | URLResolver], prefix: str = ""
) -> Iterator[tuple[str, type[ApiView]]]:
    for entry in patterns:
        route = f"{prefix}{entry.pattern}"
        if isinstance(entry, URLResolver):
            yield from api_views(entry.url_patterns, route)
        elif route.startswith("api/v1/") and hasattr(entry.callback, "cls"):
            yield route, entry.callback.cls


def test_every_method_of_every_view_says_what_it_needs() -> None:
    """A method without an entry would be refused to everybody; this says so before a caller does."""
    views = [
        (route, view) for route, view in api_views(get_resolver().url_patterns) if issubclass(view, ApiView)
    ]
    assert len(views) > 30
    for route, view in views:
        if issubclass(view, TokenView):
            continue
        methods = {name.upper() for name in ("get", "post", "patch") if hasattr(view, name)}
        assert methods == set(view.access), f"{route}: {view.__name__}"


def test_reading_changes_nothing() -> None:
    """GET and HEAD leave no trace in the audit trail (S09)."""
    people = People()
    addresses = [address for method, address in expected(people) if method == "GET"]
    before = Activity.objects.count()
    for address in addresses:
        client = people.clients["key for all"]
        assert (
            client.get(f"/api/v1/{address}").status_code
            == client.head(f"/api/v1/{address}").status_code
            == 200
        )
    assert Activity.objects.count() == before
