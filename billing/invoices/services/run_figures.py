"""The figures of bill runs: noted in bulk when drafts are made, so that no page computes them row by row."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet, Sum

from billing.core.lifecycles import BillRunStatus, InvoiceStatus
from billing.invoices.comparing import Compared, compare, flags_of
from billing.invoices.models import BillRun, BillRunCustomer, BillRunCustomerStatus, Invoice

COMPARABLE_DAYS = 40
"""How far back the run lies with which another one is compared: one month, and some days of delay."""


@dataclass(frozen=True, slots=True)
class RunTotals:
    """What a run finalizes or has finalized: customers by status, invoices, and sums per currency in minor units."""

    customers: dict[str, int]
    invoices: int
    totals_minor: dict[str, int]
    taxes_minor: dict[str, int] = field(default_factory=dict)


def issuing(run: BillRun) -> QuerySet[Invoice]:
    """The invoices a run finalizes or has finalized: without customers held, excluded or failed, without voids."""
    chosen = BillRunCustomer.objects.filter(
        run=run,
        customer_id=OuterRef("customer_id"),
        status__in=(BillRunCustomerStatus.DRAFTED, BillRunCustomerStatus.FINALIZED),
    )
    return run.invoices.filter(Exists(chosen)).exclude(status=InvoiceStatus.VOIDED).order_by()


def run_totals(*, run: BillRun) -> RunTotals:
    """What a run finalizes, as it stands."""
    customers = dict(run.customers.order_by().values_list("status").annotate(Count("pk")))
    rows = list(
        issuing(run)
        .values("currency")
        .annotate(total=Sum("total_minor"), tax=Sum("tax_minor"), count=Count("pk"))
    )
    return RunTotals(
        customers,
        sum(row["count"] for row in rows),
        {row["currency"]: int(row["total"]) for row in rows},
        {row["currency"]: int(row["tax"]) for row in rows},
    )


def note_run_figures(*, run: BillRun) -> RunTotals:
    """Store what lists of runs show, in the caller's transaction; pages that show it as it was are refused then."""
    totals = run_totals(run=run)
    figures = {
        "customers": totals.customers,
        "invoices": totals.invoices,
        "totals": dict(sorted(totals.totals_minor.items())),
        "taxes": dict(sorted(totals.taxes_minor.items())),
    }
    BillRun.objects.filter(pk=run.pk).update(figures=figures, review_version=F("review_version") + 1)
    return totals


def noted_totals(*, run: BillRun) -> RunTotals:
    """The totals as they were noted with the last change, for pages: at 100,000 customers summing takes its time.

    Where something is decided, run_totals sums them anew. Before the first note, and while a run works, only the
    customers are counted.
    """
    noted = run.figures
    at_work = run.status in (BillRunStatus.GENERATING, BillRunStatus.FINALIZING)
    customers = noted.get("customers")
    if at_work or customers is None:
        customers = dict(run.customers.order_by().values_list("status").annotate(Count("pk")))
    return RunTotals(customers, noted.get("invoices", 0), noted.get("totals") or {}, noted.get("taxes") or {})


def note_comparison(*, run: BillRun) -> None:
    """Store which earlier run this one is compared with, and how many of its customers are gone."""
    earlier = comparable_run(run)
    gone = gone_customers(run, earlier).count() if earlier else 0
    BillRun.objects.filter(pk=run.pk).update(compared_with=earlier, gone_count=gone)


def comparable_run(run: BillRun) -> BillRun | None:
    """The largest completed run of the same scope over the last 40 days; of equal ones the latest.

    Runs without review come every hour: the last one may have billed a single customer.
    """
    same_scope = Q(customer=run.customer_id) if run.customer_id else Q(customer=None)
    return (
        BillRun.objects.filter(
            same_scope,
            status=BillRunStatus.COMPLETED,
            pk__lt=run.pk,
            as_of__gt=run.as_of - timedelta(days=COMPARABLE_DAYS),
        )
        .order_by("-customer_count", "-pk")
        .first()
    )


def gone_customers(run: BillRun, earlier: BillRun) -> QuerySet[BillRunCustomer]:
    """Rows of the earlier run whose customers it billed and this one does not have."""
    here = BillRunCustomer.objects.filter(run=run, customer_id=OuterRef("customer_id"))
    return (
        earlier.customers.filter(status=BillRunCustomerStatus.FINALIZED).exclude(Exists(here)).order_by("pk")
    )


def note_customer_figures(*, rows: Sequence[BillRunCustomer]) -> None:
    """Note on drafted rows of one run what they come to, what the last invoices did, and why to look.

    A fixed number of queries for a chunk. Drafts in more than one currency are rare: the largest sum is the row's.
    """
    drafted = [row for row in rows if row.status == BillRunCustomerStatus.DRAFTED]
    if not drafted:
        return
    invoices = list(
        Invoice.objects.filter(
            bill_run_id=drafted[0].run_id,
            customer_id__in=[row.customer_id for row in drafted],
            status=InvoiceStatus.DRAFT,
        )
        .select_related("subscription__plan_version__plan")
        .prefetch_related("lines")
        .order_by("pk")
    )
    by_customer: dict[int, list[Compared]] = defaultdict(list)
    for compared in compare(invoices):
        by_customer[compared.invoice.customer_id].append(compared)
    for row in drafted:
        _note(row, by_customer[row.customer_id])
    BillRunCustomer.objects.bulk_update(
        drafted,
        [
            *("invoice_count", "currency", "total_minor", "last_total_minor", "other_totals"),
            *("flags", "flag_notes", "plans"),
        ],
    )


def _note(row: BillRunCustomer, compared: list[Compared]) -> None:
    totals: dict[str, int] = defaultdict(int)
    lasts: dict[int, Invoice] = {}
    plans: dict[str, None] = {}
    for one in compared:
        totals[one.invoice.currency] += one.invoice.total_minor
        if one.last is not None:
            lasts[one.last.pk] = one.last
        if one.invoice.subscription is not None:
            plans[one.invoice.subscription.plan_version.plan.code] = None
    currency = max(totals, key=lambda code: totals[code], default="")
    same = [last.total_minor for last in lasts.values() if last.currency == currency]
    row.invoice_count, row.currency, row.plans = len(compared), currency, list(plans)
    row.total_minor = totals.pop(currency, 0)
    row.last_total_minor = sum(same) if same else None
    row.other_totals = dict(totals)
    row.flag_notes = flags_of(
        compared, total_minor=row.total_minor, last_minor=row.last_total_minor, currency=currency
    )
    row.flags = sorted(row.flag_notes)
