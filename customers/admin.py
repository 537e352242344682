"""Back office pages of this app: to be read, but for test clocks, which are made and moved here."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from billing.core.errors import BillingError
from billing.platform.admin import ReadOnlyAdmin, ReadOnlyInline, staff_actor
from billing.platform.clock import now
from billing.platform.lists.filters import CurrencyFilter, instant_range, text_is
from customers import services
from customers.models import (
    ApiKey,
    LegalEntity,
    NumberCounter,
    NumberSeries,
    TaxRegistration,
    TestClock,
)


class TaxRegistrationInline(ReadOnlyInline):
    model = TaxRegistration


class NumberSeriesInline(ReadOnlyInline):
    model = NumberSeries


@admin.register(LegalEntity)
class LegalEntityAdmin(ReadOnlyAdmin):
    list_display = ["name", "country", "accounting_currency", "time_zone", "number_format", "is_test"]
    list_filter = ["is_test"]
    list_help = "The firms that issue documents, each with its own numbers and books."
    empty_state = "No legal entity yet. Create one through the API: it is who issues the invoices."
    inlines = [TaxRegistrationInline, NumberSeriesInline]


@admin.register(NumberCounter)
class NumberCounterAdmin(ReadOnlyAdmin):
    list_display = ["series", "year", "last_number", "last_issued_on"]
    list_help = "The last number taken, per series and year. Numbers have no gaps."
    empty_state = "No number has been taken yet. The first finalized document takes one."
    list_select_related = ["series__legal_entity"]


class CustomerAdmin(ReadOnlyAdmin):
    """The list of customers; their page is in `valueverse.backoffice`."""

    list_display = [
        "name",
        "external_id",
        "country",
        "currency",
        "collection_method",
        "legal_entity",
        "test_clock",
    ]
    list_filter = [
        "legal_entity",
        CurrencyFilter,
        "collection_method",
        text_is("country", "Country", "Like DE."),
        instant_range("created_at", "Created"),
    ]
    list_select_related = ["legal_entity", "test_clock"]
    search_fields = ["name", "legal_name", "=public_id", "=external_id"]
    search_help_text = "Name or id"
    sortable_by = ("name", "external_id")
    empty_state = "No customer yet. Create one through the API, or see the demo: make demo."


class AdvanceForm(forms.Form):
    """To when a test clock is moved."""

    to = forms.DateTimeField(label="New time (UTC)", help_text="For example 2023-12-01 00:00.")


class TestClockForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a new test clock needs."""

    class Meta:
        model = TestClock
        fields = ["name", "legal_entity", "now_at"]
        help_texts = {
            "legal_entity": "A legal entity marked as test.",
            "now_at": "UTC. A clock only moves forward.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "legal_entity" in self.fields:
            self.fields["legal_entity"].queryset = LegalEntity.objects.filter(is_test=True)  # type: ignore[attr-defined]


@admin.register(TestClock)
class TestClockAdmin(ReadOnlyAdmin):
    """Test clocks are made and moved here; nothing else of them changes."""

    list_display = ["name", "public_id", "legal_entity", "now_at", "status"]
    list_select_related = ["legal_entity"]
    empty_state = "No test clock yet. Add one to play a year of billing in a minute."
    form = TestClockForm

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("customers.add_testclock")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        made = services.create_test_clock(
            name=obj.name,
            legal_entity=obj.legal_entity,
            now_at=obj.now_at,
            actor=staff_actor(request),
            at=now(),
        )
        obj.pk, obj.public_id = made.pk, made.public_id

    def get_urls(self) -> list[URLPattern]:
        advance = self.admin_site.admin_view(self.advance_view)
        return [path("<int:pk>/advance/", advance, name="customers_testclock_advance"), *super().get_urls()]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        may_advance = request.user.has_perm("customers.change_testclock")
        context = {**(extra_context or {}), "may_advance": may_advance}
        response: HttpResponse = super().change_view(request, object_id, form_url, context)
        return response

    def advance_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask for the new time, and move the clock; a refusal stands beside the field."""
        if not request.user.has_perm("customers.change_testclock"):
            raise PermissionDenied
        clock = get_object_or_404(TestClock, pk=pk)
        form = AdvanceForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            try:
                services.advance_test_clock(
                    clock=clock, to=form.cleaned_data["to"], actor=staff_actor(request), at=now()
                )
            except BillingError as error:
                form.add_error("to", error.message)
            else:
                return HttpResponseRedirect(reverse("admin:customers_testclock_change", args=[pk]))
        context = {
            **self.admin_site.each_context(request),
            "title": "Advance clock",
            "clock": clock,
            "customer_count": clock.customers.count(),
            "form": form,
        }
        return TemplateResponse(request, "admin/customers/testclock/advance.html", context)


class UserAdmin(ReadOnlyAdmin):
    """The list of people; their page is in `valueverse.backoffice`."""

    list_display = ["email", "name", "is_staff", "is_superuser", "is_active", "last_login"]
    list_filter = ["is_staff", "is_active"]
    search_fields = ["email", "name"]
    search_help_text = "Name or mail address"
    exclude = ["password"]


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ["name", "prefix", "customer", "created_at", "expires_at", "revoked_at", "last_used_at"]
    list_select_related = ["customer"]
    search_fields = ["name", "=prefix", "customer__name"]
    search_help_text = "Name, first characters or customer"
    empty_state = "No API key yet. manage.py create_api_key makes one and shows its secret once."
    exclude = ["secret_hash"]
