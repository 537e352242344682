"""manage.py import_usage: a broken row never stops an import and is never lost; an interrupted one goes on."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from billing.activity.models import Activity
from billing.usage.models import UsageEvent, UsageImport, UsageRollup
from billing.usage.selectors import rollup_mismatches
from customers.models import Customer
from tests.billing.usage.builders import NOVEMBER, clock, customer, meter

TRACE = ["--event-id", "TIMESTAMP", "--at", "TIMESTAMP", "--type", "llm_request"]
MAPPED = ["--meter-map", "input_tokens=ContextTokens", "output_tokens=GeneratedTokens"]
HEADER = b"TIMESTAMP,ContextTokens,GeneratedTokens\n"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call of the command left: exit code, its JSON object, and the rejects file."""

    code: int
    data: dict[str, Any]
    rejects: list[dict[str, str]]

    def reasons(self) -> list[tuple[int, str]]:
        return [(int(reject["line"]), reject["reason"]) for reject in self.rejects]


Importer = Callable[..., Outcome]


@pytest.fixture
def buyer(db: None) -> Customer:
    meter()
    meter(code="output_tokens", reads="output_tokens")
    meter(code="requests", reads=None)
    return customer(on=clock(now_at=NOVEMBER + timedelta(days=1)), external_id="brightchat")


@pytest.fixture
def importer(tmp_path: Path) -> Importer:
    def run(content: bytes, *arguments: str) -> Outcome:
        path = tmp_path / "usage.csv"
        path.write_bytes(content)
        out, code = StringIO(), 0
        try:
            call_command("import_usage", str(path), *arguments, "--json", stdout=out, stderr=StringIO())
        except SystemExit as stop:
            code = int(stop.code or 0)
        rejects = tmp_path / "usage.csv.rejects.csv"
        listed = list(csv.DictReader(rejects.open(encoding="utf-8", newline=""))) if rejects.exists() else []
        return Outcome(code, json.loads(out.getvalue()), listed)

    return run


def trace(*rows: bytes) -> bytes:
    return HEADER + b"".join(row + b"\n" for row in rows)


def trace_row(n: int) -> bytes:
    return f"2023-11-16 18:{n // 60 % 60:02}:{n % 60:02}.{n:07},{n + 1},{n % 7}".encode()


def of_brightchat() -> list[str]:
    return [*TRACE, *MAPPED, "--customer", "brightchat"]


def test_a_trace_with_seven_fractional_digits_is_taken_in(buyer: Customer, importer: Importer) -> None:
    outcome = importer(
        trace(b"2023-11-16 18:15:46.6805900,374,44", b"2023-11-16 18:15:46.6805909,10,1"), *of_brightchat()
    )
    assert (outcome.code, outcome.data["accepted"], outcome.rejects) == (0, 2, [])
    events = UsageEvent.objects.order_by("event_id")
    assert [event.event_id for event in events] == [
        "2023-11-16 18:15:46.6805900",
        "2023-11-16 18:15:46.6805909",
    ]
    assert {event.at for event in events} == {datetime(2023, 11, 16, 18, 15, 46, 680590, tzinfo=UTC)}
    assert events[0].properties == {"input_tokens": 374, "output_tokens": 44}
    assert set(UsageRollup.objects.values_list("meter__code", "quantity_sum")) == {
        ("input_tokens", 384),
        ("output_tokens", 45),
        ("requests", 0),
    }


def test_the_same_file_twice_changes_nothing_but_duplicates(buyer: Customer, importer: Importer) -> None:
    content = trace(*[trace_row(n) for n in range(50)])
    importer(content, *of_brightchat())
    before = list(UsageRollup.objects.order_by("pk").values())
    outcome = importer(content, *of_brightchat())
    assert (outcome.code, outcome.data["accepted"], outcome.data["duplicates"]) == (0, 0, 50)
    assert list(UsageRollup.objects.order_by("pk").values()) == before
    assert UsageImport.objects.count() == 2


def test_an_import_leaves_one_activity_with_its_counts(buyer: Customer, importer: Importer) -> None:
    outcome = importer(trace(trace_row(1), trace_row(2), b"bad,1,1"), *of_brightchat(), "--batch-size", "1")
    activity = Activity.objects.get(name="usage.imported")
    assert (activity.object_id, activity.customer_id) == (outcome.data["import"], buyer.public_id)
    assert activity.data == {
        "file_name": "usage.csv", "rows": 3, "accepted": 2, "duplicates": 0, "conflicts": 0, "rejected": 1
    }  # fmt: skip


