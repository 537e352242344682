"""Where a second factor is required, and the settings around signing in."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.checks import run_checks

from tests.valueverse.commands import manage
from valueverse.settings.access import DEMO_FOLDER, access_settings
from valueverse.settings.env import Environment

KEY, OTHER = "k" * 32, "o" * 40


def second_factor(folder: Path, *, on_own_machine: bool = True, **values: str) -> str:
    env = Environment(values)
    found = access_settings(env, on_own_machine=on_own_machine, folder=folder)
    env.finish()
    return found.second_factor


def test_it_is_required_unless_somebody_says_otherwise(tmp_path: Path) -> None:
    assert second_factor(tmp_path) == "required"
    assert second_factor(tmp_path, STAFF_SECOND_FACTOR="optional") == "optional"


def test_the_demo_s_sign_ins_work_on_one_s_own_machine_alone(tmp_path: Path) -> None:
    (tmp_path / DEMO_FOLDER).mkdir()
    assert second_factor(tmp_path) == "optional"
    assert second_factor(tmp_path, on_own_machine=False) == "required"
    assert second_factor(tmp_path, STAFF_SECOND_FACTOR="required") == "required"


def test_keys_are_read_in_order_and_short_ones_refused(tmp_path: Path) -> None:
    env = Environment({"SECOND_FACTOR_KEYS": f"{KEY}, {OTHER}"})
    assert access_settings(env, on_own_machine=False, folder=tmp_path).second_factor_keys == [KEY, OTHER]
    env.finish()
    env = Environment({"SECOND_FACTOR_KEYS": f"{KEY},short"})
    access_settings(env, on_own_machine=False, folder=tmp_path)
    assert env.problems == ["SECOND_FACTOR_KEYS: each of them must have at least 32 characters"]


def test_times_are_longer_than_nothing(tmp_path: Path) -> None:
    env = Environment({"STAFF_SESSION_IDLE": "0s"})
    access_settings(env, on_own_machine=False, folder=tmp_path)
    assert len(env.problems) == 1
    env = Environment({"STAFF_SESSION_IDLE": "15m"})
    assert access_settings(env, on_own_machine=False, folder=tmp_path).staff_idle == timedelta(minutes=15)


@pytest.mark.parametrize(("value", "warned"), [("required", False), ("optional", True)])
def test_the_check_before_a_release_warns(settings: pytest.FixtureRequest, value: str, warned: bool) -> None:
    settings.STAFF_SECOND_FACTOR = value  # type: ignore[attr-defined]
    found = {one.id for one in run_checks(include_deployment_checks=True)}
    assert ("valueverse.W001" in found) is warned


def test_a_wrong_value_is_refused_at_the_start(tmp_path: Path) -> None:
    done = manage(
        "check", VV_VAR_DIR=str(tmp_path), VV_EMBEDDED_AUTOSTART="false", STAFF_SECOND_FACTOR="maybe"
    )
    assert done.returncode != 0
    assert "STAFF_SECOND_FACTOR: 'maybe' may be one of" in done.stderr
