"""What search looks for: each kind of row, who may see it, and the questions that find it, exact ones first.

Every question is answered by an index: equality, the beginning of a text (`text_pattern_ops` over lower case), the
beginnings of its words (full-text search with the configuration `simple`), its end (over the reversed text), or an
amount in a currency. No extension of PostgreSQL is needed.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import Model, Q, QuerySet
from django.db.models.functions import Lower, Reverse

from billing.catalog.models import Meter, Plan, PlanVersion
from billing.invoices.models import BillRun, CreditNote, Invoice
from billing.platform import display
from billing.subscriptions.models import Subscription
from customers.models import (
    Contact,
    Customer,
    CustomerTaxId,
    LegalEntity,
    NumberCounter,
    PortalMembership,
    User,
)
from payments.gateways import gateway_codes
from payments.models import Payment, PaymentMethod
from valueverse.backoffice.search.terms import Term

PER_KIND = 5
CURRENCIES_MAX = 20

Rows = QuerySet[Any]
Step = tuple[bool, Rows]
"""Whether what it finds is exactly what was asked for, and the rows."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found. exact: it is called exactly what was typed."""

    title: str
    detail: str
    url: str
    icon: str
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of row: its name in the plural, its icon, the right to see it, and how it is found and told."""

    label: str
    icon: str
    permission: str
    steps: Callable[[Term], Iterable[Step]]
    detail: Callable[[Any], str]
    title: Callable[[Any], str] = str

    def find(self, term: Term) -> list[Hit]:
        """Up to PER_KIND rows, exact ones first, newest first among equals."""
        found: dict[int, Hit] = {}
        for is_exact, rows in self.steps(term):
            for row in rows[:PER_KIND]:
                found.setdefault(row.pk, self.hit(row, is_exact))
            if len(found) >= PER_KIND:
                break
        return list(found.values())[:PER_KIND]

    def exact(self, term: Term) -> Model | None:
        """The row that is called exactly this, if there is one."""
        for is_exact, rows in self.steps(term):
            row: Model | None = rows.first() if is_exact else None
            if row is not None:
                return row
        return None

    def hit(self, row: Any, is_exact: bool) -> Hit:
        return Hit(self.title(row), self.detail(row), display.page_of(row), self.icon, is_exact)


def begins(rows: Rows, column: str, text: str) -> Rows:
    """Rows whose column begins with the text, in any case, in alphabetical order."""
    lowered = f"lower_{column}"
    lower = rows.annotate(**{lowered: Lower(column)})
    found: Rows = lower.filter(**{f"{lowered}__startswith": text}).order_by(lowered)
    return found


def is_lower(rows: Rows, column: str, text: str) -> Rows:
    """Rows whose column is the text, in any case."""
    lower = rows.annotate(**{f"lower_{column}": Lower(column)})
    found: Rows = lower.filter(**{f"lower_{column}": text}).order_by("-pk")
    return found


def of_amount(rows: Rows, column: str, term: Term) -> Iterator[Step]:
    """Rows of the amount in any currency of the books, newest first."""
    if term.amounts:
        for currency, minor in term.minors(currencies()):
            yield True, rows.filter(**{"currency": currency, column: minor}).order_by("-pk")


def currencies() -> list[str]:
    """The currencies that documents and payments can be in."""
    books = LegalEntity.objects.order_by().values_list("accounting_currency", flat=True).distinct()
    prices = PlanVersion.objects.order_by().values_list("currency", flat=True).distinct()
    return sorted({*books[:CURRENCIES_MAX], *prices[:CURRENCIES_MAX]})


def by_public_id(rows: Rows, prefix: str, term: Term) -> Iterator[Step]:
    """The row with this id, and those whose id begins with it."""
    if term.is_public_id and term.lower.startswith(f"{prefix}_"):
        yield True, rows.filter(public_id=term.lower)
        yield False, rows.filter(public_id__startswith=term.lower).order_by("public_id")


NAME_WORDS = SearchVector("name", "legal_name", config="simple")


def _customers(term: Term) -> Iterator[Step]:
    rows = Customer.objects.only("name", "external_id", "public_id")
    if term.is_public_id:
        yield from by_public_id(rows, "cus", term)
    yield True, rows.filter(external_id=term.text)
    yield True, is_lower(rows, "name", term.lower)
    if "@" in term.text:
        contacts = begins(Contact.objects.all(), "email", term.lower).values("customer_id")[:PER_KIND]
        yield False, rows.filter(pk__in=list(contacts.values_list("customer_id", flat=True)))
        people = PortalMembership.objects.annotate(mail=Lower("user__email")).filter(mail=term.lower)
        yield False, rows.filter(pk__in=people.values("customer_id"))
    if term.tail:
        yield (
            True,
            rows.filter(pk__in=CustomerTaxId.objects.filter(vat_number=term.tail.upper()).values("customer")),
        )
    yield False, begins(rows, "external_id", term.lower)
    yield False, begins(rows, "name", term.lower)
    if term.words:
        query = " & ".join(f"'{word}':*" for word in term.words)
        found = SearchQuery(query, config="simple", search_type="raw")
        yield False, rows.annotate(name_words=NAME_WORDS).filter(name_words=found)


def _subscriptions(term: Term) -> Iterator[Step]:
    rows = Subscription.objects.select_related("customer", "plan_version__plan")
    yield from by_public_id(rows, "sub", term)
    yield True, rows.filter(external_id=term.text).order_by("-pk")
    yield False, begins(rows, "external_id", term.lower)


def _numbered(rows: Rows, term: Term) -> Iterator[Step]:
    yield True, is_lower(rows, "number", term.lower)
    if term.number:
        # The running number alone: the newest year first. Counters are few, so this is a handful of look-ups.
        counters = NumberCounter.objects.order_by("-year").values_list("series", "year")
        places = Q()
        for series, year in counters[:50]:
            places |= Q(series=series, series_year=year, series_number=term.number)
        if places:
            yield True, rows.filter(places).order_by("-pk")
    yield False, begins(rows, "number", term.lower)
    yield from of_amount(rows, "total_minor", term)


_DOCUMENT = ("number", "public_id", "status", "issued_on", "total_minor", "currency", "customer__name")


def _invoices(term: Term) -> Iterator[Step]:
    rows = Invoice.objects.select_related("customer").only(*_DOCUMENT)
    yield from by_public_id(rows, "inv", term)
    if term.is_public_id:
        yield True, rows.filter(lines__public_id=term.lower)
    else:
        yield from _numbered(rows, term)


def _credit_notes(term: Term) -> Iterator[Step]:
    rows = CreditNote.objects.select_related("customer").only(*_DOCUMENT)
    yield from by_public_id(rows, "crn", term)
    if term.is_public_id:
        yield True, rows.filter(lines__public_id=term.lower)
    else:
        yield from _numbered(rows, term)


def _payments(term: Term) -> Iterator[Step]:
    rows = Payment.objects.select_related("customer").only(
        "public_id", "status", "received_on", "amount_minor", "currency", "reference", "customer__name"
    )
    yield from by_public_id(rows, "pay", term)
    if term.is_public_id:
        yield True, rows.filter(refunds__public_id=term.lower)
        yield True, rows.filter(allocations__public_id=term.lower)
        return
    yield True, rows.filter(gateway__in=gateway_codes(), gateway_ref=term.text)
    yield False, begins(rows.exclude(reference=""), "reference", term.lower)
    yield from of_amount(rows, "amount_minor", term)


def _methods(term: Term) -> Iterator[Step]:
    rows = PaymentMethod.objects.select_related("customer")
    yield from by_public_id(rows, "pmt", term)
    if term.tail:
        backwards = rows.annotate(backwards=Reverse("label"))
        yield False, backwards.filter(backwards__startswith=term.tail[::-1]).order_by("-pk")


def _runs(term: Term) -> Iterator[Step]:
    yield from by_public_id(BillRun.objects.all(), "run", term)


def _entities(term: Term) -> Iterator[Step]:
    rows = LegalEntity.objects.order_by("pk")  # a handful
    yield from by_public_id(rows, "ent", term)
    yield True, rows.filter(name__iexact=term.text)
    yield False, rows.filter(name__icontains=term.text)
    if term.tail:
        yield False, rows.filter(iban__endswith=term.tail.upper())


def _plans(term: Term) -> Iterator[Step]:
    rows = Plan.objects.order_by("-pk")  # as many as somebody maintains by hand
    yield from by_public_id(rows, "pln", term)
    yield True, rows.filter(Q(code__iexact=term.text) | Q(name__iexact=term.text))
    yield False, rows.filter(Q(code__icontains=term.text) | Q(name__icontains=term.text))


def _meters(term: Term) -> Iterator[Step]:
    rows = Meter.objects.order_by("-pk")
    yield from by_public_id(rows, "mtr", term)
    yield True, rows.filter(code=term.text)
    yield False, rows.filter(Q(code__icontains=term.text) | Q(name__icontains=term.text))


def _people(term: Term) -> Iterator[Step]:
    rows = User.objects.only("name", "email", "public_id", "is_staff")
    yield from by_public_id(rows, "usr", term)
    yield True, is_lower(rows, "email", term.lower)
    yield False, begins(rows, "email", term.lower)
    yield False, begins(rows.filter(is_staff=True), "name", term.lower)


def _document_detail(row: Any) -> str:
    day = f"{row.issued_on:%Y-%m-%d}" if row.issued_on else "not issued"
    state = display.WORDS.get(row.status, row.status.capitalize())
    return f"{day}, {display.amount(row.total_minor, row.currency)}, {state}, {row.customer.name}"


def _payment_detail(row: Any) -> str:
    day = f"{row.received_on:%Y-%m-%d}" if row.received_on else "not received"
    state = display.WORDS.get(row.status, row.status.replace("_", " ").capitalize())
    return f"{day}, {state}, {row.customer.name}, {row.reference or row.public_id}"


KINDS: tuple[Kind, ...] = (
    Kind(
        "Customers",
        "apartment",
        "customers.view_customer",
        _customers,
        lambda row: row.external_id or row.public_id,
    ),
    Kind(
        "Invoices",
        "receipt_long",
        "invoices.view_invoice",
        _invoices,
        _document_detail,
        lambda row: row.number or "Draft",
    ),
    Kind(
        "Credit notes",
        "undo",
        "invoices.view_creditnote",
        _credit_notes,
        _document_detail,
        lambda row: row.number or "Draft",
    ),
    Kind(
        "Payments",
        "payments",
        "payments.view_payment",
        _payments,
        _payment_detail,
        lambda row: display.amount(row.amount_minor, row.currency),
    ),
    Kind(
        "Subscriptions",
        "autorenew",
        "subscriptions.view_subscription",
        _subscriptions,
        lambda row: f"{row.external_id or row.public_id}, {row.status}",
    ),
    Kind(
        "Payment methods",
        "credit_card",
        "payments.view_paymentmethod",
        _methods,
        lambda row: row.customer.name,
    ),
    Kind(
        "Bill runs",
        "fact_check",
        "invoices.view_billrun",
        _runs,
        lambda row: f"as of {row.as_of:%Y-%m-%d}, {display.WORDS.get(row.status, row.status)}",
        lambda row: row.public_id,
    ),
    Kind("Plans", "list_alt", "catalog.view_plan", _plans, lambda row: row.code, lambda row: row.name),
    Kind("Meters", "speed", "catalog.view_meter", _meters, lambda row: row.name, lambda row: row.code),
    Kind(
        "Legal entities",
        "corporate_fare",
        "customers.view_legalentity",
        _entities,
        lambda row: f"{row.country}, {row.accounting_currency}",
    ),
    Kind(
        "People",
        "group",
        "customers.view_user",
        _people,
        lambda row: row.email,
        lambda row: row.name or row.email,
    ),
)
