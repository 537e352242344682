"""Who is told that usage changed: everybody whose events were committed, once for a burst, and lost by no accident."""

from collections.abc import Sequence

import pytest
from django.db import transaction

from billing.platform.clock import now
from billing.usage.models import UsageNotice
from billing.usage.services import preview_events, take_notices
from tests.billing.usage.builders import customer, event, meter, send
from tests.concurrency.racing import at_once, errors, overlapping

pytestmark = pytest.mark.usefixtures("committed_db")


class Told(list[str]):
    """Public ids of the customers told, in their order."""

    def __call__(self, customer_ids: Sequence[str]) -> None:
        self.extend(customer_ids)


def test_a_customer_with_many_events_is_told_once() -> None:
    meter()
    buyer, other, told = customer(), customer(), Told()
    send(*[event(buyer, n) for n in map(str, range(50))], event(other, "e"))
    send(event(buyer, "later"))
    assert UsageNotice.objects.count() == 2
    assert take_notices(tell=told) == 2
    assert sorted(told) == sorted([buyer.public_id, other.public_id])
    assert take_notices(tell=told) == 0


def test_nobody_is_told_of_what_was_not_stored() -> None:
    meter()
    buyer = customer()
    send(event(buyer, "e1"))
    take_notices(tell=Told())
    send(
        event(buyer, "e1"),
        event(buyer, "e1", properties={"input_tokens": 3}),
        event(buyer, "e2", event_type="no"),
    )
    preview_events(events=[event(buyer, "e3")], accept_old=False)
    with transaction.atomic():
        send(event(buyer, "e4"))
        transaction.set_rollback(True)
    assert not UsageNotice.objects.exists()


def test_a_notice_stays_until_it_could_be_told() -> None:
    meter()
    buyer, told = customer(), Told()
    send(event(buyer, "e1"))

    def away(customer_ids: Sequence[str]) -> None:
        raise ConnectionError("Redis is away")

    with pytest.raises(ConnectionError):
        take_notices(tell=away)
    take_notices(tell=told)
    assert told == [buyer.public_id]


def test_the_longest_waiting_are_told_first_and_a_bound_is_kept() -> None:
    meter()
    buyers, told = [customer() for _ in range(5)], Told()
    for number, buyer in enumerate(buyers):
        send(event(buyer, f"e{number}", at=now()))
    assert [take_notices(tell=told, limit=2) for _ in range(4)] == [2, 2, 1, 0]
    assert [set(told[:2]), set(told[2:4]), set(told[4:])] == [
        {one.public_id for one in part} for part in (buyers[:2], buyers[2:4], buyers[4:])
    ]


def test_two_tellers_share_the_work_and_wait_for_nobody() -> None:
    meter()
    buyers = [customer() for _ in range(4)]
    for buyer in buyers:
        send(event(buyer, "e1"))
    first, second = Told(), Told()
    outcome = overlapping(lambda: take_notices(tell=first, limit=2), lambda: take_notices(tell=second))
    assert not outcome.second_waited
    assert (len(first), len(second)) == (2, 2)
    assert set(first + second) == {buyer.public_id for buyer in buyers}


def test_events_that_come_in_while_a_notice_is_taken_leave_one_of_their_own() -> None:
    """The update waits for the deletion and then inserts: with DO NOTHING the second change would go untold."""
    meter()
    buyer, told = customer(), Told()
    send(event(buyer, "e1"))
    outcome = overlapping(lambda: take_notices(tell=told), lambda: send(event(buyer, "e2")))
    assert outcome.second_waited
    assert outcome.second.value == ["accepted"]
    assert told == [buyer.public_id]
    assert take_notices(tell=told) == 1


def test_batches_over_the_same_customers_in_any_order_never_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one attempt each, so that a deadlock would show."""
    from billing.usage.services import ingestion

    monkeypatch.setattr(ingestion, "ATTEMPTS", 1)
    meter()
    buyers, told = [customer() for _ in range(6)], Told()

    def sender(name: str, step: int) -> None:
        for number in range(15):
            send(*[event(buyer, f"{name}-{number}") for buyer in buyers[::step]])

    def teller() -> None:
        for _ in range(30):
            take_notices(tell=told, limit=3)

    works = [lambda: sender("a", 1), lambda: sender("b", -1), teller, teller]
    assert errors(at_once(*works)) == []
    while take_notices(tell=told):
        pass
    assert set(told) == {buyer.public_id for buyer in buyers}
