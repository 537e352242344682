"""Pages of the books that belong to no single row: the trial balance of any day, and an account's statement."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.core.paginator import Page, Paginator
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from billing.core.money import to_major
from billing.core.postings import ROLE_NAMES, Role
from billing.invoices.models import CreditNoteLine, InvoiceLine
from billing.ledger.selectors import AccountStatement, account_statement, trial_balance
from billing.platform import display
from customers.models import Customer, LegalEntity
from customers.selectors import now_for_seller
from valueverse.backoffice.csv_files import csv_response, xlsx_response
from valueverse.backoffice.usage_forms import day_field

ROWS = 100


def _entity() -> forms.ModelChoiceField[LegalEntity]:
    return forms.ModelChoiceField(
        LegalEntity.objects.order_by("pk"),
        label="Legal entity",
        empty_label=None,
        error_messages={"invalid_choice": "There is no such legal entity. Choose one of the list."},
    )


class BalanceForm(forms.Form):
    """Whose books, as of when, and beside which other day."""

    entity = _entity()
    as_of = day_field("As of the end of")
    compare = day_field("Compare with", required=False)


class StatementForm(forms.Form):
    """Whose books, which days, and of which customer."""

    entity = _entity()
    start_on = day_field("From")
    as_of = day_field("To the end of")
    customer = forms.CharField(required=False, max_length=36, widget=forms.HiddenInput)

    def clean_customer(self) -> Customer | None:
        given = self.cleaned_data["customer"]
        if not given:
            return None
        found = Customer.objects.filter(public_id=given).first()
        if found is None:
            raise forms.ValidationError("There is no such customer. Follow the link again.")
        return found

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("start_on") and given.get("as_of") and given["start_on"] > given["as_of"]:
            self.add_error("as_of", "The last day is before the first.")
        return given


def filled_in(request: HttpRequest) -> dict[str, Any]:
    """What the address says, and what it leaves out: the first entity, today by its clock, its month so far."""
    first = LegalEntity.objects.order_by("pk").first()
    given = request.GET.copy()
    if first is not None:
        given.setdefault("entity", str(first.pk))
        chosen = str(given["entity"])
        entity = (
            LegalEntity.objects.filter(pk=int(chosen)).first()
            if chosen.isdecimal() and len(chosen) < 19
            else None
        )
        given.setdefault("as_of", f"{now_for_seller(entity or first):%Y-%m-%d}")
        given.setdefault("start_on", f"{given['as_of'][:7]}-01")
    return given


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """A role's balance, in minor units, and how it differs from the one of the other day (None: not compared)."""

    role: str
    name: str
    gl_codes: str
    balance_minor: int
    before_minor: int | None

    @property
    def debit_minor(self) -> int:
        return max(self.balance_minor, 0)

    @property
    def credit_minor(self) -> int:
        return max(-self.balance_minor, 0)

    @property
    def change_minor(self) -> int:
        return self.balance_minor - (self.before_minor or 0)


def balance_rows(entity: LegalEntity, as_of: date, compare: date | None) -> list[BalanceRow]:
    """The trial balance of a day; with another day, the roles of both."""
    rows = {row.role: row for row in trial_balance(legal_entity=entity, as_of=as_of)}
    before = {row.role: row for row in trial_balance(legal_entity=entity, as_of=compare)} if compare else {}
    made = []
    for role in sorted({*rows, *before}):
        here, there = rows.get(role), before.get(role)
        known = here or there
        assert known is not None
        made.append(
            BalanceRow(
                role,
                known.name,
                ", ".join(known.gl_codes),
                here.balance_minor if here else 0,
                (there.balance_minor if there else 0) if compare else None,
            )
        )
    return made


def file_rows(entity: LegalEntity, as_of: date, compare: date | None) -> Iterator[tuple[Any, ...]]:
    """Header and rows of the trial balance; amounts as Decimal in major units."""
    currency = entity.accounting_currency
    header = ("role", "gl_code", "account", "debit", "credit", "balance", "currency", "as_of")
    yield (*header, f"balance_{compare}", "change") if compare else header
    for row in balance_rows(entity, as_of, compare):
        figures = (row.debit_minor, row.credit_minor, row.balance_minor)
        amounts: tuple[Decimal, ...] = tuple(to_major(minor, currency) for minor in figures)
        line = (row.role, row.gl_codes, row.name, *amounts, currency, as_of.isoformat())
        beside = (row.before_minor or 0, row.change_minor)
        yield (*line, *(to_major(minor, currency) for minor in beside)) if compare else line


class StatementPages(Paginator):  # type: ignore[type-arg]
    """Pages of an account; the balances go on from page to page."""

    def __init__(self, **question: Any) -> None:
        self.question = question
        self.found: AccountStatement | None = None
        super().__init__([], ROWS)

    @property
    def count(self) -> int:
        return self.read(0).count

    def read(self, offset: int) -> AccountStatement:
        return account_statement(**self.question, limit=ROWS, offset=offset)

    def page(self, number: Any) -> Page[Any]:
        number = self.validate_number(number)
        self.found = self.read((number - 1) * ROWS)
        return self._get_page(self.found.rows, number, self)  # type: ignore[no-any-return, attr-defined]