def test_the_columns_of_our_own_format_need_no_options(buyer: Customer, importer: Importer) -> None:
    content = (
        b"id,customer,type,at,input_tokens,output_tokens,region,note\n"
        b"a,brightchat,llm_request,2023-11-16T18:00:00Z,0.10,2,eu,\n"
        + f"b,{buyer.public_id},llm_request,2023-11-16T19:00:00+01:00,3,4,007,\n".encode()
        + b"c,nobody,llm_request,2023-11-16T18:00:00Z,3,4,eu,\n"
        b"d,brightchat,lunch,2023-11-16T18:00:00Z,3,4,eu,\n"
        b"e,brightchat,llm_request,2023-11-16T18:00:00Z,,4,eu,\n"
    )
    outcome = importer(content)
    assert outcome.code == 3
    assert outcome.reasons() == [(4, "unknown_customer"), (5, "unknown_type"), (6, "invalid_quantity")]
    first, second = UsageEvent.objects.order_by("event_id")
    assert second.properties == {"input_tokens": 3, "output_tokens": 4, "region": "007"}
    assert first.at == second.at == NOVEMBER
    assert UsageRollup.objects.get(meter__code="input_tokens").quantity_sum * 10 == 31


def test_properties_may_be_one_column_of_json(buyer: Customer, importer: Importer) -> None:
    content = (
        b"id,customer,type,at,properties\n"
        b'a,brightchat,llm_request,2023-11-16T18:00:00Z,"{""input_tokens"": 0.1, ""output_tokens"": 1}"\n'
        b'b,brightchat,llm_request,2023-11-16T18:00:00Z,"{""input_tokens"": 0.2,\n ""output_tokens"": 1}"\n'
        b'c,brightchat,llm_request,2023-11-16T18:00:00Z,"{""input_tokens"": "\n'
        b"d,brightchat,llm_request,2023-11-16T18:00:00Z,[1]\n"
        b'e,brightchat,llm_request,2023-11-16T18:00:00Z,"{""input_tokens"": NaN, ""output_tokens"": 1}"\n'
    )
    outcome = importer(content)
    assert outcome.reasons() == [(5, "broken_row"), (6, "invalid_properties"), (7, "invalid_quantity")]
    assert UsageRollup.objects.get(meter__code="input_tokens").quantity_sum * 10 == 3


def test_times_without_offset_are_read_in_the_zone_that_is_named(buyer: Customer, importer: Importer) -> None:
    content = trace(b"2023-10-29 01:59:59.0000000,1,1", b"2023-10-29 03:00:00.0000000,1,1")
    importer(content, *of_brightchat(), "--time-zone", "Europe/Berlin")
    assert [event.at.hour for event in UsageEvent.objects.order_by("at")] == [23, 2]


