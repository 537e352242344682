"""How fast lists and pages answer at size, as a ratio to what a page costs that reads nothing.

    python -m tests.bench.bench_lists [--scale 0.01] [--repetitions 15] [--only invoices]

An installation that holds generated data (`manage.py generate_data`) is measured as it is: a person is added to it,
and removed again. Any other is left alone: data of --scale is generated in a database made for it. Every page is
asked over HTTP from the product's own web server, one request at a time on one connection. Two limits are measured
in the same run: a page of the back office that shows nothing, and the rows of the first page of invoices as bare SQL.
Absolute figures mean nothing without the ratio beside them. Exit code 1 if a page is not answered within 500 ms at p95.
"""

import argparse
import http.client
import os
import secrets
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from urllib.parse import quote

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "valueverse.settings.base")
os.environ["STAFF_SECOND_FACTOR"] = "optional"  # whoever measures has no authenticator app
os.environ.setdefault("SECRET_KEY", secrets.token_urlsafe(64))  # one for this process and the served one
django.setup()

from django.conf import settings  # noqa: E402  (Django first)
from django.contrib import admin  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import override_settings  # noqa: E402
from django.urls import reverse  # noqa: E402

from billing.invoices.models import Invoice  # noqa: E402
from customers.models import Customer, LegalEntity  # noqa: E402
from tests import factories  # noqa: E402
from tests.bench.bench_ingest import setting, web_server  # noqa: E402
from tests.databases import TestDatabases  # noqa: E402
from tests.valueverse.backoffice.office import office  # noqa: E402
from tests.valueverse.portal.visitors import visitor  # noqa: E402

FLOOR_MS = 500.0
OURS = ("billing.", "customers.", "payments.", "valueverse.")
DEEP = 200
"""The page of a list that is taken for a deep one, where there are so many."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What an address took, in milliseconds."""

    name: str
    status: int
    times: list[float]

    @property
    def p50(self) -> float:
        return statistics.median(self.times)

    @property
    def p95(self) -> float:
        return sorted(self.times)[max(0, round(len(self.times) * 0.95) - 1)]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scale", type=float, default=0.01, help="Size where none is generated yet (0.01).")
    parser.add_argument("--repetitions", type=int, default=15, help="Requests of each address (15).")
    parser.add_argument("--only", default="", help="Measure only what has this in its name.")
    options = parser.parse_args()
    with installation(options.scale) as name, web_server(name) as port:
        return measure(port, options.repetitions, options.only)


@contextmanager
def installation(scale: float) -> Iterator[str]:
    """The name of a database with generated data: the installation's own if it has some, else one made for this."""
    if has_generated():
        yield str(settings.DATABASES["default"]["NAME"])
        return
    databases = TestDatabases(settings.VAR_DIR)
    databases.prepare_template()
    name = databases.clone()
    databases.use(name)
    try:
        call_command("generate_data", "--scale", str(scale))
        yield name
    finally:
        databases.drop_clones()


def has_generated() -> bool:
    tables = connection.introspection.table_names()
    return (
        LegalEntity._meta.db_table in tables
        and LegalEntity.objects.filter(name__startswith="Generated seller").exists()
    )


def measure(port: int, repetitions: int, only: str) -> int:
    invoice = Invoice.objects.filter(status="finalized").order_by("-pk")[0]
    customer = Customer.objects.get(pk=invoice.customer_id)
    staff_pages, portal_pages = back_office(invoice, customer), portal(invoice)
    with guests(customer) as (staff, buyer):
        limits = [
            Asker(port, staff).ask("limit: page of nothing", "/admin/search/", repetitions * 2),
            bare_rows(repetitions * 2),
        ]
        found = []
        for cookies, pages in ((staff, staff_pages), (buyer, portal_pages)):
            asker = Asker(port, cookies)
            found += [
                asker.ask(name, address, repetitions)
                for name, address in pages.items()
                if only.lower() in name.lower()
            ]
    return report(limits, found)


