"""Test clocks: making them, and moving their time forward."""

from datetime import datetime, timedelta

from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.lifecycles import TestClockStatus
from billing.platform.actors import Actor
from billing.platform.validation import require_fields, require_instant
from customers.models import LegalEntity, TestClock

STEP_MAX = timedelta(days=2 * 366)
"""How far one call may move a clock: what falls due in between is worked off in one go."""


class TestClockNeedsTestEntity(BillingError):
    """Test clocks live only under legal entities marked as test."""

    code = "test_clock_needs_test_entity"
    kind = Kind.CONFLICT


class TestClockMovesForward(BillingError):
    """A test clock never goes back."""

    code = "test_clock_moves_forward"
    kind = Kind.CONFLICT


class TestClockStepTooLarge(BillingError):
    """The step is longer than one call may make."""

    code = "test_clock_step_too_large"


class TestClockBusy(BillingError):
    """The clock still works off what fell due in its last step."""

    code = "test_clock_busy"
    kind = Kind.CONFLICT


@transaction.atomic
def create_test_clock(
    *, name: str, legal_entity: LegalEntity, now_at: datetime, actor: Actor, at: datetime
) -> TestClock:
    """Make a clock that shows `now_at`; customers are attached to it when they are created.

    Emits test_clock.created. Raises InvalidInput, TestClockNeedsTestEntity.
    """
    clock = TestClock(
        name=name, legal_entity=legal_entity, now_at=require_instant(now_at, field="now_at"), created_at=at
    )
    require_fields(clock)
    if not legal_entity.is_test:
        raise TestClockNeedsTestEntity(
            f"{legal_entity.name} is not a test entity, and test clocks live only under those.",
            field="legal_entity",
        )
    clock.save()
    _record(EventName.TEST_CLOCK_CREATED, clock, actor, at, {"name": name, "now_at": now_at.isoformat()})
    return clock


@transaction.atomic
def advance_test_clock(*, clock: TestClock, to: datetime, actor: Actor, at: datetime) -> TestClock:
    """Move a clock forward to an instant. What falls due by then follows from the event.

    Idempotent: a clock that shows `to` already is returned unchanged. Locks the clock. Emits test_clock.advanced.
    Raises TestClockMovesForward, TestClockStepTooLarge (more than two years), TestClockBusy, InvalidInput.
    """
    require_instant(to, field="to")
    clock = TestClock.objects.select_for_update().get(pk=clock.pk)
    if to == clock.now_at:
        return clock
    if clock.status != TestClockStatus.READY:
        raise TestClockBusy("This clock still works off what fell due in its last step.")
    if to < clock.now_at:
        raise TestClockMovesForward(
            f"This clock shows {clock.now_at.isoformat()} and never goes back.", field="to"
        )
    if to - clock.now_at > STEP_MAX:
        raise TestClockStepTooLarge("One step moves a clock by at most two years.", field="to")
    before, clock.now_at = clock.now_at, to
    clock.save(update_fields=["now_at"])
    data = {"from": before.isoformat(), "to": to.isoformat()}
    _record(EventName.TEST_CLOCK_ADVANCED, clock, actor, at, data)
    return clock


def _record(name: EventName, clock: TestClock, actor: Actor, at: datetime, data: dict[str, str]) -> None:
    activity.record(
        name=name, object_kind="test_clock", object_id=clock.public_id, actor=actor, at=at, data=data
    )
