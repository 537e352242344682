"""Legal entities and test clocks."""

from typing import Any

from rest_framework import serializers

from billing.core.tax import TaxRounding
from billing.platform.api.fields import FlagField, InstantField, PublicIdOf, TextField
from billing.platform.api.serializers import Input, Output, list_of
from customers.api.serializers.shared import AddressInput, AddressOutput
from customers.models import LegalEntity, VatIdPolicy
from customers.services import BankAccount, TaxRegistrationInput


class BankAccountIn(Input):
    """Where customers pay to."""

    holder = TextField(required=False, allow_blank=True, max_length=70)
    name = TextField(required=False, allow_blank=True, max_length=120, help_text="Name of the bank.")
    iban = TextField(required=False, allow_blank=True, max_length=42)
    bic = TextField(required=False, allow_blank=True, max_length=11)

    def to_internal_value(self, data: Any) -> BankAccount:
        return BankAccount(**super().to_internal_value(data))


class BankAccountOut(Output):
    """Where customers pay to; the columns lie beside the legal entity's others."""

    holder = TextField(source="bank_holder")
    name = TextField(source="bank_name")
    iban = TextField()
    bic = TextField()


class TaxRegistrationNew(Input):
    """A tax number in one country, from a day on; VAT number, tax number, or both."""

    country = TextField(max_length=2)
    vat_number = TextField(required=False, allow_blank=True, max_length=20)
    tax_number = TextField(required=False, allow_blank=True, max_length=40)
    valid_from = serializers.DateField()
    valid_to = serializers.DateField(
        required=False, allow_null=True, help_text="First day it no longer holds."
    )
    one_stop_shop = FlagField(
        required=False, help_text="Accounts for sales to consumers in all other member states of the EU, too."
    )


class TaxRegistrationIn(TaxRegistrationNew):
    """A tax registration as a part of its legal entity."""

    def to_internal_value(self, data: Any) -> TaxRegistrationInput:
        return TaxRegistrationInput(**super().to_internal_value(data))


class TaxRegistrationOut(Output):
    """A tax number in one country, from a day on."""

    country = TextField()
    vat_number = TextField()
    tax_number = TextField()
    valid_from = serializers.DateField()
    valid_to = serializers.DateField(allow_null=True)
    one_stop_shop = FlagField()


class NumberSeriesIn(Input):
    """How documents are numbered, per type: {year} and {number} once each, e.g. VV-{year}-{number:06d}."""

    invoice = TextField(max_length=40)
    credit_note = TextField(max_length=40)


class LegalEntityChange(Input):
    """What can change about a seller. Address and bank account are replaced as a whole."""

    address = AddressInput(required=False, help_text="The country stays.")
    bank_account = BankAccountIn(required=False)
    registration = TextField(required=False, allow_blank=True, max_length=200)
    directors = TextField(required=False, allow_blank=True, max_length=200)
    email = TextField(required=False, allow_blank=True, max_length=254)
    phone = TextField(required=False, allow_blank=True, max_length=40)
    logo_svg = TextField(required=False, allow_blank=True, max_length=100_000)
    accent_color = TextField(required=False, max_length=7, help_text="As #rrggbb.")
    number_format = TextField(
        required=False,
        max_length=8,
        help_text="How the back office separates figures: 1,234.56; 1.234,56; 1 234,56 or 1'234.56.",
    )
    reviews_bill_runs = FlagField(
        required=False,
        help_text="Nothing is billed by itself: what is due waits for a bill run that a person looks at.",
    )
    tax_rounding = serializers.ChoiceField(
        required=False,
        choices=[(str(one), str(one)) for one in TaxRounding],
        help_text="Tax is rounded once per rate of a document, or per line.",
    )
    vat_id_policy = serializers.ChoiceField(
        required=False,
        choices=VatIdPolicy.choices,
        help_text="What a VAT number of a business in another EU country must have shown for the reverse charge.",
    )


class LegalEntityInput(LegalEntityChange):
    """A new seller."""

    name = TextField(max_length=120, help_text="Short name used in lists.")
    legal_name = TextField(max_length=200, help_text="Full name as registered; printed on documents.")
    address = AddressInput()
    accounting_currency = TextField(max_length=3, help_text="ISO 4217, the currency of the books.")
    time_zone = TextField(max_length=60, help_text="Decides issue, due and accounting dates.")
    number_series = NumberSeriesIn()
    tax_registrations = list_of(TaxRegistrationIn(), most=50, required=False)
    fiscal_year_start_month = serializers.IntegerField(required=False, min_value=1, max_value=12)
    retention_years = serializers.IntegerField(required=False, min_value=1, max_value=100)
    is_test = FlagField(required=False, help_text="Has its own numbers and books; never changes.")


class LegalEntityOutput(Output):
    """A seller: who issues documents, in whose books."""

    id = TextField(source="public_id")
    name = TextField()
    legal_name = TextField()
    address = AddressOutput(source="*")
    accounting_currency = TextField()
    time_zone = TextField()
    number_series = serializers.SerializerMethodField()
    tax_registrations = TaxRegistrationOut(many=True)
    bank_account = BankAccountOut(source="*")
    registration = TextField()
    directors = TextField()
    email = TextField()
    phone = TextField()
    fiscal_year_start_month = serializers.IntegerField()
    retention_years = serializers.IntegerField()
    accent_color = TextField()
    number_format = TextField()
    reviews_bill_runs = FlagField()
    tax_rounding = TextField()
    vat_id_policy = TextField()
    is_test = FlagField()
    created_at = InstantField()

    def get_number_series(self, entity: LegalEntity) -> dict[str, str]:
        return {series.document_type: series.pattern for series in entity.number_series.all()}


class TestClockInput(Input):
    """A new test clock."""

    __test__ = False

    name = TextField(max_length=120)
    legal_entity = TextField(max_length=36, help_text="Id of a legal entity marked as test.")
    now_at = InstantField(help_text="What time it shows at first.")


class TestClockAdvance(Input):
    """A step forward."""

    __test__ = False

    to = InstantField(help_text="What time it shows then; at most two years ahead.")


class TestClockOutput(Output):
    """A clock of its own for the customers attached to it."""

    __test__ = False

    id = TextField(source="public_id")
    name = TextField()
    legal_entity = PublicIdOf()
    now_at = InstantField()
    status = TextField()
    created_at = InstantField()
