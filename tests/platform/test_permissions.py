"""Who may call what: every address with every caller (S05), in one table."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from billing.activity.models import Activity
from billing.invoices.services import start_bill_run
from billing.platform.api.views import ApiView
from billing.platform.clock import now
from billing.usage.models import UsageCorrection
from billing.usage.services import backfill_usage
from customers.api.views.tokens import TokenView
from customers.models import Customer
from tests import billing_factories, factories
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


WRITE_ALSO_BOUND = WRITE | {"key of acme": 400, "key of globex": 400}

Table = Mapping[tuple[str, str], Mapping[str, int]]
"""Method and address -> caller -> status."""


def of_customers_and_catalog(people: People) -> Table:
    version = factories.plan_version()
    price, clock = version.prices.get(), factories.test_clock(entity=people.acme.legal_entity)
    meter, rate = factories.meter(), factories.tax_rate("AT", "20")
    seller = people.acme.legal_entity.public_id
    own = READ_BY_ALL_KEYS | {"key of globex": 404}
    change_own = WRITE | {"superuser": 200, "key for all": 200, "key of acme": 200, "key of globex": 404}
    publish = WRITE | {"superuser": 200, "key for all": 200}
    return {
        ("GET", "customers"): READ_BY_ALL_KEYS,
        ("POST", "customers"): WRITE,
        ("GET", f"customers/{people.acme.public_id}"): own,
        ("PATCH", f"customers/{people.acme.public_id}"): change_own,
        ("GET", f"customers/{people.acme.public_id}/vat-checks"): own,
        ("POST", f"customers/{people.acme.public_id}/vat-checks"): WRITE
        | {"superuser": 409, "key for all": 409},
        ("GET", "legal-entities"): READ_BY_FREE_KEYS,
        ("POST", "legal-entities"): WRITE,
        ("GET", f"legal-entities/{seller}"): READ_BY_FREE_KEYS,
        ("PATCH", f"legal-entities/{seller}"): WRITE | {"superuser": 200, "key for all": 200},
        ("POST", f"legal-entities/{seller}/tax-registrations"): WRITE,
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


def _correction(customer: Customer) -> UsageCorrection:
    """An empty backfill."""
    start_at = now() - timedelta(days=1)
    return backfill_usage(
        customer_id=customer.public_id,
        event_type=factories.meter().event_type,
        start_at=start_at,
        end_at=now(),
        events=[],
        reason="nothing was used",
        actor=factories.ACTOR,
        at=now(),
    )


def of_billing(people: People) -> Table:
    """Acme has a subscription, a paid invoice, and a credit note over it."""
    subscription = billing_factories.subscription_of(people.acme)
    invoice = billing_factories.paid_invoice(people.acme)
    payment, note = billing_factories.payment_of(invoice), billing_factories.credit_note(invoice)
    run = start_bill_run(as_of=now(), actor=factories.ACTOR, at=now())
    own = READ_BY_ALL_KEYS | {"key of globex": 404}
    event = {caller: 422 if status == 400 else status for caller, status in WRITE_ALSO_BOUND.items()}
    done = WRITE | {"superuser": 200, "key for all": 200}
    absent = WRITE | {"superuser": 404, "key for all": 404}
    too_early = WRITE | {"superuser": 409, "key for all": 409}
    correction = _correction(people.acme)
    in_run = f"bill-runs/{run.public_id}/customers/{people.acme.public_id}"
    return {
        ("POST", "usage/events"): event | {"key for usage only": 422},
        ("POST", "usage/events/batch"): WRITE_ALSO_BOUND | {"key for usage only": 400},
        ("GET", "usage/corrections"): READ_BY_ALL_KEYS,
        ("POST", "usage/corrections"): WRITE | {"key for usage only": 400},
        ("GET", f"usage/corrections/{correction.public_id}"): own,
        ("POST", f"usage/corrections/{correction.public_id}/revert"): WRITE | {"key for usage only": 400},
        ("GET", "usage/rejected-events"): READ_BY_ALL_KEYS,
        ("POST", "usage/rejected-events/rej_unknown/replay"): absent | {"key for usage only": 404},
        ("GET", "subscriptions"): READ_BY_ALL_KEYS,
        ("POST", "subscriptions"): WRITE_ALSO_BOUND,
        ("GET", f"subscriptions/{subscription.public_id}"): own,
        ("POST", f"subscriptions/{subscription.public_id}/cancel"): WRITE_ALSO_BOUND | {"key of globex": 404},
        ("GET", f"subscriptions/{subscription.public_id}/upcoming-invoice"): own,
        ("GET", f"subscriptions/{subscription.public_id}/usage"): own,
        ("GET", f"subscriptions/{subscription.public_id}/late-usage"): own,
        ("POST", f"subscriptions/{subscription.public_id}/late-usage"): WRITE,
        ("GET", "invoices"): READ_BY_ALL_KEYS,
        ("GET", f"invoices/{invoice.public_id}"): own,
        ("GET", f"invoices/{invoice.public_id}/pdf"): own,
        ("POST", f"invoices/{invoice.public_id}/finalize"): done,
        ("POST", f"invoices/{invoice.public_id}/void"): WRITE,
        ("POST", f"invoices/{invoice.public_id}/send"): WRITE | {"superuser": 202, "key for all": 202},
        ("POST", f"invoices/{invoice.public_id}/credit-notes"): WRITE,
        ("POST", f"invoices/{invoice.public_id}/pay"): WRITE_ALSO_BOUND,
        ("GET", "credit-notes"): READ_BY_ALL_KEYS,
        ("GET", f"credit-notes/{note.public_id}"): own,
        ("GET", f"credit-notes/{note.public_id}/pdf"): own,
        ("GET", "bill-runs"): READ_BY_FREE_KEYS,
        ("GET", f"bill-runs/{run.public_id}"): READ_BY_FREE_KEYS,
        ("GET", f"bill-runs/{run.public_id}/customers"): READ_BY_FREE_KEYS,
        ("POST", f"{in_run}/exclude"): WRITE,
        ("POST", f"{in_run}/include"): absent,
        ("POST", f"{in_run}/retry"): absent,
        ("POST", f"bill-runs/{run.public_id}/retry"): too_early,
        ("POST", f"bill-runs/{run.public_id}/send"): too_early,
        ("GET", "billing-holds"): READ_BY_FREE_KEYS,
        ("POST", "billing-holds"): WRITE,
        ("POST", "billing-holds/hld_unknown/release"): absent,
        ("GET", "payments"): READ_BY_ALL_KEYS,
        ("POST", "payments"): WRITE,
        ("GET", f"payments/{payment.public_id}"): own,
        ("POST", f"payments/{payment.public_id}/refunds"): WRITE,
        ("POST", "live-tokens"): {
            caller: 400 if status == 200 else status for caller, status in READ_BY_ALL_KEYS.items()
        },
        ("GET", "payment-methods"): READ_BY_ALL_KEYS,
        ("POST", "payment-methods"): WRITE_ALSO_BOUND,
    }


def people_and_table() -> tuple[People, Table]:
    people = People(acme=billing_factories.billed_customer())
    return people, {**of_customers_and_catalog(people), **of_billing(people)}


def test_every_address_answers_every_caller_as_the_table_says() -> None:
    people, table = people_and_table()
    found: dict[tuple[str, str, str], int] = {}
    wanted: dict[tuple[str, str, str], int] = {}
    for (method, address), by_caller in table.items():
        assert by_caller.keys() == people.clients.keys()
        for caller, status in by_caller.items():
            body = b"" if method == "GET" else b"{}"
            answer = people.clients[caller].generic(
                method, f"/api/v1/{address}", body, content_type="application/json"
            )
            found[method, address, caller] = answer.status_code
            wanted[method, address, caller] = status
    assert found == wanted


def test_refusal_says_what_the_caller_lacks() -> None:
    people = People()
    told = {
        caller: people.clients[caller].post("/api/v1/products", {}).json()["detail"]
        for caller in ("key that reads", "fiona, staff who may view", "bob of acme, no staff")
    }
    assert list(told.values()) == [
        "This key needs the scope catalog:write.",
        "This needs the permission catalog.add_product.",
        "This is for staff.",
    ]
    bound = people.clients["key of acme"].post("/api/v1/customers", {}).json()["detail"]
    assert bound == "This key acts for one customer; this needs a key for all customers."


def test_no_address_is_missing_from_the_table() -> None:
    _, table = people_and_table()
    listed = {(method, resolve(f"/api/v1/{address}").func.cls) for method, address in table}
    served = {
        (method, view)
        for _, view in api_views(get_resolver().url_patterns)
        if issubclass(view, ApiView) and not issubclass(view, TokenView)
        for method in view.access
    }
    assert listed == served


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
    """GET and HEAD leave no trace in the audit trail (S09), but for the PDF that is made when it is first wanted."""
    people, table = people_and_table()
    addresses = [address for method, address in table if method == "GET" and not address.endswith("/pdf")]
    before = Activity.objects.count()
    for address in addresses:
        client = people.clients["key for all"]
        assert (
            client.get(f"/api/v1/{address}").status_code
            == client.head(f"/api/v1/{address}").status_code
            == 200
        )
    assert Activity.objects.count() == before
