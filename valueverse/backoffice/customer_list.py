"""The list of customers with what they have and owe: each column is asked for once per page, never per row."""

from collections import defaultdict
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.http import HttpRequest

from billing.core.lifecycles import InvoiceStatus, SubscriptionStatus
from billing.invoices.admin import SETTLED
from billing.invoices.models import BillRunCustomer, BillRunCustomerStatus, Invoice
from billing.platform import display
from billing.platform.clock import now
from billing.platform.lists.filters import Control, CurrencyFilter, ListFilter, instant_range, text_is
from billing.platform.lists.totals import Totals
from billing.reports.recurring import mrr_of_customers
from billing.subscriptions.models import Subscription
from customers.admin import CustomerAdmin
from customers.models import CollectionMethod, Customer
from customers.selectors import today_of
from payments.models import PaymentMethod

OWED = Sum(F("total_minor") - SETTLED)
"""What is open of the invoices of a group."""


def open_invoices() -> QuerySet[Invoice]:
    """Finalized invoices of which something is open."""
    return Invoice.objects.filter(status=InvoiceStatus.FINALIZED, total_minor__gt=SETTLED).order_by()


def is_late() -> Q:
    """The condition that an invoice is past due, by its customer's clock."""
    return Q(due_on__lt=today_of(customer="customer", legal_entity="legal_entity", at=now()))


def parked() -> QuerySet[BillRunCustomer]:
    """Customers' last place in a run, where that is parked."""
    later = BillRunCustomer.objects.filter(customer=OuterRef("customer"), pk__gt=OuterRef("pk"))
    return BillRunCustomer.objects.filter(~Exists(later), status=BillRunCustomerStatus.PARKED)


class _YesFilter(ListFilter):
    """One condition, asked for by yes."""

    words = ""

    def understand(self) -> None:
        (name,) = self.parameters
        if self.given.get(name, "yes") != "yes":
            self.problems[name] = f"“{self.given[name][:60]}” is not one of: yes."

    def controls(self) -> list[Control]:
        (name,) = self.parameters
        options = (("yes", self.words),)
        return [Control(name, self.title, self.given.get(name, ""), options, self.problems.get(name, ""))]

    def in_words(self) -> str:
        return self.words


class OverdueFilter(_YesFilter):
    title, parameters, words = "Overdue", ("overdue",), "Something is overdue"

    def condition(self) -> Q:
        return Q(pk__in=open_invoices().filter(is_late()).values("customer"))


class ParkedFilter(_YesFilter):
    title, parameters, words = "Parked", ("parked",), "Parked in their last bill run"

    def condition(self) -> Q:
        return Q(pk__in=parked().values("customer"))


class CustomerStateFilter(ListFilter):
    """Whether they subscribe: now, no longer, or not yet."""

    title = "State"
    parameters = ("state",)
    options = (("active", "Active"), ("ended", "Ended"), ("new", "No subscription yet"))

    def understand(self) -> None:
        if self.given.get("state", "active") not in dict(self.options):
            self.problems["state"] = f"“{self.given['state'][:60]}” is not one of: active, ended, new."

    def condition(self) -> Q:
        every = Subscription.objects.filter(customer=OuterRef("pk"))
        live = Exists(every.exclude(status=SubscriptionStatus.CANCELED))
        if self.given["state"] == "active":
            return Q(live)
        return ~Q(live) & (Q(Exists(every)) if self.given["state"] == "ended" else ~Q(Exists(every)))

    def controls(self) -> list[Control]:
        return [
            Control(
                "state", self.title, self.given.get("state", ""), self.options, self.problems.get("state", "")
            )
        ]

    def in_words(self) -> str:
        return f"State: {dict(self.options)[self.given['state']]}"


