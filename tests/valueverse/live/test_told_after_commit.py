"""Frames follow commits: usage through its notices, everything else through the relay of the recorded events."""

import threading

import pytest
from django.db import connection, transaction

from billing.activity.models import Activity
from billing.catalog.models import Meter
from billing.invoices.services import finalize_invoice, perform_bill_run, start_bill_run
from billing.platform.clock import now
from billing.usage.models import UsageNotice
from billing.usage.services import ingest
from customers.models import Customer
from customers.selectors import now_for
from tests import billing_factories, factories
from tests.billing.usage.builders import event, meter, send
from tests.factories import ACTOR
from tests.valueverse.backoffice.office import person
from tests.valueverse.live.site import (
    LiveSite,
    eventually,
    frame,
    is_quiet,
    relay_now,
    said,
    session_of,
    subscribe,
)
from valueverse.live.frames import frames_of
from valueverse.outbox import drain_outbox
from valueverse.tasks import send_live_frames


def staff() -> str:
    return session_of(person("Finance manager"))


@pytest.fixture
def buyer(live: LiveSite) -> Customer:
    if not Meter.objects.exists():
        meter()
    return factories.customer()


def test_accepted_usage_is_told_to_its_customer_and_to_nobody_else(live: LiveSite, buyer: Customer) -> None:
    other = factories.customer()
    with live.connect(cookie=staff()) as mine, live.connect(cookie=staff()) as theirs:
        subscribe(mine, f"customer:{buyer.public_id}")
        subscribe(theirs, f"customer:{other.public_id}")
        assert send(event(buyer, "e1")) == ["accepted"]
        told = frame(mine)
        assert told["event"] == "usage.received"
        assert (told["group"], told["object"]) == (f"customer:{buyer.public_id}", buyer.public_id)
        assert told["data"] == {}
        assert is_quiet(theirs)
    assert eventually(lambda: not UsageNotice.objects.exists())


def test_what_changes_nothing_is_not_told(live: LiveSite, buyer: Customer) -> None:
    send(event(buyer, "e1"))
    assert eventually(lambda: not UsageNotice.objects.exists())
    with live.connect(cookie=staff()) as connection:
        subscribe(connection, f"customer:{buyer.public_id}")
        refused = send(
            event(buyer, "e1"), event(buyer, "e1", properties={"input_tokens": 11}), event(buyer, 7)
        )
        assert "accepted" not in refused and len(refused) == 3
        with transaction.atomic():
            send(event(buyer, "rolled back"))
            transaction.set_rollback(True)
        assert is_quiet(connection)


def test_usage_is_told_after_the_commit_and_not_before(live: LiveSite, buyer: Customer) -> None:
    with live.connect(cookie=staff()) as connection:
        subscribe(connection, f"customer:{buyer.public_id}")
        with transaction.atomic():
            send(event(buyer, "slow"))
            assert is_quiet(connection)
        assert frame(connection)["event"] == "usage.received"


def test_a_burst_becomes_a_few_frames_and_the_last_event_is_told(live: LiveSite, buyer: Customer) -> None:
    """Four connections at once, so that the customer's notice is hardly ever free: it is told all the same."""
    frames = 0

    def sender(name: int) -> None:
        try:
            for number in range(40):
                ingest(events=[event(buyer, f"{name}-{number}")])
        finally:
            connection.close()

    threads = [threading.Thread(target=sender, args=(name,)) for name in range(4)]
    with live.connect(cookie=staff()) as socket:
        subscribe(socket, f"customer:{buyer.public_id}")
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        while not is_quiet(socket):
            frames += 1
    assert not UsageNotice.objects.exists()
    assert 1 <= frames <= 40


def test_an_invoice_is_told_when_it_is_finalized_and_not_as_a_draft(live: LiveSite) -> None:
    customer = billing_factories.billed_customer()
    drain_outbox()
    with live.connect(cookie=staff()) as page, live.connect(cookie=staff()) as dashboard:
        subscribe(page, f"customer:{customer.public_id}")
        subscribe(dashboard, "dashboard")
        draft = billing_factories.draft_invoice(customer)
        relay_now()
        assert is_quiet(page)
        assert frame(dashboard)["data"]["events"] == {"invoice.drafted": 1}
        invoice = finalize_invoice(invoice_id=draft.public_id, actor=ACTOR, at=now_for(customer))
        relay_now()
        told = frame(page, "invoice.finalized")
        assert told["object"] == invoice.public_id
        assert told["data"] == {
            "number": invoice.number,
            "total_minor": billing_factories.TOTAL_MINOR,
            "currency": "EUR",
        }


def test_a_bill_run_s_page_hears_its_states_and_its_progress(live: LiveSite) -> None:
    for _ in range(3):
        billing_factories.billed_customer()
    run = start_bill_run(as_of=now(), actor=ACTOR, at=now())
    relay_now()
    with live.connect(cookie=staff()) as connection:
        subscribe(connection, f"run:{run.public_id}")
        perform_bill_run(run=run, actor=ACTOR, at=now())
        drafted = list(Activity.objects.filter(name="invoice.drafted", dispatched_at=None))
        send_live_frames([row.public_id for row in drafted])
        told = frame(connection)
        assert (told["event"], told["object"]) == ("bill_run.progress", run.public_id)
        relay_now()
        told = frame(connection)
        assert (told["event"], told["data"]) == ("bill_run.completed", {"status": "completed"})
        assert is_quiet(connection), "one frame for all of its customers"


def test_frames_carry_nothing_that_is_not_listed(live: LiveSite) -> None:
    paid = billing_factories.paid_invoice()
    rows = list(Activity.objects.filter(customer_id=paid.customer.public_id))
    told = [said for group, said in frames_of(rows) if group.object_id == paid.customer.public_id]
    assert {one["event"] for one in told} >= {"invoice.finalized", "payment.succeeded", "payment.allocated"}
    assert not [one for one in told if one["event"].startswith(("invoice.drafted", "approval", "bill_run"))]
    allowed = {
        "number",
        "total_minor",
        "amount_minor",
        "currency",
        "status",
        "invoice",
        "payment",
        "cancel_at",
    }
    assert {key for one in told for key in one["data"]} <= allowed
    assert all(len(str(one)) < 600 for one in told)


def test_hello_comes_first(live: LiveSite) -> None:
    with live.connect(cookie=staff()) as connection:
        assert said(connection) == {"type": "hello", "groups_max": 10}