@contextmanager
def guests(customer: Customer) -> Iterator[tuple[dict[str, str], dict[str, str]]]:
    """The cookies of somebody on the staff and of somebody at the customer; both are gone afterwards."""
    people, sessions = get_user_model(), Session.objects
    last = people.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    before = set(sessions.values_list("pk", flat=True))
    factories._numbers = count(time.time_ns() // 1_000_000)  # an earlier run left its people here
    with override_settings(ALLOWED_HOSTS=["*"]):
        clients = office(), visitor(customer)
    try:
        yield (
            {name: morsel.value for name, morsel in clients[0].cookies.items()},
            {name: morsel.value for name, morsel in clients[1].cookies.items()},
        )
    finally:
        sessions.exclude(pk__in=before).delete()
        people.objects.filter(pk__gt=last).update(is_active=False, is_staff=False)


def back_office(invoice: Invoice, customer: Customer) -> dict[str, str]:
    """Every list, its deep page, its search; the pages that finance opens all day; the search over everything."""
    pages = {
        "dashboard": "/admin/",
        "customer page": f"/admin/customers/customer/{customer.pk}/change/",
        "invoice page": f"/admin/invoices/invoice/{invoice.pk}/change/",
        "trial balance": "/admin/ledger/trial-balance/",
    }
    for typed in (
        str(invoice.number),
        "north logistics",
        "117.81",
        "ap@g1-0000042",
        "42",
        "gm",
        "nothing of it",
    ):
        pages[f"search '{typed}'"] = f"/admin/search/?part=1&q={quote(typed)}"
    for model, page in admin.site._registry.items():
        if not model.__module__.startswith(OURS):
            continue
        label = f"{model._meta.app_label}.{model._meta.model_name}"
        address = reverse(f"admin:{label.replace('.', '_')}_changelist")
        pages[label] = address
        if model._default_manager.all()[DEEP * page.list_per_page :].exists():
            pages[f"{label} deep"] = f"{address}?p={DEEP}"
        if page.search_fields:
            pages[f"{label} searched"] = f"{address}?q={quote(str(invoice.number))}"
    lists = "/admin/invoices/invoice/"
    pages |= {
        "invoices open": f"{lists}?settlement=open",
        "invoices overdue": f"{lists}?settlement=open&due_on__lt=2026-06-01",
        "invoices of a state": f"{lists}?status__exact=finalized",
        "invoices by total": f"{lists}?o=total_figure",
        "invoices of a name": f"{lists}?q={quote(customer.name)}",
        "customers of a word": "/admin/customers/customer/?q=north",
        "payments failed": "/admin/payments/payment/?status__exact=failed",
    }
    return pages


def portal(invoice: Invoice) -> dict[str, str]:
    return {
        "portal home": "/portal/",
        "portal invoices": "/portal/invoices/",
        "portal invoice": f"/portal/invoices/{invoice.public_id}/",
        "portal payments": "/portal/payments/",
        "portal usage": "/portal/usage/",
        "portal subscriptions": "/portal/subscriptions/",
    }


class Asker:
    """One browser: one connection, one request at a time."""

    def __init__(self, port: int, cookies: dict[str, str]) -> None:
        self.client = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self.headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}

    def ask(self, name: str, address: str, repetitions: int) -> Measured:
        """Ask once to warm up, then `repetitions` times; fewer where a single answer takes seconds."""
        status, first = self._once(address)
        times = []
        for _ in range(repetitions if first < 2 * FLOOR_MS else 3):
            status, taken = self._once(address)
            times.append(taken)
        found = Measured(name, status, times)
        print(f"  {status} {name:44} p95 {found.p95:8.1f} ms", file=sys.stderr, flush=True)
        return found

    def _once(self, address: str) -> tuple[int, float]:
        started = time.perf_counter()
        self.client.request("GET", address, headers=self.headers)
        answer = self.client.getresponse()
        answer.read()
        return answer.status, (time.perf_counter() - started) * 1000


def bare_rows(repetitions: int) -> Measured:
    """The rows of the first page of invoices, straight from PostgreSQL."""
    statement = (
        "SELECT invoice.id, number, customer.name, issued_on, due_on, subtotal_minor, tax_minor, total_minor "
        "FROM invoices_invoice invoice JOIN customers_customer customer ON customer.id = invoice.customer_id "
        "ORDER BY invoice.id DESC LIMIT 50"
    )
    return Measured(
        "limit: rows as bare SQL", 200, [timed(lambda: fetch(statement)) for _ in range(repetitions)]
    )


def fetch(statement: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return len(cursor.fetchall())


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def report(limits: list[Measured], found: list[Measured]) -> int:
    """Print what was measured, slowest first; 1 if a page is above the floor or not answered at all."""
    print(f"PostgreSQL {setting('server_version')}, fsync {setting('fsync')},", end=" ")
    print(
        f"synchronous_commit {setting('synchronous_commit')}, shared_buffers {setting('shared_buffers')},",
        end=" ",
    )
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{Customer.objects.count():,} customers, {Invoice.objects.count():,} invoices")
    for one in limits:
        print(f"{one.name:44} p50 {one.p50:8.1f} ms   p95 {one.p95:8.1f} ms")
    slow = []
    for one in sorted(found, key=lambda each: -each.p95):
        answered = one.status == 200
        if one.p95 >= FLOOR_MS or not answered:
            slow.append(one.name)
        print(
            f"{one.name:44} p50 {one.p50:8.1f} ms   p95 {one.p95:8.1f} ms   "
            f"{one.p50 / limits[0].p50:6.1f} x the page of nothing{'' if answered else f'   STATUS {one.status}'}"
        )
    print(f"{len(found) - len(slow)} of {len(found)} within {FLOOR_MS:.0f} ms at p95.", end=" ")
    print(f"Not: {', '.join(slow)}." if slow else "")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
