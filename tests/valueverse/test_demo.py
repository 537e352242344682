"""`manage.py demo` as its users run it: another process, a database of its own, the real endpoint in between."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections

from billing.platform.scopes import ALL_SCOPES
from customers.models import ApiKey
from tests import factories
from tests.people import client_with_key
from tests.scenarios.story import NOV_1, Story
from valueverse.demo.steps import make_api_key

ROOT = Path(__file__).resolve().parents[2]
KEYS = [
    "events",
    "duplicates",
    "invoices",
    "total",
    "currency",
    "trial_balance",
    "seconds",
]
INVOICE_KEYS = [
    "number",
    "customer",
    "issued_on",
    "lines",
    "subtotal",
    "tax",
    "total",
    "status",
    "settlement",
]


def url(alias: str, database: str) -> str:
    entry = settings.DATABASES[alias]
    password = quote(entry["PASSWORD"], safe="")
    return f"postgresql://{entry['USER']}:{password}@{entry['HOST']}:{entry['PORT']}/{database}"


def demo(database: str, var: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "demo", *arguments],
        env=kept
        | {
            "VV_VAR_DIR": str(var),
            "DATABASE_URL": url("default", database),
            "DATABASE_OWNER_URL": url("owner", database),
            "REDIS_URL": settings.REDIS_URL,
            "SECRET_KEY": "s" * 60,
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def last_line(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(answer, dict)
    return answer


def test_the_demo_plays_once_finds_itself_done_the_second_time_and_spares_the_data_of_others(
    committed_db: str, tmp_path: Path
) -> None:
    Story(NOV_1).customer(name="Somebody else's customer")
    connections.close_all()

    refused = demo(committed_db, tmp_path, "--limit", "30", "--json")
    assert refused.returncode == 1
    assert "other data" in refused.stderr
    assert refused.stdout == ""
    assert factories.Customer.objects.get().name == "Somebody else's customer"
    connections.close_all()

    first = last_line(demo(committed_db, tmp_path, "--limit", "300", "--reset", "--json"))
    assert list(first) == KEYS
    assert (first["events"], first["duplicates"], first["currency"]) == (600, 0, "EUR")
    assert [list(invoice) for invoice in first["invoices"]] == [INVOICE_KEYS] * 4
    assert [list(line) for line in first["invoices"][2]["lines"]] == [["code", "quantity", "amount"]] * 4
    assert [invoice["number"] for invoice in first["invoices"]] == [f"VV-2023-{n:06d}" for n in (1, 2, 3, 4)]
    assert {(invoice["status"], invoice["settlement"]) for invoice in first["invoices"]} == {
        ("finalized", "settled")
    }
    assert first["invoices"][0]["total"] == "117.81"
    november, december = first["trial_balance"]["2023-11-30"], first["trial_balance"]["2023-12-01"]
    assert (november["2100"], november["4000"]) == ("0.00", "-198.00")
    assert december["1050"] == first["total"]
    assert (tmp_path / "demo" / "VV-2023-000003.pdf").read_bytes().startswith(b"%PDF-")

    again = demo(committed_db, tmp_path, "--limit", "300")
    second = last_line(again)
    assert second["duplicates"] == 600
    for key in set(KEYS) - {"duplicates", "seconds"}:
        assert second[key] == first[key]
    for shown in ("VV-2023-000004", "Trial balance", "API key", "paid"):
        assert shown in again.stdout

    fewer = demo(committed_db, tmp_path, "--limit", "10", "--json")
    assert fewer.returncode == 1
    assert "--reset" in fewer.stderr


def test_a_limit_that_is_none_is_wrong_usage() -> None:
    with pytest.raises(CommandError) as refused:
        call_command("demo", "--limit", "-1", "--json")
    assert refused.value.returncode == 2


@pytest.mark.django_db
def test_key_of_the_demo_may_do_everything_the_api_can() -> None:
    secret = make_api_key()
    assert set(ApiKey.objects.get(revoked_at=None).scopes) == set(ALL_SCOPES)
    assert client_with_key(secret).get("/api/v1/products").status_code == 200
