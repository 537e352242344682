"""Who we bill and who bills: customers, legal entities, users, API keys, test clocks."""

from customers.models.customers import CollectionMethod, Contact, Customer, CustomerTaxId, MailRole
from customers.models.legal_entities import (
    DocumentType,
    LegalEntity,
    NumberCounter,
    NumberFormat,
    NumberSeries,
    TaxRegistration,
    VatIdPolicy,
)
from customers.models.portal import PortalLink, PortalLinkKind, PortalMembership, PortalRole
from customers.models.saved_views import SavedView
from customers.models.sessions import CustomerVisit, UserSession
from customers.models.test_clocks import TestClock
from customers.models.users import ApiKey, User
from customers.models.vat_checks import VatCheck, VatCheckOutcome

__all__ = [
    "ApiKey",
    "CollectionMethod",
    "Contact",
    "Customer",
    "CustomerTaxId",
    "CustomerVisit",
    "DocumentType",
    "LegalEntity",
    "MailRole",
    "NumberCounter",
    "NumberFormat",
    "NumberSeries",
    "PortalLink",
    "PortalLinkKind",
    "PortalMembership",
    "PortalRole",
    "SavedView",
    "TaxRegistration",
    "TestClock",
    "User",
    "UserSession",
    "VatCheck",
    "VatCheckOutcome",
    "VatIdPolicy",
]