BROKEN = {
    "too few values": (b"2023-11-16 18:00:00,1", "2 values for 3 columns"),
    "too many values": (b"2023-11-16 18:00:00,1,2,3", "4 values for 3 columns"),
    "an unclosed quote": (b'"2023-11-16 18:00:00,1,2', "unexpected end"),
    "text after a quote": (b'"2023-11-16 18:00:00"x,1,2', "expected after"),
    "bytes that are no UTF-8": (b"2023-11-16 18:00:00\xff,1,2", "not UTF-8 at byte 20"),
    "a NUL": (b"2023-11-16 18:00:00,1\x00,2", "NUL"),
    "a carriage return": (b"2023-11-16 18:00:00,1\r1,2", "new-line"),
    "a huge value": (b"2023-11-16 18:00:00," + b"9" * 140_000 + b",2", "limit"),
    "an endless line": (b"x" * 1_000_000, "longer than"),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_row_is_listed_and_its_neighbours_are_taken_in(
    buyer: Customer, importer: Importer, broken: str
) -> None:
    row, message = BROKEN[broken]
    outcome = importer(trace(trace_row(1), row, trace_row(2), trace_row(3)), *of_brightchat())
    assert (outcome.code, outcome.data["accepted"], outcome.data["rejected"]) == (3, 3, 1)
    assert outcome.reasons() == [(3, "broken_row")]
    assert message in outcome.rejects[0]["message"]
    assert outcome.rejects[0]["content"].startswith(row[:20].decode(errors="backslashreplace"))


def test_unclosed_quotes_do_not_swallow_the_rows_between_them(buyer: Customer, importer: Importer) -> None:
    rows = [trace_row(n) for n in range(8)]
    rows[2] = b'"' + rows[2]
    rows[5] = rows[5] + b'"'
    outcome = importer(trace(*rows), *of_brightchat())
    assert (outcome.data["accepted"], outcome.data["rejected"]) == (6, 2)
    assert [line for line, _ in outcome.reasons()] == [4, 7]


def test_values_that_no_event_may_have_are_listed_with_their_reason(
    buyer: Customer, importer: Importer
) -> None:
    outcome = importer(
        trace(
            b"yesterday,1,1",
            b"2023-11-16,1,1",
            b"2023-11-16 18:00:01,NaN,1",
            b"2023-11-16 18:00:02,1e400,1",
            b"2023-11-16 18:00:03,-1,1",
            b",1,1",
            b"2022-11-16 18:00:04,1,1",
            b"2023-11-16 18:00:05,1,1",
            b"2023-11-16 18:00:05,1,2",
        ),
        *of_brightchat(),
    )
    assert outcome.reasons() == [
        (2, "invalid_timestamp"),
        (3, "invalid_timestamp"),
        (4, "invalid_quantity"),
        (5, "invalid_quantity"),
        (6, "invalid_quantity"),
        (7, "invalid_id"),
        (8, "timestamp_out_of_window"),
        (10, "other_content"),
    ]
    assert (outcome.data["accepted"], outcome.data["conflicts"], outcome.data["rejected"]) == (1, 1, 7)


def test_old_events_are_taken_in_when_asked_for(buyer: Customer, importer: Importer) -> None:
    outcome = importer(trace(b"2019-01-01 00:00:00,1,1"), *of_brightchat(), "--accept-old")
    assert (outcome.code, outcome.data["accepted"]) == (0, 1)


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(buyer: Customer, importer: Importer) -> None:
    content = b"\xef\xbb\xbf" + trace(trace_row(1), b"", trace_row(2)).replace(b"\n", b"\r\n")
    assert importer(content, *of_brightchat()).data["accepted"] == 2


def test_a_file_without_a_last_line_end_is_read_to_its_end(buyer: Customer, importer: Importer) -> None:
    assert importer(trace(trace_row(1), trace_row(2))[:-1], *of_brightchat()).data["accepted"] == 2


def test_a_header_alone_is_an_import_of_nothing(buyer: Customer, importer: Importer) -> None:
    outcome = importer(HEADER, *of_brightchat())
    assert (outcome.code, outcome.data["rows"], outcome.data["finished"]) == (0, 0, True)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"\xff\xfe\x00", b"a,a,b\n", b"a,,b\n", b"x" * 10, b'"a\n', b"id,customer,type\n1,2,3\n"],
)
def test_a_file_without_the_needed_header_is_refused(
    buyer: Customer, importer: Importer, content: bytes
) -> None:
    with pytest.raises(CommandError) as refused:
        importer(content)
    assert refused.value.returncode == 1
    assert not UsageImport.objects.exists()


def test_wrong_usage_is_told_apart_from_failure(buyer: Customer, importer: Importer, tmp_path: Path) -> None:
    with pytest.raises(CommandError) as missing:
        call_command("import_usage", str(tmp_path / "none.csv"))
    assert missing.value.returncode == 2
    with pytest.raises(CommandError) as unknown:
        importer(HEADER, *TRACE, "--customer", "nobody")
    assert unknown.value.returncode == 1
    with pytest.raises(CommandError, match="time zone"):
        importer(HEADER, *of_brightchat(), "--time-zone", "Mars/Olympus")


def test_somebody_elses_file_is_not_overwritten_by_rejects(
    buyer: Customer, importer: Importer, tmp_path: Path
) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("mine\n")
    with pytest.raises(CommandError, match="no list of rejects"):
        importer(trace(b"bad"), *of_brightchat(), "--rejects", str(precious))
    with pytest.raises(CommandError, match="itself"):
        importer(trace(b"bad"), *of_brightchat(), "--rejects", str(tmp_path / "usage.csv"))
    assert precious.read_text() == "mine\n"


