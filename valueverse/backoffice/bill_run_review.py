"""Reviewing a run: its customers as a list that filters and pages, and one of them beside the last invoice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django import forms
from django.db.models import Count, F, Q, QuerySet, Sum

from billing.catalog.models import Plan
from billing.core.errors import InvalidMoney
from billing.core.lifecycles import BillRunStatus
from billing.core.money import parse_major
from billing.invoices.comparing import Compared, compare
from billing.invoices.models import BillRun, BillRunCustomer, BillRunCustomerStatus, Invoice, ReviewFlag
from billing.invoices.services import gone_customers
from billing.platform import display
from billing.subscriptions.models import Subscription

ROWS = 50
PLANS_MAX = 200
DRAFTED, EXCLUDED = BillRunCustomerStatus.DRAFTED, BillRunCustomerStatus.EXCLUDED

FLAGGED = ~Q(flags=[]) & ~Q(status=EXCLUDED)
TABS: dict[str, tuple[str, Q]] = {
    "all": ("All", Q()),
    "flagged": ("Flagged", FLAGGED),
    "to_look": ("Not looked at", Q(status=DRAFTED, looked_at=None)),
    "new": ("New", Q(flags__contains=[ReviewFlag.FIRST_INVOICE]) & ~Q(status=EXCLUDED)),
    "held": ("Held", Q(status=BillRunCustomerStatus.HELD)),
    "excluded": ("Excluded", Q(status=EXCLUDED)),
    "failed": ("Failed", Q(status=BillRunCustomerStatus.PARKED)),
}
GONE = "gone"
ORDERS: dict[str, tuple[Any, ...]] = {
    "amount": (F("total_minor").desc(), "pk"),
    "change": ((F("total_minor") - F("last_total_minor")).desc(nulls_last=True), "pk"),
    "customer": ("customer__name", "pk"),
}
FLAG_WORDS = {str(flag): flag.label for flag in ReviewFlag}
SHORT_FLAGS = {
    "off": ">30 %",
    "first_invoice": "First",
    "no_usage": "No usage",
    "price_changed": "Price",
    "tax_changed": "Tax",
}


class AmountField(forms.CharField):
    """An amount in major units; which currency it is in, the rows say."""

    def clean(self, value: Any) -> str:
        text = str(super().clean(value) or "").strip().replace(",", "")
        if text:
            try:
                Decimal(text)
            except ArithmeticError as error:
                raise forms.ValidationError("An amount like 1234.56.") from error
        return text


class FilterForm(forms.Form):
    """What of the run to show; everything is in the address, so that it can be passed on."""

    q = forms.CharField(required=False, max_length=120, label="Search")
    flag = forms.ChoiceField(required=False, label="Flag", choices=[("", "Any flag"), *ReviewFlag.choices])
    status = forms.ChoiceField(
        required=False, label="State", choices=[("", "Any state"), *BillRunCustomerStatus.choices]
    )
    plan = forms.CharField(required=False, max_length=60, label="Plan")
    low = AmountField(required=False, max_length=24, label="From amount")
    high = AmountField(required=False, max_length=24, label="To amount")
    sort = forms.ChoiceField(
        required=False,
        label="Order",
        choices=[("amount", "Largest first"), ("change", "Most increased first"), ("customer", "By name")],
    )


class HoldForm(forms.Form):
    """Why, and until when."""

    reason = forms.CharField(
        max_length=500,
        label="Why is it held?",
        help_text="Everybody who sees the hold reads this.",
        error_messages={"required": "Say why: the next person who sees the hold has to know."},
    )
    until_on = forms.DateField(
        required=False,
        label="Until (optional)",
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text="The first day it is billed again. Empty: until somebody releases it.",
        error_messages={"invalid": "A day like 2024-01-15."},
    )


class ExcludeForm(forms.Form):
    """Why."""

    reason = forms.CharField(
        max_length=500,
        label="Why is it left out of this run?",
        error_messages={"required": "Say why: the next person who sees the run has to know."},
    )


@dataclass(frozen=True, slots=True)
class Sums:
    """Figures of the filtered set in one currency, in minor units."""

    currency: str
    customers: int
    total_minor: int
    last_minor: int

    @property
    def change_minor(self) -> int:
        return self.total_minor - self.last_minor


@dataclass(slots=True)
class Review:
    """One page of a run's customers as asked for in the address."""

    run: BillRun
    form: FilterForm
    tab: str
    page: int
    asked: dict[str, str]
    counts: dict[str, int] = field(default_factory=dict)
    rows: list[BillRunCustomer] = field(default_factory=list)
    found: int = 0
    sums: list[Sums] = field(default_factory=list)

    @property
    def pages(self) -> int:
        return max(-(-self.found // ROWS), 1)

    @property
    def is_filtered(self) -> bool:
        return any(self.asked.get(name) for name in self.form.fields if name != "sort")

    @property
    def currencies(self) -> list[str]:
        """What the amounts on this page are in; one is named in the header, of more each row names its own."""
        codes = {row.currency for row in self.rows} | {one.currency for one in self.sums}
        codes.update(code for row in self.rows for code in row.other_totals)
        return sorted(codes - {""})

    @property
    def first(self) -> int:
        return (self.page - 1) * ROWS + 1

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1

    def address(self, **changes: Any) -> str:
        """This view's address with some of its parameters changed; None leaves one out."""
        given = {**self.asked, **{name: str(value) for name, value in changes.items() if value is not None}}
        for name, value in changes.items():
            if value is None:
                given.pop(name, None)
        return "?" + urlencode({name: value for name, value in given.items() if value})

    def next_of(self, row: BillRunCustomer | None) -> str:
        """Where the focus goes after something was done to a row: the next one, never the top."""
        ids = [each.pk for each in self.rows]
        place = ids.index(row.pk) if row is not None and row.pk in ids else -1
        if row is not None and place + 1 < len(ids):
            return self.address(row=ids[place + 1])
        if self.page < self.pages:
            return self.address(p=self.page + 1, row=None)
        return self.address(row=row.pk if row else None)

    @property
    def tabs(self) -> list[tuple[str, str, int, str]]:
        """Code, word, count and address of each tab; those that would be empty are left out, but for the first."""
        shown = [(code, word) for code, (word, _) in TABS.items()]
        shown.append((GONE, "Gone"))
        return [
            (code, word, self.counts[code], "?" + urlencode({"tab": code} if code != "all" else {}))
            for code, word in shown
            if self.counts[code] or code in ("all", self.tab)
        ]


def read_review(run: BillRun, given: Mapping[str, str]) -> Review:
    """The page of a run's customers that an address asks for. Five queries, whatever their number."""
    form = FilterForm(
        {name: given.get(name, "") for name in FilterForm.base_fields}
        | {"sort": given.get("sort") or "amount"}
    )
    tab = given.get("tab", "all")
    tab = tab if tab in TABS or tab == GONE else "all"
    number = given.get("p", "1")
    page = int(number) if number.isdecimal() and len(number) < 7 and int(number) else 1
    asked = {
        name: value for name, value in given.items() if name in {*form.fields, "tab", "p", "row"} and value
    }
    review = Review(run, form, tab, page, asked)
    review.counts = tab_counts(run)
    if tab == GONE:
        found = gone_customers(run, run.compared_with) if run.compared_with else run.customers.none()
        review.found = run.gone_count
        review.rows = list(found.select_related("customer")[(page - 1) * ROWS : page * ROWS])
        return review
    found = chosen(run, form, tab)
    sums = (
        found.order_by()
        .exclude(currency="")
        .exclude(status=EXCLUDED)
        .values("currency")
        .annotate(customers=Count("pk"), total=Sum("total_minor"), last=Sum("last_total_minor"))
    )
    review.sums = [
        Sums(row["currency"], row["customers"], int(row["total"]), int(row["last"] or 0))
        for row in sums.order_by("currency")
    ]
    review.found = review.counts[tab] if not _is_narrowed(form) else found.order_by().count()
    review.page = min(page, review.pages)
    order = ORDERS[(form.cleaned_data.get("sort") if form.is_valid() else "") or "amount"]
    start = (review.page - 1) * ROWS
    ids = list(found.order_by(*order).values_list("pk", flat=True)[start : start + ROWS])
    rows = run.customers.select_related("customer", "hold").in_bulk(
        ids
    )  # a late page skips over an index alone
    review.rows = [rows[pk] for pk in ids if pk in rows]
    return review


def tab_counts(run: BillRun) -> dict[str, int]:
    """How many customers stand behind each tab: one query."""
    counts: dict[str, int] = run.customers.order_by().aggregate(
        **{
            code: Count("pk", filter=condition) if condition else Count("pk")
            for code, (_, condition) in TABS.items()
        }
    )
    return {**counts, GONE: run.gone_count}


def _is_narrowed(form: FilterForm) -> bool:
    return form.is_valid() and any(form.cleaned_data[name] for name in form.fields if name != "sort")


def chosen(run: BillRun, form: FilterForm, tab: str) -> QuerySet[BillRunCustomer]:
    """The customers of a run that a tab and a filter leave; of a filter that makes no sense, none."""
    found = run.customers.filter(TABS[tab][1])
    if not form.is_valid():
        return found.none()
    asked = form.cleaned_data
    if asked["flag"]:
        found = found.filter(flags__contains=[asked["flag"]])
    if asked["status"]:
        found = found.filter(status=asked["status"])
    if asked["plan"]:
        found = found.filter(plans__contains=[asked["plan"]])
    for name, comparison in (("low", "gte"), ("high", "lte")):
        if asked[name]:
            found = found.filter(_amounts(run, asked[name], comparison))
    text = asked["q"].replace("\0", "").strip()
    if text:
        found = found.filter(
            Q(customer__name__icontains=text) | Q(customer__external_id=text) | Q(customer__public_id=text)
        )
    return found


def _amounts(run: BillRun, text: str, comparison: str) -> Q:
    """An amount means so much in each of the run's currencies; one with too many decimals for it means nothing."""
    condition = Q(pk=None)
    for currency in run.figures.get("totals", {}):
        try:
            minor = parse_major(text, currency)
        except InvalidMoney:
            continue
        condition |= Q(currency=currency, **{f"total_minor__{comparison}": minor})
    return condition


def plan_choices() -> list[tuple[str, str]]:
    """Plans to filter by."""
    return list(Plan.objects.order_by("name").values_list("code", "name")[:PLANS_MAX])


@dataclass(frozen=True, slots=True)
class Pair:
    """A customer of a run: its drafts, each beside the last invoice, and what may be done about it."""

    row: BillRunCustomer
    drafts: list[Compared]
    cause: str
    may_change: bool
    may_retry: bool


def read_pair(row: BillRunCustomer) -> Pair:
    """Everything the right half shows, in a fixed number of queries."""
    invoices = list(
        Invoice.objects.filter(bill_run_id=row.run_id, customer_id=row.customer_id)
        .select_related("subscription__plan_version__plan", "customer")
        .prefetch_related("lines", "taxes")
        .order_by("pk")
    )
    in_review = row.run.status == BillRunStatus.IN_REVIEW
    retried_later = row.run.status in (BillRunStatus.FINALIZING, BillRunStatus.COMPLETED) and bool(invoices)
    return Pair(
        row,
        compare(invoices),
        cause_of(row),
        in_review,
        row.status == BillRunCustomerStatus.PARKED and (in_review or retried_later),
    )


def cause_of(row: BillRunCustomer) -> str:
    """The page on which what keeps a customer from being billed is put right; empty if nothing does."""
    if row.status != BillRunCustomerStatus.PARKED:
        return ""
    if row.error_code == "too_many_moments":
        subscription = (
            Subscription.objects.filter(customer_id=row.customer_id).order_by("next_billing_at").first()
        )
        return display.page_of(subscription or row.customer)
    if row.error_code == "incomplete_document" and "seller" in row.error_message.lower():
        return display.page_of(row.customer.legal_entity)
    return display.page_of(row.customer)


def why_gone(rows: list[BillRunCustomer]) -> dict[int, str]:
    """For customers that the last run billed and this one does not: what became of them. One query."""
    reasons: dict[int, str] = {}
    found = Subscription.objects.filter(customer_id__in=[row.customer_id for row in rows]).order_by(
        "next_billing_at"
    )
    for subscription in found.only("customer_id", "status", "cancel_at", "next_billing_at"):
        if subscription.next_billing_at is not None:
            reasons[subscription.customer_id] = f"next due {subscription.next_billing_at:%Y-%m-%d}"
        elif subscription.cancel_at is not None:
            reasons.setdefault(subscription.customer_id, f"ended {subscription.cancel_at:%Y-%m-%d}")
    return reasons


def safe_address(text: str) -> str:
    """A query string that came back from a form, reduced to what a review's address may hold."""
    known = {*FilterForm.base_fields, "tab", "p", "row"}
    return "?" + urlencode([(name, value) for name, value in parse_qsl(text.lstrip("?")) if name in known])
