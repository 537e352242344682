"""Generating, seller by seller, each in a thread with a database session of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from threading import Event, Lock
from typing import Any

from django.db import connection, connections, transaction

from billing.platform.clock import now
from billing.platform.ids import new_public_id
from customers.models import LegalEntity, NumberSeries
from valueverse.generator import samples as drafting
from valueverse.generator.customers import CHUNK, write_customers
from valueverse.generator.invoices import (
    BATCH,
    books_of,
    ensure_accounts,
    prepare_session,
    write_invoices,
)
from valueverse.generator.samples import ACTOR, Sample
from valueverse.generator.sizes import GeneratedAlready, LiveData, Share, Size, month_starts

Progress = Callable[[str, int], None]
"""Told what was written ("customers" or "invoices") and how many."""

TABLES = (
    "customers_customer", "customers_contact", "subscriptions_subscription", "subscriptions_subscriptionitem",
    "subscriptions_billedperiod", "invoices_invoice", "invoices_invoiceline", "invoices_invoicetax",
    "invoices_documentmail", "payments_payment", "payments_paymentmethod", "payments_paymentallocation",
    "payments_collectionschedule", "ledger_journalentry", "ledger_posting", "revenue_revenueschedule",
    "revenue_revenueslice", "activity_activity", "customers_numbercounter",
)  # fmt: skip
"""What is vacuumed at the end, so that the planner knows the sizes and lists read the indexes alone."""


ANALYZE_AFTER = frozenset({1, 5, 25})
"""Batches after which the tables have grown so much that plans made before them are bad: foreign keys and triggers
look rows up by plans of their own, which new statistics replace."""

_STATISTICS = Lock()


@dataclass(frozen=True, slots=True)
class Job:
    """One seller's share of the work, and everything a session needs to write it."""

    share: Share
    seller: LegalEntity
    samples: list[Sample]
    months: list[date]
    seed: int


def prepare(size: Size) -> list[Job]:
    """Sellers, catalog, periods and samples. An interrupted run of the same size and seed goes on where it stood.

    Raises LiveData beside a legal entity that is not a test, GeneratedAlready after a complete or another run.
    """
    refuse_live_data()
    existing = drafting.generated_sellers()
    if any(seller.registration != size.label for seller in existing):
        raise GeneratedAlready(
            f"{existing[0].registration}. Use another database, or the same sizes to go on."
        )
    # An interrupted run goes on with the months it began with, also after midnight on the last of a month.
    started_at = existing[0].created_at if existing else now()
    shares = size.shares()
    months = month_starts(max(share.months for share in shares), today=started_at.date())
    versions = drafting.ensure_catalog(at=started_at)
    jobs = []
    for share in shares:
        seller = drafting.ensure_seller(share.seller, label=size.label, at=started_at)
        drafting.ensure_periods(seller, months)
        ensure_accounts(seller)
        samples = drafting.draw_samples(seller, versions, month_on=months[0])
        jobs.append(Job(share, seller, samples, months, size.seed))
    if existing and all(drafting.numbers_taken(job.seller) == job.share.invoices for job in jobs):
        raise GeneratedAlready(f"{size.label}: all of it is here.")
    return jobs


def refuse_live_data() -> None:
    """Raise LiveData where a legal entity is not marked as test."""
    live = LegalEntity.objects.filter(is_test=False).first()
    if live is not None:
        raise LiveData(
            f"{live} is not a test entity. Generated data belongs into an installation of its own.",
            field="legal_entity",
        )


def run(jobs: list[Job], *, sessions: int, progress: Progress) -> None:
    """Write what is missing of every job, `sessions` at a time. The first failure ends all after their batch."""
    stop = Event()
    with ThreadPoolExecutor(max_workers=sessions) as pool:
        futures = [pool.submit(_run_job, job, progress, stop) for job in jobs]
        try:
            for future in as_completed(futures):
                future.result()
        except BaseException:  # also a person who presses Ctrl+C
            stop.set()
            raise


def _run_job(job: Job, progress: Progress, stop: Event) -> None:
    try:
        with connection.cursor() as cursor:
            books = books_of(job.seller, job.share.seller)
            prepare_session(cursor, books, job.samples)
            given: dict[str, Any] = {
                "seed": str(job.seed),
                "seller": job.share.seller,
                "sample_count": len(job.samples),
                "actor_kind": ACTOR.kind.value,
                "actor_id": ACTOR.public_id,
                "actor_label": ACTOR.label,
            }
            started_at = datetime.combine(job.months[0], time.min, UTC)
            done = drafting.customers_of(job.seller)
            for chunk in _chunks(done + 1, job.share.customers, CHUNK):
                if stop.is_set():
                    return
                with transaction.atomic():
                    write_customers(
                        cursor,
                        job.share,
                        chunk,
                        seller_id=job.seller.pk,
                        samples=job.samples,
                        months=job.months,
                        given=given | {"stamp": _stamp(started_at)},
                        at=started_at,
                    )
                progress("customers", len(chunk))
            refresh_statistics("ANALYZE")
            _write_months(job, cursor, books, given, progress, stop)
    finally:
        connections.close_all()


def _write_months(
    job: Job, cursor: Any, books: Any, given: dict[str, Any], progress: Progress, stop: Event
) -> None:
    done = drafting.numbers_taken(job.seller)
    today = now().date()
    batches = 0
    for index, month_on in enumerate(job.months):
        count = job.share.invoices_in(index)
        before = index * job.share.customers
        for chunk in _chunks(max(done - before, 0) + 1, count, BATCH):
            if stop.is_set():
                return
            with transaction.atomic():
                write_invoices(
                    cursor,
                    job.share,
                    chunk,
                    books=books,
                    month_on=month_on,
                    month_index=index,
                    number_before=_last_number(books.series_id, month_on.year),
                    is_over=drafting.month_end(month_on) < today,
                    given=given | {"stamp": _stamp(next(drafting.instants(month_on)))},
                )
            progress("invoices", len(chunk))
            batches += 1
            if batches in ANALYZE_AFTER:
                refresh_statistics("ANALYZE")


def _last_number(series_id: int, year: int) -> int:
    counter = NumberSeries.objects.get(pk=series_id).counters.filter(year=year).first()
    return counter.last_number if counter else 0


def _chunks(first: int, last: int, size: int) -> list[range]:
    return [range(start, min(start + size, last + 1)) for start in range(first, last + 1, size)]


def _stamp(at: datetime) -> str:
    """The ten characters of a public id that say when it was made."""
    alphabet = "0123456789abcdefghjkmnpqrstvwxyz"
    left, digits = int(at.timestamp() * 1000), ""
    for _ in range(10):
        left, index = divmod(left, 32)
        digits = alphabet[index] + digits
    assert len(digits) + 16 == len(new_public_id("x")) - 2, "public ids have changed their form"
    return digits


def refresh_statistics(verb: str = "VACUUM (ANALYZE)") -> None:
    """Vacuum and analyze what was filled, as the owner of the tables; one session at a time."""
    with _STATISTICS, connections["owner"].cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"{verb} {table}")
