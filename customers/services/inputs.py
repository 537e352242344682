"""Plain values that services of this app take."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

ADDRESS_FIELDS = {
    name: f"address.{name}" for name in ("line1", "line2", "postal_code", "city", "region", "country")
}
"""How callers know the columns of an address."""

BANK_FIELDS = {
    "bank_holder": "bank_account.holder",
    "bank_name": "bank_account.name",
    "iban": "bank_account.iban",
} | {"bic": "bank_account.bic"}
"""How callers know the columns of a bank account."""


@dataclass(frozen=True, slots=True)
class Address:
    """A postal address. country: ISO 3166-1 alpha-2. Documents need at least city and country."""

    country: str
    line1: str = ""
    line2: str = ""
    postal_code: str = ""
    city: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class BankAccount:
    """Where customers pay to."""

    holder: str = ""
    name: str = ""
    iban: str = ""
    bic: str = ""


@dataclass(frozen=True, slots=True)
class TaxRegistrationInput:
    """A tax number of a seller in one country, from a day on; valid_to is the first day it no longer holds."""

    country: str
    valid_from: date
    vat_number: str = ""
    tax_number: str = ""
    valid_to: date | None = None
    one_stop_shop: bool = False


@dataclass(frozen=True, slots=True)
class TaxIdInput:
    """A VAT identification number of a customer in one country."""

    country: str
    vat_number: str


@dataclass(frozen=True, slots=True)
class ContactInput:
    """A person at a customer. mail_roles: which mails they get, see MailRole."""

    name: str
    email: str
    phone: str = ""
    mail_roles: Sequence[str] = ("billing",)
