"""Generated customers: a name, an address, a contact, a card or terms, and a subscription with its items."""

from datetime import date, datetime
from typing import Any

from django.db.backends.utils import CursorWrapper

from valueverse.generator.inserting import insert, public_id
from valueverse.generator.samples import ACTOR, Sample
from valueverse.generator.sizes import Share

CHUNK = 5_000
"""Customers in one transaction."""

HOSTILE_EVERY = 97
"""One customer in so many has a name that breaks careless pages."""

HOSTILE_NAMES = (
    "<script>alert('x')</script> GmbH",
    "=cmd|' /C calc'!A0",
    "+1+1; @SUM(A1:A9)",
    "شركة الفواتير المحدودة",
    "חברת חשבוניות \u202eבע\u0022מ",
    ("Donaudampfschifffahrtsgesellschaft" * 4)[:120],
    'O\'Neil & "Sons" % _ \\ 100 %',
    "東京データ株式会社 \U0001f4c8",
    "Bobby'); DROP TABLE invoices_invoice;--",
    "{{ 7 * 7 }} {% now %} ${7*7}",
)

_FIRST = """
Amber Atlas Aurora Birch Blue Bright Cedar Clear Cobalt Copper Coral Crystal Delta Echo Ember Falcon Fjord
Forge Golden Granite Harbor Hazel Iron Ivory Juniper Lark Linden Lumen Maple Meridian Mint Nimbus Noble
North Nova Oak Onyx Opal Orchid Pine Pioneer Polar Prime Quartz Raven River Rowan Sage Silver Solar Spruce
Sterling Summit Tidal Timber Topaz Umber Vale Velvet Vertex Willow Winter Zenith Zephyr
"""
FIRST = _FIRST.split()
_SECOND = """
Analytics Aviation Biotech Books Brewing Capital Ceramics Chemicals Cloud Coffee Consulting Dairy Data
Dental Design Devices Digital Energy Engineering Fabrics Farms Finance Foods Freight Games Glass Health
Homes Hosting Imaging Insurance Kitchens Labs Legal Lighting Logistics Machines Marine Media Metals Mobility
Motors Networks Optics Packaging Paper Pharma Plastics Printing Rail Research Retail Robotics Security
Shipping Software Solar Steel Systems Telecom Textiles Timber Tools Travel Ventures Water Works
"""
SECOND = _SECOND.split()
FORMS = ["GmbH", "AG", "GmbH & Co. KG", "SE", "Ltd", "LLC", "Inc.", "KG"]

_PICK = "(%({name})s::text[])[1 + mod({salt} * n::bigint + %(seller)s * 17, {count})]"


def _pick(name: str, salt: int, count: int) -> str:
    return _PICK.format(name=name, salt=salt, count=count)


def _name() -> str:
    made = (
        f"{_pick('first', 31, len(FIRST))} || ' ' || {_pick('second', 37, len(SECOND))} || ' ' || n || ' ' || "
        f"{_pick('forms', 7, len(FORMS))}"
    )
    hostile = f"(%(hostile)s::text[])[1 + mod(n / {HOSTILE_EVERY} + %(seller)s - 1, {len(HOSTILE_NAMES)})]"
    return f"CASE WHEN mod(n, {HOSTILE_EVERY}) = 3 THEN {hostile} ELSE {made} END"


def external_id(share: Share) -> str:
    """The SQL of a customer's external id, from which its number is read back."""
    return f"'g{share.seller}-' || lpad(n::text, 7, '0')"


def by_card() -> str:
    """The SQL of whether customer n pays by card; the others transfer, and do not."""
    return "mod(n, 20) <> 7"


def write_customers(
    cursor: CursorWrapper,
    share: Share,
    chunk: range,
    *,
    seller_id: int,
    samples: list[Sample],
    months: list[date],
    given: dict[str, Any],
    at: datetime,
) -> None:
    """Write the customers with the numbers in `chunk`, with what belongs to them, in the caller's transaction."""
    given = {
        **given,
        "first": FIRST,
        "second": SECOND,
        "forms": FORMS,
        "hostile": list(HOSTILE_NAMES),
        "seller_id": seller_id,
        "at": at,
        "from": chunk.start,
        "to": chunk.stop - 1,
        "card_like": "test_succeeds:",
        "versions": [sample.version_id for sample in samples],
        "quantities": [sample.quantity for sample in samples],
        "actor_kind": ACTOR.kind.value,
        "actor_id": ACTOR.public_id,
        "actor_label": ACTOR.label,
        # Whoever is billed in the last month goes on with the next, the others with the last.
        "billed_last": share.invoices_in(len(months) - 1),
        "last_month": months[-1],
    }
    _customers(cursor, share, given)
    _around_customers(cursor, share, given)
    _subscriptions(cursor, share, given)
    _activity(cursor, share, given)


