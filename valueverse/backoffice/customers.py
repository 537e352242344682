"""The page of a customer: what they have, used, owe and paid, in one place."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from billing.platform import display
from billing.platform.actors import Actor
from customers.models import Customer
from customers.selectors import now_for
from payments import services as payments
from payments.models import Payment
from valueverse.backoffice import customer_tabs as tabs
from valueverse.backoffice.csv_files import csv_response
from valueverse.backoffice.customer_list import CustomerList
from valueverse.backoffice.customer_verbs import CUSTOMER_VERBS, NewCustomer
from valueverse.backoffice.holds import HoldBilling, ReleaseBilling, hold_of
from valueverse.backoffice.invoice_verbs import ReceiptForm
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.portal_access import Invite, access_context
from valueverse.backoffice.verbs import Data, Outcome, Verb
from valueverse.backoffice.viewing import ViewAsCustomer


class RecordReceipt(Verb):
    """Money of a customer that is not for one invoice; it stays unapplied until somebody allocates it."""

    def __init__(self) -> None:
        super().__init__(
            "record-payment",
            "Record payment",
            "payments.record_payment",
            "The money stays unapplied until it is allocated on the payment's page. Corrected by a refund.",
            asks_first=True,
        )

    def at(self, row: Any) -> datetime:
        return now_for(row)

    def state(self, row: Any) -> tuple[Any, ...]:
        return (Payment.objects.filter(customer=row).count(),)

    def form(self, row: Any, data: Any = None) -> forms.Form:
        today = self.at(row).astimezone(ZoneInfo(row.legal_entity.time_zone)).date()
        return ReceiptForm(
            data, currency=row.legal_entity.accounting_currency, initial={"received_on": today}
        )

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [("Customer", row.name), ("Receives it", row.legal_entity.name)]

    def button(self, row: Any, data: Data) -> str:
        if "amount" not in data:
            return self.label
        return f"Record {display.amount(data['amount'], row.legal_entity.accounting_currency)}"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = payments.record_manual_payment(
            customer=row,
            amount_minor=data["amount"],
            currency=row.legal_entity.accounting_currency,
            received_on=data["received_on"],
            reference=data["reference"],
            actor=actor,
            at=at,
        )
        return Outcome(
            f"Recorded {display.amount(made.amount_minor, made.currency)}; allocate it here.", made
        )


@admin.register(Customer)
class CustomerPage(ObjectPage, CustomerList):
    """A customer with subscriptions, usage, documents, money, mails and activity: a tab each, read when opened."""

    page_template = "backoffice/customer.html"
    verbs = (
        RecordReceipt(),
        *CUSTOMER_VERBS,
        Invite(),
        HoldBilling(),
        ReleaseBilling(),
        ViewAsCustomer(),
    )
    create = NewCustomer()

    def access_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Who may open this customer's portal."""
        row = self.find(request, pk)
        context = {
            **self.admin_site.each_context(request),
            **access_context(request, row),
            "is_fullwidth": "1",
        }
        return TemplateResponse(request, "backoffice/portal_access.html", context)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("payer", "legal_entity", "test_clock")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/access/", view(self.access_view), name="customers_customer_access"),
            path("<int:pk>/account.csv", view(self.account_csv), name="customers_customer_account"),
            path("<int:pk>/statement/", view(self.statement_view), name="customers_customer_statement"),
            *super().get_urls(),
        ]

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        page = tabs.CustomerTabs(request, row)
        tab = page.chosen()
        return {
            "at": page.at,
            "local_at": page.at.astimezone(page.zone),
            "hold": hold_of(row),
            "sums": page.sums(),
            "state": page.state(),
            "parked": page.parked(),
            "tabs": page.offered(),
            "tab": tab,
            "tab_template": f"backoffice/customer/{tab}.html",
            **page.content(tab),
        }

    def account_csv(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """The account as CSV, with the kinds that the page shows."""
        row = self.find(request, pk)
        tabs.require_account(request)
        return csv_response(
            f"account-{row.public_id}", tabs.account_csv_rows(row, tabs.chosen_kinds(request))
        )

    def statement_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The account over some days, to be printed or sent: opening, every row, closing."""
        row = self.find(request, pk)
        tabs.require_account(request)
        content, status = tabs.statement_content(request, row)
        context = {**self.admin_site.each_context(request), "row": row, "is_fullwidth": "1", **content}
        return TemplateResponse(request, "backoffice/customer_statement.html", context, status=status)
