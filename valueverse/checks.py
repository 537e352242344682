"""System checks of the wiring: `manage.py check` and every start run them."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from celery import current_app
from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.utils.module_loading import module_has_submodule

from valueverse.reactions import REACTIONS
from valueverse.schedules import BEAT_SCHEDULE


def unknown_tasks() -> dict[str, str]:
    """Task names that the reactions or the schedule use and no app defines, with the place that names them."""
    for config in apps.get_app_configs():  # tasks register when their module is imported
        if module_has_submodule(config.module, "tasks"):
            import_module(f"{config.name}.tasks")
    known = set(current_app.tasks)
    named = {name: f"reaction to {event}" for event, names in REACTIONS.items() for name in names}
    named |= {str(entry["task"]): f"schedule entry {key}" for key, entry in BEAT_SCHEDULE.items()}
    return {name: place for name, place in named.items() if name not in known}


@register()
def tasks_resolve(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """Every reaction and schedule entry names a task that exists, or the work would silently never be done."""
    return [
        Error(f"{place} names the task {name}, which does not exist", id="valueverse.E001")
        for name, place in unknown_tasks().items()
    ]


@register(Tags.security, deploy=True)
def second_factor_is_required(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """`check --deploy`: staff who sign in with a password alone are the cheapest way into the books."""
    if settings.STAFF_SECOND_FACTOR == "required":
        return []
    return [
        Warning(
            "staff may sign in without a second factor",
            hint="unset STAFF_SECOND_FACTOR, or set it to required",
            id="valueverse.W001",
        )
    ]