def _customers(cursor: CursorWrapper, share: Share, given: dict[str, Any]) -> None:
    insert(
        cursor,
        "customers.Customer",
        f"(SELECT n, {_name()} AS name FROM generate_series(%(from)s::int, %(to)s::int) n) made",  # noqa: S608
        given,
        public_id=public_id("cus", f"'{share.seller}-' || n"),
        external_id=external_id(share),
        name="name",
        legal_name="left(name || ', ' || name, 200)",
        line1="'Musterweg ' || 1 + mod(n, 240)",
        postal_code="lpad((10000 + mod(n * 7, 80000))::text, 5, '0')",
        city="(ARRAY['Berlin', 'Hamburg', 'München', 'Köln', 'Leipzig'])[1 + mod(n, 5)]",
        country="'DE'",
        time_zone="'UTC'",
        language="CASE WHEN mod(n, 2) = 0 THEN 'de' ELSE 'en' END",
        currency="'EUR'",
        legal_entity_id="%(seller_id)s",
        payment_terms_days=f"CASE WHEN {by_card()} THEN 0 ELSE 30 END",
        collection_method=f"CASE WHEN {by_card()} THEN 'charge_automatically' ELSE 'send_invoice' END",
        created_at="%(at)s",
    )


def _these(share: Share) -> str:
    return (
        f"generate_series(%(from)s::int, %(to)s::int) n "
        f"JOIN customers_customer customer ON customer.external_id = {external_id(share)}"
    )


def _around_customers(cursor: CursorWrapper, share: Share, given: dict[str, Any]) -> None:
    insert(
        cursor,
        "customers.Contact",
        _these(share),
        given,
        public_id=public_id("con", f"'{share.seller}-' || n"),
        customer_id="customer.id",
        name="'Accounts payable ' || n",
        email="'ap@' || customer.external_id || '.example'",
        mail_roles="ARRAY['billing']",
    )
    insert(
        cursor,
        "payments.PaymentMethod",
        f"{_these(share)} WHERE {by_card()}",
        given,
        public_id=public_id("pmt", f"'{share.seller}-' || n"),
        customer_id="customer.id",
        gateway="'test'",
        gateway_ref="%(card_like)s || customer.public_id",
        label="'card ...' || lpad(mod(n * 7919::bigint, 10000)::text, 4, '0')",
        is_default="true",
        created_at="%(at)s",
    )


def _subscriptions(cursor: CursorWrapper, share: Share, given: dict[str, Any]) -> None:
    sample = "mod(n * 13::bigint + %(seller)s, cardinality(%(versions)s::bigint[]))::int"
    insert(
        cursor,
        "subscriptions.Subscription",
        f"{_these(share)} CROSS JOIN LATERAL (SELECT {sample} AS sample) chosen",
        given,
        public_id=public_id("sub", f"'{share.seller}-' || n"),
        external_id="customer.external_id",
        customer_id="customer.id",
        legal_entity_id="%(seller_id)s",
        plan_version_id="(%(versions)s::bigint[])[1 + sample]",
        currency="'EUR'",
        time_zone="'UTC'",
        status="'active'",
        started_at="%(at)s",
        anchor_on="%(at)s::date",
        next_billing_at="(%(last_month)s::date + CASE WHEN n <= %(billed_last)s THEN interval '1 month' "
        "ELSE interval '0' END)::timestamp AT TIME ZONE 'UTC'",
        created_at="%(at)s",
    )
    insert(
        cursor,
        "subscriptions.SubscriptionItem",
        f"{_these(share)} JOIN subscriptions_subscription subscription ON subscription.customer_id = customer.id "
        "JOIN catalog_price price ON price.plan_version_id = subscription.plan_version_id "
        f"CROSS JOIN LATERAL (SELECT {sample} AS sample) chosen",
        given,
        public_id=public_id("sit", f"'{share.seller}-' || n || '-' || price.position"),
        subscription_id="subscription.id",
        price_id="price.id",
        quantity="CASE WHEN price.model = 'per_unit' THEN (%(quantities)s::int[])[1 + sample] ELSE 1 END",
    )


def _activity(cursor: CursorWrapper, share: Share, given: dict[str, Any]) -> None:
    for name, kind, source, object_id in (
        ("customer.created", "customer", _these(share), "customer.public_id"),
        (
            "subscription.started",
            "subscription",
            f"{_these(share)} JOIN subscriptions_subscription subscription ON subscription.customer_id = customer.id",
            "subscription.public_id",
        ),
    ):
        insert(
            cursor,
            "activity.Activity",
            source,
            given,
            public_id=public_id("act", f"'{name}-{share.seller}-' || n"),
            name=f"'{name}'",
            object_kind=f"'{kind}'",
            object_id=object_id,
            customer_id="customer.public_id",
            actor_kind="%(actor_kind)s",
            actor_id="%(actor_id)s",
            actor_label="%(actor_label)s",
            happened_at="%(at)s",
            recorded_at="now()",
            dispatched_at="now()",
        )
