"""What can be done to customers, legal entities, people, keys and clocks."""

from customers.services.api_keys import NewApiKey, create_api_key, revoke_api_key
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
    "Address",
    "BankAccount",
    "ContactInput",
    "CustomerFields",
    "ExternalIdTaken",
    "IssueDateBeforeLast",
    "LegalEntityChanges",
    "LegalEntityNameTaken",
    "NewApiKey",
    "NumberSeriesMissing",
    "NumberTaken",
    "PayerNotAllowed",
    "SellerNotAllowed",
    "TaxIdInput",
    "TaxRegistrationInput",
    "TaxRegistrationOverlaps",
    "TestClockBusy",
    "TestClockMovesForward",
    "TestClockNeedsTestEntity",
    "TestClockStepTooLarge",
    "UserExists",
    "add_tax_registration",
    "advance_test_clock",
    "create_api_key",
    "create_customer",
    "create_legal_entity",
    "create_superuser",
    "create_test_clock",
    "create_user",
    "revoke_api_key",
    "take_number",
    "update_customer",
    "update_legal_entity",
]