class LedgerViews:
    """Pages of the site that belong to no single row."""

    def __init__(self, site: Any) -> None:
        self.site = site

    def urls(self) -> list[URLPattern]:
        view = self.site.admin_view
        return [
            path("ledger/trial-balance/", view(self.trial_balance), name="trial_balance"),
            path("ledger/trial-balance.<str:kind>", view(self.trial_balance_file), name="trial_balance_file"),
            path("ledger/statement/<str:role>/", view(self.statement), name="account_statement"),
            path("ledger/line/<str:line_id>/", view(self.line), name="document_line"),
        ]

    def trial_balance(self, request: HttpRequest) -> HttpResponse:
        """Debit, credit and balance of every account as of the end of a day, beside another day if asked."""
        require(request, "ledger.view_journalentry")
        form = BalanceForm(filled_in(request))
        context: dict[str, Any] = {"title": "Trial balance", "form": form}
        if form.is_valid():
            entity, as_of, compare = (form.cleaned_data[name] for name in ("entity", "as_of", "compare"))
            display.use_number_format(entity.number_format)
            rows = balance_rows(entity, as_of, compare)
            query = f"entity={entity.pk}&as_of={as_of}" + (f"&compare={compare}" if compare else "")
            context |= {
                "entity": entity,
                "as_of": as_of,
                "compare": compare,
                "rows": rows,
                "query": query,
                "debit_minor": sum(row.debit_minor for row in rows),
                "credit_minor": sum(row.credit_minor for row in rows),
                "before_minor": sum(row.before_minor or 0 for row in rows),
                "change_minor": sum(row.change_minor for row in rows),
            }
        return self.page(request, "backoffice/trial_balance.html", context)

    def trial_balance_file(self, request: HttpRequest, kind: str) -> HttpResponseBase:
        """The same figures as CSV or XLSX."""
        require(request, "ledger.view_journalentry")
        if kind not in ("csv", "xlsx"):
            raise Http404
        form = BalanceForm(filled_in(request))
        if not form.is_valid():
            return self.trial_balance(request)
        entity, as_of, compare = (form.cleaned_data[name] for name in ("entity", "as_of", "compare"))
        rows = file_rows(entity, as_of, compare)
        if kind == "xlsx":
            return xlsx_response(f"trial-balance-{as_of}", rows)
        return csv_response(f"trial-balance-{as_of}", (tuple(map(str, row)) for row in rows))

    def statement(self, request: HttpRequest, role: str) -> HttpResponse:
        """What moved an account: opening, postings with their entries and the balance after each, closing."""
        require(request, "ledger.view_journalentry")
        if role not in set(Role):
            raise Http404
        form = StatementForm(filled_in(request))
        context: dict[str, Any] = {"title": f"{role} {ROLE_NAMES[Role(role)]}", "role": role, "form": form}
        if form.is_valid():
            given = form.cleaned_data
            display.use_number_format(given["entity"].number_format)
            pages = StatementPages(
                legal_entity=given["entity"],
                role=Role(role),
                start_on=given["start_on"],
                as_of=given["as_of"],
                customer=given["customer"],
            )
            page = pages.get_page(request.GET.get("p"))
            context |= {
                "entity": given["entity"],
                "start_on": given["start_on"],
                "as_of": given["as_of"],
                "customer": given["customer"],
                "page": page,
                "found": pages.found,
                "brought_minor": _brought_forward(pages.found) if pages.found else 0,
            }
        return self.page(request, "backoffice/statement.html", context)

    def line(self, request: HttpRequest, line_id: str) -> HttpResponse:
        """From a posting to the document line it is about, with its reasons open."""
        require(request, "ledger.view_journalentry")
        line = InvoiceLine.objects.filter(public_id=line_id).first()
        if line is not None:
            address = reverse("admin:invoices_invoice_change", args=[line.invoice_id])
            return HttpResponseRedirect(f"{address}?why={line.position}#line-{line.position}")
        credited = CreditNoteLine.objects.filter(public_id=line_id).first()
        if credited is not None:
            return HttpResponseRedirect(
                reverse("admin:invoices_creditnote_change", args=[credited.credit_note_id])
            )
        raise Http404

    def page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        return TemplateResponse(
            request, template, {**self.site.each_context(request), "is_fullwidth": "1", **context}
        )


def _brought_forward(found: AccountStatement) -> int:
    """What stood before the first posting of the page."""
    if not found.rows:
        return found.opening_minor
    first = found.rows[0]
    return first.balance_minor - first.debit_minor + first.credit_minor


def require(request: HttpRequest, permission: str) -> None:
    """Refuse whoever lacks a permission."""
    if not request.user.has_perm(permission):
        raise PermissionDenied
