"""The addresses of this app under /api/v1/."""

from billing.platform.api.views import endpoint
from customers.api.views.customers import CustomerDetail, CustomerList, VatCheckList
from customers.api.views.legal_entities import (
    AdvanceTestClock,
    LegalEntityDetail,
    LegalEntityList,
    TaxRegistrationList,
    TestClockDetail,
    TestClockList,
)
from customers.api.views.tokens import EndToken, ObtainTokens, RefreshTokens

urlpatterns = [
    *endpoint("auth/token", ObtainTokens, "token-obtain"),
    *endpoint("auth/token/refresh", RefreshTokens, "token-refresh"),
    *endpoint("auth/token/blacklist", EndToken, "token-end"),
    *endpoint("customers", CustomerList, "customers"),
    *endpoint("customers/<str:customer_id>", CustomerDetail, "customer"),
    *endpoint("customers/<str:customer_id>/vat-checks", VatCheckList, "vat-checks"),
    *endpoint("legal-entities", LegalEntityList, "legal-entities"),
    *endpoint("legal-entities/<str:legal_entity_id>", LegalEntityDetail, "legal-entity"),
    *endpoint(
        "legal-entities/<str:legal_entity_id>/tax-registrations", TaxRegistrationList, "tax-registrations"
    ),
    *endpoint("test-clocks", TestClockList, "test-clocks"),
    *endpoint("test-clocks/<str:test_clock_id>", TestClockDetail, "test-clock"),
    *endpoint("test-clocks/<str:test_clock_id>/advance", AdvanceTestClock, "test-clock-advance"),
]
