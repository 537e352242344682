"""Pages of the books that belong to no single row: the trial balance of any day, and an account's statement."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from billing.core.postings import ROLE_NAMES, Role
from billing.ledger.selectors import account_statement, trial_balance
from billing.platform import display
from customers.models import LegalEntity
from customers.selectors import now_for_seller


class BalanceForm(forms.Form):
    """Whose books, and as of when."""

    entity = forms.ModelChoiceField(
        LegalEntity.objects.order_by("pk"), label="Legal entity", empty_label=None
    )
    as_of = forms.DateField(label="As of the end of", input_formats=["%Y-%m-%d"])


def chosen_books(request: HttpRequest) -> tuple[BalanceForm, LegalEntity | None, date | None]:
    """The form, and what it chose: by default the first entity, today by its clock. None where that is no day."""
    first = LegalEntity.objects.order_by("pk").first()
    given = request.GET.copy()
    if first is not None:
        given.setdefault("entity", str(first.pk))
        chosen = str(given["entity"])
        entity = LegalEntity.objects.filter(pk=int(chosen)).first() if chosen.isdecimal() else None
        given.setdefault("as_of", f"{now_for_seller(entity or first):%Y-%m-%d}")
    form = BalanceForm(given)
    if first is None or not form.is_valid():
        return form, None, None
    display.use_number_format(form.cleaned_data["entity"].number_format)
    return form, form.cleaned_data["entity"], form.cleaned_data["as_of"]


class LedgerViews:
    """Pages of the site that belong to no single row."""

    def __init__(self, site: Any) -> None:
        self.site = site

    def urls(self) -> list[URLPattern]:
        view = self.site.admin_view
        return [
            path("ledger/trial-balance/", view(self.trial_balance), name="trial_balance"),
            path("ledger/statement/<str:role>/", view(self.statement), name="account_statement"),
        ]

    def trial_balance(self, request: HttpRequest) -> HttpResponse:
        """Debit, credit and balance of every account as of the end of a day."""
        require(request, "ledger.view_journalentry")
        form, entity, as_of = chosen_books(request)
        rows = trial_balance(legal_entity=entity, as_of=as_of) if entity and as_of else []
        context = {
            "title": "Trial balance",
            "form": form,
            "entity": entity,
            "as_of": as_of,
            "rows": [(row, max(row.balance_minor, 0), max(-row.balance_minor, 0)) for row in rows],
            "debit_minor": sum(max(row.balance_minor, 0) for row in rows),
            "credit_minor": sum(max(-row.balance_minor, 0) for row in rows),
        }
        return self.page(request, "backoffice/trial_balance.html", context)

    def statement(self, request: HttpRequest, role: str) -> HttpResponse:
        """What moved an account: opening, postings with their entries, closing."""
        require(request, "ledger.view_journalentry")
        if role not in set(Role):
            raise Http404
        form, entity, as_of = chosen_books(request)
        found = (
            account_statement(legal_entity=entity, role=Role(role), start_on=None, as_of=as_of)
            if entity and as_of
            else None
        )
        context = {
            "title": f"{role} {ROLE_NAMES[Role(role)]}",
            "form": form,
            "entity": entity,
            "as_of": as_of,
            "found": found,
        }
        return self.page(request, "backoffice/statement.html", context)

    def page(self, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
        return TemplateResponse(
            request, template, {**self.site.each_context(request), "is_fullwidth": "1", **context}
        )


def require(request: HttpRequest, permission: str) -> None:
    """Refuse whoever lacks a permission."""
    if not request.user.has_perm(permission):
        raise PermissionDenied
