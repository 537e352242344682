"""The moving part of the story, step by step. Every step may be repeated: what is done already is found done."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime

from django.db import connection

from billing.invoices import services as invoices
from billing.ledger import selectors as ledger
from billing.platform.clock import now
from billing.platform.locks import run_lock
from billing.platform.scopes import ALL_SCOPES
from billing.usage.models import UsageEvent
from customers import services as customers
from customers.models import ApiKey, Customer, LegalEntity
from customers.selectors import now_for_seller
from payments.tasks import collect_due
from valueverse.closing import close_month
from valueverse.demo.sender import count_requests, send_events, trace_events, web_server
from valueverse.demo.story import ACTOR, BUYERS, EVENT_TYPE, NOVEMBER_END, SELLER, Story
from valueverse.outbox import drain_outbox

KEY_NAME = "demo"


def make_api_key() -> str:
    """A new key for the demo's integrator; those of earlier runs end. Returns the secret, which is shown once."""
    for key in ApiKey.objects.filter(name=KEY_NAME, revoked_at=None):
        customers.revoke_api_key(key_id=key.public_id, actor=ACTOR, at=now())
    return customers.create_api_key(name=KEY_NAME, scopes=ALL_SCOPES, actor=ACTOR, at=now()).secret


def advance_clock(story: Story, to: datetime) -> None:
    """Move the test clock on, unless it is past that already."""
    story.clock.refresh_from_db()
    if story.clock.now_at < to:
        customers.advance_test_clock(clock=story.clock, to=to, actor=ACTOR, at=now())


def bill() -> None:
    """Run billing over what is due, then everything that follows: documents, mails, payments."""
    with run_lock(invoices.BILLING_LOCK):
        invoices.bill_due(as_of=now(), actor=ACTOR, at=now())
    drain_outbox()
    collect_again()


def collect_again() -> None:
    """Make the collection attempts that are due by now, and what follows from them."""
    collect_due()
    drain_outbox()


def send_usage(*, secret: str, limit: int | None, progress: Callable[[int], None]) -> Counter[str]:
    """Send the trace files through the real web server; the endpoint's verdicts, counted."""
    verdicts: Counter[str] = Counter()
    with web_server() as port:
        for buyer in BUYERS:
            customer = Customer.objects.get(external_id=buyer.external_id)
            events = trace_events(
                buyer.file, customer_id=customer.public_id, event_type=EVENT_TYPE, limit=limit
            )
            verdicts += send_events(events, port=port, secret=secret, progress=progress)
    return verdicts


def close_november(seller: LegalEntity) -> None:
    """Accrue November's usage, release its fees, check the books and close the month."""
    month_on = NOVEMBER_END.replace(day=1)
    close_month(legal_entity=seller, month_on=month_on, actor=ACTOR, at=now_for_seller(seller))
    drain_outbox()


def stored_events() -> int:
    """How many usage events of the story the installation holds."""
    return UsageEvent.objects.filter(
        customer__external_id__in=[buyer.external_id for buyer in BUYERS]
    ).count()


def wanted_events(limit: int | None) -> int:
    """How many events the files hold up to the limit."""
    return sum(count_requests(buyer.file, limit=limit) for buyer in BUYERS)


def november_is_closed() -> bool:
    """Whether the story went so far that further usage of November would come late."""
    seller = LegalEntity.objects.filter(name=SELLER).first()
    return seller is not None and NOVEMBER_END.replace(day=1) in ledger.closed_months(legal_entity=seller)


def is_migrated() -> bool:
    """Whether the database has this product's tables."""
    return Customer._meta.db_table in connection.introspection.table_names()


def holds_tables() -> bool:
    """Whether the database has any tables at all."""
    return bool(connection.introspection.table_names())