class CustomerList(CustomerAdmin):
    """Customers with plan, open and overdue amounts, method and state."""

    list_display = [
        "name", "external_id", "plans", "mrr_figure", "open_figure", "overdue_figure", "method", "state_pill"
    ]  # fmt: skip
    list_filter = [
        CustomerStateFilter,
        OverdueFilter,
        ParkedFilter,
        "legal_entity",
        CurrencyFilter,
        "collection_method",
        text_is("country", "Country", "Like DE."),
        instant_range("created_at", "Created"),
    ]
    list_amounts: ClassVar = {"mrr_figure": None, "open_figure": None, "overdue_figure": None}
    list_help = "Open and overdue are what invoices ask for, by each customer's own clock."
    ordering = ("-pk",)

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        keys = [row.pk for row in rows]
        plans, live = defaultdict(list), set()
        subscribed = Subscription.objects.filter(customer__in=keys).order_by("pk")
        for key, status, plan in subscribed.values_list("customer", "status", "plan_version__plan__name"):
            plans[key].append((status, plan))
            if status != SubscriptionStatus.CANCELED:
                live.add(key)
        owed: dict[Any, dict[str, tuple[int, int]]] = defaultdict(dict)
        sums = open_invoices().filter(customer__in=keys).values_list("customer", "currency")
        for key, currency, left, late in sums.annotate(
            left=OWED, late=Sum(F("total_minor") - SETTLED, filter=is_late())
        ):
            owed[key][currency] = (int(left or 0), int(late or 0))
        methods = PaymentMethod.objects.filter(customer__in=keys, is_default=True, detached_at=None)
        labels = dict(methods.values_list("customer", "label"))
        held = set(parked().filter(customer__in=keys).values_list("customer", flat=True))
        recurring = mrr_of_customers(keys)
        for row in rows:
            row.listed_mrr = recurring[row.pk]
            found = plans[row.pk]
            row.listed_plans = ", ".join(
                dict.fromkeys(plan for status, plan in found if status != SubscriptionStatus.CANCELED)
            )
            row.listed_owed = owed[row.pk]
            row.listed_method = labels.get(row.pk, "")
            row.listed_state = (
                "parked" if row.pk in held else "active" if row.pk in live else "ended" if found else "new"
            )

    def totals(self, request: HttpRequest, rows: QuerySet[Any]) -> list[Totals]:
        count = rows.order_by().values("pk").count()
        theirs = open_invoices().filter(customer__in=rows.order_by().values("pk")).values_list("currency")
        sums = theirs.annotate(left=OWED, late=Sum(F("total_minor") - SETTLED, filter=is_late()))
        return [
            Totals(count, currency, {"open_figure": int(left or 0), "overdue_figure": int(late or 0)})
            for currency, left, late in sorted(sums)
        ] or [Totals(count)]

    @admin.display(description="Plan")
    def plans(self, row: Customer) -> Any:
        return getattr(row, "listed_plans", "")

    def _owed(self, row: Customer, index: int) -> display.Cell:
        found: dict[str, tuple[int, int]] = getattr(row, "listed_owed", {})
        own = display.Amount(found.get(row.currency, (0, 0))[index], row.currency)
        others = [
            display.Amount(amounts[index], currency)
            for currency, amounts in sorted(found.items())
            if currency != row.currency and amounts[index]
        ]
        return display.amounts_cell([own, *others])

    @admin.display(description="MRR")
    def mrr_figure(self, row: Customer) -> display.Cell:
        found: dict[str, int] = getattr(row, "listed_mrr", {})
        own = display.Amount(found.get(row.currency, 0), row.currency)
        others = [
            display.Amount(minor, code) for code, minor in sorted(found.items()) if code != row.currency
        ]
        return display.amounts_cell([own, *others])

    mrr_figure.is_multi = True  # type: ignore[attr-defined]  # a customer may subscribe in several currencies

    @admin.display(description="Open")
    def open_figure(self, row: Customer) -> display.Cell:
        return self._owed(row, 0)

    @admin.display(description="Overdue")
    def overdue_figure(self, row: Customer) -> display.Cell:
        return self._owed(row, 1)

    open_figure.is_multi = True  # type: ignore[attr-defined]  # a customer may owe in several currencies
    overdue_figure.is_multi = True  # type: ignore[attr-defined]  # as above

    @admin.display(description="Method")
    def method(self, row: Customer) -> Any:
        if row.collection_method == CollectionMethod.SEND_INVOICE:
            return "Transfer"
        return getattr(row, "listed_method", "") or "None on file"

    @admin.display(description="State")
    def state_pill(self, row: Customer) -> display.Cell:
        words = {"ended": "Ended", "new": "New"}
        state = getattr(row, "listed_state", "new")
        return display.pill(state, word=words.get(state, ""))
