"""manage.py import_usage: a CSV file of usage events."""

import hashlib
import json
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO
from zoneinfo import ZoneInfo

from django.core.management.base import CommandError
from django.db.models import Q
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from billing.platform.actors import command_actor
from billing.platform.clock import now
from billing.platform.commands import BillingCommand, ExitCode, stop_signal
from billing.platform.locks import run_lock
from billing.platform.lookup import get_or_not_found
from billing.platform.metrics import RUN_DURATION
from billing.platform.validation import require_time_zone
from billing.usage import services
from billing.usage.csv_rows import CsvFile, Layout, Row
from billing.usage.models import UsageImport
from billing.usage.rejects import Reject, RejectsFile
from billing.usage.services import IncomingEvent, Verdict, VerdictKind
from customers.models import Customer

BATCH_SIZE = 5000
BATCH_SIZE_MAX = 20_000
_REFUSED = (VerdictKind.CONFLICT, VerdictKind.REJECTED)
_PREVIEWED_REJECTS = 20


@dataclass(slots=True)
class Batch:
    """Rows of the file that are taken in together: their events, and those that hold none."""

    rows: list[Row] = field(default_factory=list)
    events: list[IncomingEvent] = field(default_factory=list)
    broken: list[Reject] = field(default_factory=list)

    def add(self, row: Row, layout: Layout) -> None:
        if row.values is None:
            self.broken.append(Reject(row, "broken_row", row.problem))
            return
        try:
            self.events.append(layout.event(row.values))
        except ValueError as error:
            self.broken.append(Reject(row, "broken_row", f"the properties are no JSON: {str(error)[:200]}"))
        else:
            self.rows.append(row)

    def write_rejects(self, file: RejectsFile, verdicts: Sequence[Verdict]) -> None:
        file.write(self.rejects(verdicts))

    def rejects(self, verdicts: Sequence[Verdict]) -> list[Reject]:
        """Everything of the batch that was not taken in, in the order of the file."""
        refused = [
            Reject(row, verdict.reason.value if verdict.reason else "", verdict.message, verdict.field)
            for row, verdict in zip(self.rows, verdicts, strict=True)
            if verdict.kind in _REFUSED
        ]
        return sorted([*self.broken, *refused], key=lambda reject: reject.row.number)


