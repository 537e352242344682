"""Taking a file in, batch by batch: what was done is committed with the events, so a crash loses nothing."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import F

from billing.activity import services as activity
from billing.core.events import EventName
from billing.platform.actors import Actor
from billing.usage.models import UsageImport
from billing.usage.services.events import IncomingEvent, Verdict, VerdictKind
from billing.usage.services.ingestion import ingest, with_retries
from customers.models import Customer


def begin_import(
    *, file_name: str, content_hash: str, customer: Customer | None, at: datetime
) -> UsageImport:
    """The import of a file: the one that was begun and not finished, to go on with, or a new one.

    content_hash: SHA-256 of the file and of what was said about it. The caller holds the run lock of the file.
    """
    begun = UsageImport.objects.filter(content_hash=content_hash, finished_at=None).order_by("pk").first()
    if begun is not None:
        return begun
    return UsageImport.objects.create(
        file_name=file_name[-255:], content_hash=content_hash, customer=customer, started_at=at
    )


def import_events(
    *,
    usage_import: UsageImport,
    events: Sequence[IncomingEvent],
    broken_rows: int,
    accept_old: bool,
    before_commit: Callable[[Sequence[Verdict]], None],
) -> list[Verdict]:
    """Take in the next rows of a file and note how far it got, in one transaction.

    broken_rows: rows among them that held no event; they count as rejected. before_commit is called with the
    verdicts before they count, and may be called again if the transaction is tried again.
    """

    def work() -> list[Verdict]:
        with transaction.atomic():
            verdicts = ingest(events=events, accept_old=accept_old, keep_rejected=False)
            before_commit(verdicts)
            counts = Counter(verdict.kind for verdict in verdicts)
            UsageImport.objects.filter(pk=usage_import.pk).update(
                rows_done=F("rows_done") + len(events) + broken_rows,
                accepted=F("accepted") + counts[VerdictKind.ACCEPTED],
                duplicates=F("duplicates") + counts[VerdictKind.DUPLICATE],
                conflicts=F("conflicts") + counts[VerdictKind.CONFLICT],
                rejected=F("rejected") + counts[VerdictKind.REJECTED] + broken_rows,
            )
        return verdicts

    verdicts = with_retries(work)
    usage_import.refresh_from_db()
    return verdicts


def preview_events(*, events: Sequence[IncomingEvent], accept_old: bool) -> list[Verdict]:
    """The verdicts that the events would get now. Nothing is kept."""
    with transaction.atomic():
        verdicts = ingest(events=events, accept_old=accept_old, keep_rejected=False)
        transaction.set_rollback(True)
    return verdicts


@transaction.atomic
def finish_import(*, usage_import: UsageImport, actor: Actor, at: datetime) -> UsageImport:
    """Close an import whose file was read to its end. Idempotent. Emits usage.imported, once for the whole file."""
    if not UsageImport.objects.filter(pk=usage_import.pk, finished_at=None).update(finished_at=at):
        return usage_import
    usage_import.refresh_from_db()
    activity.record(
        name=EventName.USAGE_IMPORTED,
        object_kind="usage_import",
        object_id=usage_import.public_id,
        customer_id=usage_import.customer.public_id if usage_import.customer else "",
        data={
            "file_name": usage_import.file_name,
            "rows": usage_import.rows_done,
            "accepted": usage_import.accepted,
            "duplicates": usage_import.duplicates,
            "conflicts": usage_import.conflicts,
            "rejected": usage_import.rejected,
        },
        actor=actor,
        at=at,
    )
    return usage_import
