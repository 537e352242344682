"""The health endpoints and what each of them may depend on."""

import socket
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from billing.platform.metrics import USAGE_EVENTS
from valueverse import health
from valueverse.web_server import DRAIN_FILE_VARIABLE


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connections["default"].settings_dict, "PORT", "1")


@pytest.fixture
def no_redis(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"


def test_live_touches_nothing(no_database: None, no_redis: None) -> None:
    # without a database fixture any query would raise
    response = Client().get("/health/live")
    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_ready_while_database_and_redis_answer() -> None:
    assert Client().get("/health/ready").status_code == 200


@pytest.mark.django_db
def test_not_ready_without_the_database(no_database: None) -> None:
    assert Client().get("/health/ready").status_code == 503
    parts = Client().get("/health").json()["components"]
    assert (parts["database"]["status"], parts["redis"]["status"]) == ("down", "ok")


@pytest.mark.django_db
def test_not_ready_without_redis(no_redis: None) -> None:
    assert Client().get("/health/ready").status_code == 503
    parts = Client().get("/health").json()["components"]
    assert (parts["database"]["status"], parts["redis"]["status"]) == ("ok", "down")


@pytest.mark.django_db
def test_a_part_that_hangs_costs_its_budget_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "BUDGET_SECONDS", 0)  # then nothing is fast enough
    response = Client().get("/health")
    assert response.status_code == 503
    assert response.json()["components"]["database"] == {"status": "too slow", "ms": 0}


@pytest.mark.django_db
def test_not_ready_while_draining_but_alive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(DRAIN_FILE_VARIABLE, str(tmp_path / "draining"))
    assert Client().get("/health/ready").status_code == 200
    (tmp_path / "draining").touch()
    response = Client().get("/health/ready")
    assert (response.status_code, response.json()) == (503, {"status": "draining"})
    assert Client().get("/health/live").status_code == 200


def test_started_only_when_all_migrations_are_applied(
    committed_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "_migrations_applied", False)
    forget = "DELETE FROM django_migrations WHERE app = 'sessions'"
    with connections["owner"].cursor() as cursor:
        cursor.execute(forget)
    assert Client().get("/health/startup").json() == {"status": "starting"}
    assert Client().get("/health/startup").status_code == 503
    assert health.missing_migrations() == ["sessions.0001_initial"]
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "INSERT INTO django_migrations (app, name, applied) VALUES ('sessions', '0001_initial', now())"
        )
    assert Client().get("/health/startup").status_code == 200


@pytest.mark.django_db
def test_startup_answers_within_its_budget_while_the_database_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_migrations_applied", False)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and never says a word
        monkeypatch.setitem(connections["default"].settings_dict, "PORT", str(silent.getsockname()[1]))
        for _ in range(2):
            started = time.monotonic()
            response = Client().get("/health/startup")
            assert (response.status_code, response.json()) == (503, {"status": "starting"})
            assert time.monotonic() - started < health.BUDGET_SECONDS + 0.5


@pytest.mark.django_db
def test_operators_see_the_parts_and_strangers_only_the_outcome() -> None:
    shown = Client().get("/health").json()
    assert set(shown) == {"status", "version", "git_sha", "draining", "components"}
    assert shown["components"]["database"]["ms"] > 0
    stranger = Client(REMOTE_ADDR="203.0.113.9")
    assert stranger.get("/health").json() == {"status": "ok"}
    assert stranger.get("/metrics").status_code == 403


@pytest.mark.django_db
def test_an_undeclared_proxy_on_the_same_machine_makes_nobody_an_operator() -> None:
    proxied = Client().get("/health", headers={"x-forwarded-for": "203.0.113.9"})
    assert proxied.json() == {"status": "ok"}


@pytest.mark.django_db
def test_behind_a_declared_proxy_only_its_word_counts(settings: Any) -> None:
    settings.PROXY_COUNT = 1
    claimed = "127.0.0.1, 203.0.113.9"  # the caller wrote the first, the proxy the second
    assert "components" not in Client().get("/health", headers={"x-forwarded-for": claimed}).json()
    assert (
        "components" in Client().get("/health", headers={"x-forwarded-for": "203.0.113.9, 127.0.0.1"}).json()
    )


@pytest.mark.django_db
def test_metrics_show_requests_and_the_product_s_own_figures() -> None:
    USAGE_EVENTS.labels(verdict="accepted").inc(3)
    text = Client().get("/metrics").content.decode()
    assert 'vv_usage_events_total{verdict="accepted"} 3.0' in text
    assert "vv_invoices_finalized_total" in text
    assert "django_http_requests_total_by_method_total" in text


@pytest.mark.parametrize(
    "address", ["/health", "/health/live", "/health/ready", "/health/startup", "/metrics"]
)
def test_only_reading_is_possible(address: str) -> None:
    assert Client().post(address).status_code == 405