class Command(BillingCommand):
    help = (
        "Take in a CSV file of usage events. Without options it needs the columns id, customer, type and at; all other"
        " columns are properties (or one column 'properties' holds them as JSON). Broken rows stop nothing: they are"
        " listed in a file of rejects. Started again after an interruption, it goes on where it stopped."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", type=Path, help="The CSV file, UTF-8, with a header.")
        parser.add_argument("--customer", help="Id or external id of the customer of all rows.")
        parser.add_argument("--type", help="Event type of all rows, for example llm_request.")
        parser.add_argument("--event-id", default="id", metavar="COLUMN", help="Column of the event id (id).")
        parser.add_argument("--at", default="at", metavar="COLUMN", help="Column of the time (at).")
        parser.add_argument("--time-zone", default="UTC", help="Zone of times without an offset (UTC).")
        parser.add_argument(
            "--property",
            "--meter-map",
            dest="properties",
            action="extend",
            nargs="+",
            type=_mapping,
            metavar="NAME=COLUMN",
            help="A property that meters read, and its column: input_tokens=ContextTokens.",
        )
        parser.add_argument("--accept-old", action="store_true", help="Take events older than 35 days too.")
        parser.add_argument("--rejects", type=Path, help="Where to list rejected rows (FILE.rejects.csv).")
        parser.add_argument(
            "--batch-size", type=_batch_size, default=BATCH_SIZE, help="Rows per transaction (5000)."
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Say what would happen, batch by batch; keep nothing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        rejects_path: Path = options["rejects"] or path.with_name(f"{path.name}.rejects.csv")
        if not path.is_file():
            raise CommandError(f"There is no file {path}.", returncode=int(ExitCode.USAGE))
        if rejects_path.resolve() == path.resolve():
            raise CommandError("The rejects cannot go into the file itself.", returncode=int(ExitCode.USAGE))
        customer = _customer(options["customer"])
        layout = _layout(options, customer)
        try:
            with path.open("rb") as stream:
                source = CsvFile(stream)
                layout.require_columns(source.columns)
                if options["dry_run"]:
                    self._preview(path, stream, source, layout, options)
                else:
                    self._import(path, stream, source, layout, customer, rejects_path, options)
        except OSError as error:
            raise CommandError(
                f"{error.strerror}: {error.filename or path}", returncode=int(ExitCode.FAILED)
            ) from error

    def _import(
        self,
        path: Path,
        stream: BinaryIO,
        source: CsvFile,
        layout: Layout,
        customer: Customer | None,
        rejects_path: Path,
        options: dict[str, Any],
    ) -> None:
        digest = _digest(path, layout, options["accept_old"])
        with (
            run_lock(f"usage.import.{digest}"),
            RUN_DURATION.labels(run="import_usage").time(),
            stop_signal() as stop,
        ):
            found = services.begin_import(
                file_name=path.name, content_hash=digest, customer=customer, at=now()
            )
            resumed_after = found.rows_done
            if resumed_after:
                self.note(f"Going on after {resumed_after} rows that are done already.")
            rejects = RejectsFile(rejects_path, rows_done=resumed_after)
            rows = islice(source.rows(), resumed_after, None)
            finished = True
            with self._progress(path, stream) as advance:
                for batch in _batches(rows, layout, options["batch_size"]):
                    if stop():
                        finished = False
                        break
                    services.import_events(
                        usage_import=found,
                        events=batch.events,
                        broken_rows=len(batch.broken),
                        accept_old=options["accept_old"],
                        before_commit=partial(batch.write_rejects, rejects),
                    )
                    rejects.keep()
                    advance()
            if finished:
                found = services.finish_import(
                    usage_import=found, actor=command_actor("import_usage"), at=now()
                )
        self._finish(path, found, resumed_after, finished, rejects_path)

    def _finish(
        self, path: Path, found: UsageImport, resumed_after: int, finished: bool, rejects_path: Path
    ) -> None:
        bad = found.rejected + found.conflicts
        counts = _counts(found.rows_done, found.accepted, found.duplicates, found.conflicts, found.rejected)
        data = {
            "import": found.public_id,
            "finished": finished,
            "resumed_after": resumed_after,
            **counts,
            "rejects_file": str(rejects_path) if bad else None,
        }
        self.report(f"{path.name}: {_sentence(counts)}", data)
        if bad:
            self.note(f"{bad} rows were not taken in; they are listed in {rejects_path}")
        if not finished:
            self.note("Stopped. The same command goes on from here.")
            raise SystemExit(int(ExitCode.TRY_AGAIN))
        if bad:
            raise SystemExit(int(ExitCode.FINDINGS))

    def _preview(
        self, path: Path, stream: BinaryIO, source: CsvFile, layout: Layout, options: dict[str, Any]
    ) -> None:
        """Each batch is rolled back, so an id that comes again in a later batch counts as accepted twice."""
        kinds: Counter[VerdictKind] = Counter()
        broken, listed = 0, 0
        with self._progress(path, stream) as advance:
            for batch in _batches(source.rows(), layout, options["batch_size"]):
                verdicts = services.preview_events(events=batch.events, accept_old=options["accept_old"])
                kinds.update(verdict.kind for verdict in verdicts)
                broken += len(batch.broken)
                for reject in batch.rejects(verdicts)[: _PREVIEWED_REJECTS - listed]:
                    listed += 1
                    self.note(f"line {reject.row.line}: {reject.reason}: {reject.message}")
                advance()
        rejected = kinds[VerdictKind.REJECTED] + broken
        rows = kinds.total() + broken
        counts = _counts(
            rows,
            kinds[VerdictKind.ACCEPTED],
            kinds[VerdictKind.DUPLICATE],
            kinds[VerdictKind.CONFLICT],
            rejected,
        )
        self.report(f"{path.name}: {_sentence(counts)} Nothing was kept.", {"dry_run": True, **counts})
        if rejected + kinds[VerdictKind.CONFLICT]:
            raise SystemExit(int(ExitCode.FINDINGS))

    def _progress(self, path: Path, stream: BinaryIO) -> AbstractContextManager[Callable[[], None]]:
        """Shows how much of the file is done, on a terminal only; yields what to call after each batch."""
        if not sys.stderr.isatty():
            return nullcontext(lambda: None)
        return _Bar(path, stream)


class _Bar(AbstractContextManager[Callable[[], None]]):
    def __init__(self, path: Path, stream: BinaryIO) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._task = self._progress.add_task(path.name, total=path.stat().st_size)
        self._stream = stream

    def __enter__(self) -> Callable[[], None]:
        self._progress.start()
        return lambda: self._progress.update(self._task, completed=self._stream.tell())

    def __exit__(self, *error: object) -> None:
        self._progress.stop()


def _batches(rows: Iterator[Row], layout: Layout, size: int) -> Iterator[Batch]:
    while part := list(islice(rows, size)):
        batch = Batch()
        for row in part:
            batch.add(row, layout)
        yield batch


def _layout(options: dict[str, Any], customer: Customer | None) -> Layout:
    return Layout(
        id_column=options["event_id"],
        at_column=options["at"],
        customer=customer.public_id if customer else None,
        type=options["type"],
        properties=dict(options["properties"]) if options["properties"] else None,
        zone=ZoneInfo(require_time_zone(options["time_zone"])),
    )


def _customer(reference: str | None) -> Customer | None:
    if reference is None:
        return None
    named = Customer.objects.filter(Q(public_id=reference) | Q(external_id=reference))
    return get_or_not_found(named.order_by("pk"), kind="customer", field="customer")


def _digest(path: Path, layout: Layout, accept_old: bool) -> str:
    """SHA-256 of the file and of what was said about it: the same words about the same bytes are the same import."""
    with path.open("rb") as stream:
        content = hashlib.file_digest(stream, "sha256").hexdigest()
    said = json.dumps({**asdict(layout), "zone": layout.zone.key, "accept_old": accept_old}, sort_keys=True)
    return hashlib.sha256(f"{content} {said}".encode(errors="backslashreplace")).hexdigest()


def _counts(rows: int, accepted: int, duplicates: int, conflicts: int, rejected: int) -> dict[str, int]:
    return {
        "rows": rows,
        "accepted": accepted,
        "duplicates": duplicates,
        "conflicts": conflicts,
        "rejected": rejected,
    }


def _sentence(counts: dict[str, int]) -> str:
    return (
        f"{counts['rows']:,} rows, {counts['accepted']:,} accepted, {counts['duplicates']:,} duplicates,"
        f" {counts['conflicts']:,} conflicts, {counts['rejected']:,} rejected."
    )


def _mapping(text: str) -> tuple[str, str]:
    name, separator, column = text.partition("=")
    if not (name and separator and column):
        raise ArgumentTypeError(f"'{text}' is not NAME=COLUMN, for example input_tokens=ContextTokens")
    return name, column


def _batch_size(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= BATCH_SIZE_MAX:
        raise ArgumentTypeError(f"a batch has 1 to {BATCH_SIZE_MAX} rows")
    return int(text)
