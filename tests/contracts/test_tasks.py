"""Reactions and schedule name tasks that exist, or the work would silently never be done."""

from typing import Any

import pytest
from celery import current_app
from django.conf import settings

from billing.core.events import EventName
from valueverse import checks
from valueverse.reactions import REACTIONS
from valueverse.schedules import BEAT_SCHEDULE
from valueverse.supervisor import QUEUES


def test_every_named_task_exists() -> None:
    assert checks.unknown_tasks() == {}


def test_a_reaction_or_entry_without_its_task_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REACTIONS, "invoice.finalized", ("payments.no_such_task",))
    entry: Any = {"task": "billing.no_such_task", "schedule": 60}
    monkeypatch.setitem(BEAT_SCHEDULE, "planted", entry)
    assert set(checks.unknown_tasks()) == {"payments.no_such_task", "billing.no_such_task"}
    assert {message.id for message in checks.tasks_resolve(None)} == {"valueverse.E001"}


def test_reactions_are_to_events_that_exist() -> None:
    assert set(map(str, REACTIONS)) <= {str(name) for name in EventName}


def test_every_queue_that_tasks_go_to_has_a_worker() -> None:
    ((routes),) = settings.CELERY_TASK_ROUTES
    queues = {route["queue"] for _, route in routes} | {settings.CELERY_TASK_DEFAULT_QUEUE}
    assert queues <= set(QUEUES.split(","))


def test_tasks_travel_as_json_only_and_are_acknowledged_when_done() -> None:
    assert current_app.conf.accept_content == ["json"]
    assert current_app.conf.task_acks_late
    assert current_app.conf.task_reject_on_worker_lost
