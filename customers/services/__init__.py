"""What can be done to customers, legal entities, people, keys and clocks."""

from customers.services.api_keys import NewApiKey, create_api_key, revoke_api_key
from customers.services.contacts import ContactExists, LastBillingContact, remove_contact, save_contact
from customers.services.customers import (
    CustomerFields,
    ExternalIdTaken,
    PayerNotAllowed,
    SellerNotAllowed,
    create_customer,
    update_customer,
)
from customers.services.inputs import Address, BankAccount, ContactInput, TaxIdInput, TaxRegistrationInput
from customers.services.legal_entities import (
    LegalEntityChanges,
    LegalEntityNameTaken,
    TaxRegistrationOverlaps,
    add_tax_registration,
    create_legal_entity,
    update_legal_entity,
)
from customers.services.numbering import IssueDateBeforeLast, NumberSeriesMissing, NumberTaken, take_number
from customers.services.portal import (
    AccountExists,
    NewPortalLink,
    PortalLinkInvalid,
    StaffHasNoPortal,
    accept_invitation,
    accept_invitation_as,
    consume_sign_in_link,
    grant_portal_access,
    invite_contact,
    portal_actor,
    request_sign_in_link,
)
from customers.services.portal_mails import mail_invitation, mail_sign_in_link
from customers.services.saved_views import SharedViewNameTaken, delete_view, note_list_export, save_view
from customers.services.test_clocks import (
    TestClockBusy,
    TestClockMovesForward,
    TestClockNeedsTestEntity,
    TestClockStepTooLarge,
    advance_test_clock,
    create_test_clock,
)
from customers.services.users import UserExists, create_superuser, create_user

__all__ = [
    "AccountExists",
    "Address",
    "BankAccount",
    "ContactExists",
    "ContactInput",
    "CustomerFields",
    "ExternalIdTaken",
    "IssueDateBeforeLast",
    "LastBillingContact",
    "LegalEntityChanges",
    "LegalEntityNameTaken",
    "NewApiKey",
    "NewPortalLink",
    "NumberSeriesMissing",
    "NumberTaken",
    "PayerNotAllowed",
    "PortalLinkInvalid",
    "SellerNotAllowed",
    "SharedViewNameTaken",
    "StaffHasNoPortal",
    "TaxIdInput",
    "TaxRegistrationInput",
    "TaxRegistrationOverlaps",
    "TestClockBusy",
    "TestClockMovesForward",
    "TestClockNeedsTestEntity",
    "TestClockStepTooLarge",
    "UserExists",
    "accept_invitation",
    "accept_invitation_as",
    "add_tax_registration",
    "advance_test_clock",
    "consume_sign_in_link",
    "create_api_key",
    "create_customer",
    "create_legal_entity",
    "create_superuser",
    "create_test_clock",
    "create_user",
    "delete_view",
    "grant_portal_access",
    "invite_contact",
    "mail_invitation",
    "mail_sign_in_link",
    "note_list_export",
    "portal_actor",
    "remove_contact",
    "request_sign_in_link",
    "revoke_api_key",
    "save_contact",
    "save_view",
    "take_number",
    "update_customer",
    "update_legal_entity",
]
