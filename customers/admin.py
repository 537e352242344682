"""Back office pages of this app: to be read."""

from django.contrib import admin

from billing.platform.admin import ReadOnlyAdmin, ReadOnlyInline
from customers.models import (
    ApiKey,
    Contact,
    Customer,
    CustomerTaxId,
    LegalEntity,
    NumberCounter,
    NumberSeries,
    TaxRegistration,
    TestClock,
    User,
)


class TaxRegistrationInline(ReadOnlyInline):
    model = TaxRegistration


class NumberSeriesInline(ReadOnlyInline):
    model = NumberSeries


class TaxIdInline(ReadOnlyInline):
    model = CustomerTaxId


class ContactInline(ReadOnlyInline):
    model = Contact


@admin.register(LegalEntity)
class LegalEntityAdmin(ReadOnlyAdmin):
    list_display = ["name", "country", "accounting_currency", "time_zone", "is_test"]
    list_filter = ["is_test"]
    inlines = [TaxRegistrationInline, NumberSeriesInline]


@admin.register(NumberCounter)
class NumberCounterAdmin(ReadOnlyAdmin):
    list_display = ["series", "year", "last_number", "last_issued_on"]
    list_select_related = ["series__legal_entity"]


@admin.register(Customer)
class CustomerAdmin(ReadOnlyAdmin):
    list_display = ["name", "public_id", "external_id", "country", "currency", "legal_entity", "test_clock"]
    list_filter = ["legal_entity"]
    list_select_related = ["legal_entity", "test_clock"]
    search_fields = ["name", "legal_name", "public_id", "external_id"]
    inlines = [TaxIdInline, ContactInline]


@admin.register(TestClock)
class TestClockAdmin(ReadOnlyAdmin):
    list_display = ["name", "public_id", "legal_entity", "now_at", "status"]
    list_select_related = ["legal_entity"]


@admin.register(User)
class UserAdmin(ReadOnlyAdmin):
    list_display = ["email", "name", "is_staff", "is_superuser", "is_active", "last_login"]
    list_filter = ["is_staff", "is_active"]
    search_fields = ["email", "name"]
    exclude = ["password"]


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ["name", "prefix", "customer", "created_at", "expires_at", "revoked_at", "last_used_at"]
    list_select_related = ["customer"]
    exclude = ["secret_hash"]
