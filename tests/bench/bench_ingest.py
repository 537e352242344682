"""How fast usage events are taken in, as a ratio to what the same PostgreSQL can do at most.

    python -m tests.bench.bench_ingest [--events 20000] [--repetitions 3]

The limit is a plain COPY of the same rows into a table without index, key or trigger. Ours are the service, with
batches of 1,000 and of 100 (what clients of other systems send), and HTTP: one client, one connection, the product's
own web server. All run one after the other in each repetition, on this machine, in a database made for it and
dropped afterwards. Absolute figures mean nothing without the ratio beside them.
"""

import argparse
import http.client
import io
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import quote

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "valueverse.settings.base")
django.setup()

from django.conf import settings  # noqa: E402  (Django first)
from django.db import connection, connections  # noqa: E402

from billing.platform.clock import now  # noqa: E402
from billing.usage.services import IncomingEvent, VerdictKind, event_from_json, ingest  # noqa: E402
from customers.models import Customer  # noqa: E402
from tests import factories  # noqa: E402
from tests.databases import TestDatabases  # noqa: E402

CUSTOMERS = 20
Batch = list[dict[str, object]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=20_000, help="Events per measurement (20000).")
    parser.add_argument("--repetitions", type=int, default=3, help="Measurements of each kind (3).")
    options = parser.parse_args()
    databases = TestDatabases(settings.VAR_DIR)
    databases.prepare_template()
    name = databases.clone()
    databases.use(name)
    try:
        customers = [factories.customer() for _ in range(CUSTOMERS)]
        for code in ("input_tokens", "output_tokens"):
            factories.meter(code, property=code)
        factories.meter("requests", aggregation="count", property="")
        secret = factories.api_key().secret
        with web_server(name) as port:
            kinds: dict[str, Callable[[], float]] = {
                "plain COPY (the limit)": lambda: copy_rate(customers, options.events),
                "service, 1,000 a batch": lambda: service_rate(customers, options.events, 1000),
                "service, 100 a batch": lambda: service_rate(customers, options.events // 4, 100),
                "HTTP, 1,000 a batch": lambda: http_rate(customers, options.events, 1000, port, secret),
                "HTTP, 100 a batch": lambda: http_rate(customers, options.events // 4, 100, port, secret),
            }
            rates: dict[str, list[float]] = {kind: [] for kind in kinds}
            for _ in range(options.repetitions):
                for kind, measure in kinds.items():
                    rates[kind].append(measure())
        report(rates)
    finally:
        databases.drop_clones()


def report(rates: dict[str, list[float]]) -> None:
    limit = statistics.median(next(iter(rates.values())))
    print(f"PostgreSQL {setting('server_version')}, fsync {setting('fsync')},", end=" ")
    print(f"synchronous_commit {setting('synchronous_commit')}, {os.cpu_count()} cores, 3 meters per event")
    for kind, found in rates.items():
        median = statistics.median(found)
        spread = f"{min(found):,.0f} to {max(found):,.0f}"
        print(f"{kind:24} {median:10,.0f} events/s   {median / limit:6.1%} of the limit   ({spread})")


def setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        (value,) = cursor.fetchone()
    return str(value)


def events(customers: list[Customer], count: int) -> Batch:
    """New events, spread over customers and the last three days."""
    at, tag = now(), secrets.token_hex(4)
    return [
        {
            "id": f"{tag}-{n}",
            "customer": customers[n % CUSTOMERS].public_id,
            "type": "llm_request",
            "at": (at - timedelta(seconds=n * 259_200 // count)).isoformat(),
            "properties": {"input_tokens": n % 5000, "output_tokens": n % 700, "model": "large"},
        }
        for n in range(count)
    ]


def copy_rate(customers: list[Customer], count: int) -> float:
    pks = {customer.public_id: customer.pk for customer in customers}
    text = io.StringIO()
    for row in events(customers, count):
        properties = json.dumps(row["properties"])
        cells = (
            pks[str(row["customer"])],
            row["id"],
            row["type"],
            row["at"],
            row["at"],
            properties,
            "0" * 64,
        )
        text.write("\t".join(map(str, cells)) + "\n")
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS bare (customer_id bigint, event_id text, event_type text,"
            " at timestamptz, received_at timestamptz, properties jsonb, content_hash text)"
        )
        started = time.perf_counter()
        with cursor.copy("COPY bare FROM STDIN") as copy:
            copy.write(text.getvalue())
        return count / (time.perf_counter() - started)


def service_rate(customers: list[Customer], count: int, size: int) -> float:
    incoming: list[IncomingEvent] = [event_from_json(event) for event in events(customers, count)]
    started = time.perf_counter()
    for first in range(0, count, size):
        verdicts = ingest(events=incoming[first : first + size])
        assert all(verdict.kind == VerdictKind.ACCEPTED for verdict in verdicts)
    return count / (time.perf_counter() - started)


def http_rate(customers: list[Customer], count: int, size: int, port: int, secret: str) -> float:
    sent = events(customers, count)
    bodies = [json.dumps({"events": sent[first : first + size]}) for first in range(0, count, size)]
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {secret}"}
    client = http.client.HTTPConnection("127.0.0.1", port)
    started = time.perf_counter()
    for body in bodies:
        client.request("POST", "/api/v1/usage/events/batch", body, headers)
        answer = client.getresponse()
        found = json.loads(answer.read())
        assert answer.status == 200 and found["counts"]["accepted"] == size, found
    return count / (time.perf_counter() - started)


@contextmanager
def web_server(database: str) -> Iterator[int]:
    """The product's web server on a free port, over the database of the benchmark."""
    entry = settings.DATABASES["default"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    login = f"{quote(entry['USER'])}:{quote(entry['PASSWORD'])}"
    environment = os.environ | {
        "DATABASE_URL": f"postgresql://{login}@{entry['HOST']}:{entry['PORT']}/{database}",
        "REDIS_URL": settings.REDIS_URL,
        "SECRET_KEY": settings.SECRET_KEY,
        "LOG_LEVEL": "WARNING",
    }
    command = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--port",
        str(port),
        "--no-ws",
        "--blocking-threads",
        "2",
    ]
    server = subprocess.Popen(
        [*command, "valueverse.wsgi:application"], env=environment, cwd=settings.BASE_DIR
    )
    try:
        wait_for(server, port)
        yield port
    finally:
        server.terminate()
        server.wait(30)


def wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError("the web server does not start")


if __name__ == "__main__":
    main()