def test_a_dry_run_keeps_nothing(buyer: Customer, importer: Importer) -> None:
    outcome = importer(trace(trace_row(1), b"bad,1,1"), *of_brightchat(), "--dry-run")
    assert outcome.data == {
        "dry_run": True, "rows": 2, "accepted": 1, "duplicates": 0, "conflicts": 0, "rejected": 1
    }  # fmt: skip
    assert outcome.rejects == []
    for model in (UsageEvent, UsageRollup, UsageImport):
        assert not model.objects.exists()
    assert not Activity.objects.filter(name="usage.imported").exists()


# From here on the command runs as a process of its own, and really commits.


class Process:
    """The command as a process that works on the database of the test."""

    def __init__(self, database: str, path: Path, *arguments: str) -> None:
        program = (
            "import sys, django; from django.conf import settings;"
            "[entry.update(NAME=sys.argv[1]) for entry in settings.DATABASES.values()];"
            "django.setup(); from django.core.management import execute_from_command_line as run;"
            "run(['manage.py', 'import_usage', *sys.argv[2:]])"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, database, str(path), *arguments, "--json"],
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "valueverse.settings.test"},
            cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def wait_until_rows_are_done(self, rows: int) -> int:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            done = UsageImport.objects.values_list("rows_done", flat=True).order_by("pk").last() or 0
            if done >= rows:
                return int(done)
            time.sleep(0.01)
        raise AssertionError(self.process.communicate())

    def end(self) -> tuple[int, dict[str, Any]]:
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, json.loads(out) if out.strip() else {"stderr": err.decode()}


@pytest.fixture
def committed_buyer(committed_db: str) -> Customer:
    meter()
    meter(code="output_tokens", reads="output_tokens")
    return customer(on=clock(now_at=NOVEMBER + timedelta(days=1)), external_id="brightchat")


def big_trace(path: Path, size: int) -> None:
    rows = [b"broken," + str(n).encode() if n % 100 == 99 else trace_row(n) for n in range(size)]
    path.write_bytes(trace(*rows))


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM])
def test_an_interrupted_import_goes_on_after_its_last_batch(
    committed_db: str, committed_buyer: Customer, tmp_path: Path, blow: signal.Signals
) -> None:
    path, size = tmp_path / "trace.csv", 3000
    big_trace(path, size)
    arguments = [*of_brightchat(), "--batch-size", "10"]
    first = Process(committed_db, path, *arguments)
    first.wait_until_rows_are_done(300)
    first.process.send_signal(blow)
    code, data = first.end()
    assert code == (75 if blow == signal.SIGTERM else -signal.SIGKILL), data
    done = UsageImport.objects.get().rows_done
    assert 300 <= done < size
    assert UsageEvent.objects.count() == UsageImport.objects.get().accepted

    code, data = Process(committed_db, path, *arguments).end()
    assert (code, data["resumed_after"], data["rows"]) == (3, done, size)
    assert (data["accepted"], data["duplicates"], data["rejected"]) == (size - 30, 0, 30)
    assert UsageEvent.objects.count() == size - 30
    assert rollup_mismatches() == []
    rejects = tmp_path / "trace.csv.rejects.csv"
    listed = [int(row["line"]) for row in csv.DictReader(rejects.open(newline=""))]
    assert listed == [n + 2 for n in range(size) if n % 100 == 99], "each broken row is listed once"
    assert Activity.objects.filter(name="usage.imported").count() == 1


def test_a_file_that_is_being_imported_is_not_imported_a_second_time(
    committed_db: str, committed_buyer: Customer, tmp_path: Path
) -> None:
    path = tmp_path / "trace.csv"
    big_trace(path, 3000)
    arguments = [*of_brightchat(), "--batch-size", "10"]
    first = Process(committed_db, path, *arguments)
    first.wait_until_rows_are_done(10)
    code, data = Process(committed_db, path, *arguments).end()
    assert (code, "run_in_progress" in data["stderr"]) == (75, True)
    assert first.end()[0] == 3
    assert UsageImport.objects.count() == 1
