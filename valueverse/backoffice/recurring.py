"""The list behind MRR: every active subscription with what its fees are worth a month."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from billing.reports.recurring import counted_subscriptions, mrr, mrr_of_subscriptions
from customers.models import LegalEntity
from customers.selectors import now_for_seller
from valueverse.backoffice.books import require
from valueverse.backoffice.reading import one_page

ROWS = 50


class SellerForm(forms.Form):
    """Whose subscriptions, and in which currency."""

    entity = forms.ModelChoiceField(
        LegalEntity.objects.order_by("is_test", "pk"),
        label="Legal entity",
        empty_label=None,
        error_messages={"invalid_choice": "There is no such legal entity. Choose one of the list."},
    )
    currency = forms.CharField(label="Currency", required=False, max_length=3)

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()


class RecurringViews:
    """The page of recurring revenue."""

    def __init__(self, site: Any) -> None:
        self.site = site

    def urls(self) -> list[URLPattern]:
        view = self.site.admin_view(self.recurring_revenue)
        return [path("reports/recurring-revenue/", view, name="recurring_revenue")]

    def recurring_revenue(self, request: HttpRequest) -> HttpResponse:
        """The active subscriptions of a legal entity with their MRR; the totals cover all of them, not the page."""
        require(request, "subscriptions.view_subscription")
        first = LegalEntity.objects.order_by("is_test", "pk").first()
        given = request.GET.copy()
        if first is not None:
            given.setdefault("entity", str(first.pk))
        form = SellerForm(given)
        context: dict[str, Any] = {"title": "Recurring revenue", "form": form, "entity": None}
        if form.is_valid():
            entity, currency = form.cleaned_data["entity"], form.cleaned_data["currency"]
            found = counted_subscriptions().filter(legal_entity=entity)
            if currency:
                found = found.filter(currency=currency)
            page = one_page(
                request, found.select_related("customer", "plan_version__plan").order_by("-pk"), ROWS
            )
            worth = mrr_of_subscriptions([row.pk for row in page.object_list])
            context |= {
                "entity": entity,
                "at": now_for_seller(entity),
                "page": page,
                "rows": [(row, worth[row.pk]) for row in page.object_list],
                "totals": [
                    row for row in mrr(legal_entity=entity) if not currency or row.currency == currency
                ],
            }
        status = 200 if form.is_valid() or first is None else 400
        return TemplateResponse(
            request,
            "backoffice/recurring_revenue.html",
            {**self.site.each_context(request), "is_fullwidth": "1", **context},
            status=status,
        )
