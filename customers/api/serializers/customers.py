"""Customers."""

from typing import Any

from rest_framework import serializers

from billing.core.tax import CustomerKind
from billing.platform.api.fields import InstantField, PublicIdOf, QuantityField, TextField
from billing.platform.api.serializers import Input, Output, Query, list_of
from customers.api.serializers.shared import AddressInput, AddressOutput
from customers.models import CollectionMethod, MailRole, VatCheckOutcome
from customers.services import ContactInput, TaxIdInput
from customers.services.customers import LANGUAGES, LIST_MAX


class TaxIdIn(Input):
    """A VAT identification number."""

    country = TextField(max_length=2)
    vat_number = TextField(max_length=20, help_text="With country prefix, for example FR83404833048.")

    def to_internal_value(self, data: Any) -> TaxIdInput:
        return TaxIdInput(**super().to_internal_value(data))


class TaxIdOut(Output):
    """A VAT identification number."""

    country = TextField()
    vat_number = TextField()


class ContactIn(Input):
    """A person at the customer."""

    name = TextField(max_length=120)
    email = TextField(max_length=254)
    phone = TextField(required=False, allow_blank=True, max_length=40)
    mail_roles = serializers.ListField(
        child=serializers.ChoiceField(choices=MailRole.choices),
        required=False,
        max_length=10,
        help_text="Which mails they get; billing unless told.",
    )

    def to_internal_value(self, data: Any) -> ContactInput:
        return ContactInput(**super().to_internal_value(data))


class ContactOut(Output):
    """A person at the customer, and which mails they get."""

    id = TextField(source="public_id")
    name = TextField()
    email = TextField()
    phone = TextField()
    mail_roles = serializers.ListField(child=serializers.ChoiceField(choices=MailRole.choices))


class CustomerChange(Input):
    """What can change about a customer. Contacts and tax ids are replaced as a whole."""

    name = TextField(required=False, max_length=120, help_text="Name used in lists.")
    legal_name = TextField(required=False, max_length=200, help_text="Full name as registered; on documents.")
    address = AddressInput(required=False)
    legal_entity = TextField(
        required=False, max_length=36, help_text="Id of the seller for new subscriptions."
    )
    currency = TextField(required=False, max_length=3, help_text="ISO 4217; default for new subscriptions.")
    external_id = TextField(required=False, allow_null=True, max_length=120, help_text="Your own key.")
    time_zone = TextField(required=False, max_length=60, help_text="Service periods start at midnight here.")
    language = serializers.ChoiceField(required=False, choices=[(code, code) for code in LANGUAGES])
    payer = TextField(
        required=False, allow_null=True, max_length=36, help_text="Id of the customer who pays."
    )
    payment_terms_days = serializers.IntegerField(
        required=False, min_value=0, max_value=365, help_text="0 means due on receipt."
    )
    collection_method = serializers.ChoiceField(required=False, choices=CollectionMethod.choices)
    buyer_reference = TextField(required=False, allow_blank=True, max_length=120)
    purchase_order = TextField(required=False, allow_blank=True, max_length=120)
    kind = serializers.ChoiceField(
        required=False,
        choices=[(str(one), str(one)) for one in CustomerKind],
        help_text="Business unless told.",
    )
    tax_exemption_code = TextField(
        required=False, allow_blank=True, max_length=30, help_text="VATEX code if exempt, like VATEX-EU-151."
    )
    tax_percent = QuantityField(
        required=False,
        allow_null=True,
        allow_negative=False,
        help_text="A tax rate agreed for everything it buys; 19 means 19 %. Null: as the rules say.",
    )
    tax_ids = list_of(TaxIdIn(), most=LIST_MAX, required=False)
    contacts = list_of(ContactIn(), most=LIST_MAX, required=False)


class CustomerInput(CustomerChange):
    """A new customer."""

    name = TextField(max_length=120, help_text="Name used in lists.")
    legal_name = TextField(max_length=200, help_text="Full name as registered; printed on documents.")
    address = AddressInput()
    legal_entity = TextField(max_length=36, help_text="Id of the seller for new subscriptions.")
    currency = TextField(max_length=3, help_text="ISO 4217; default for new subscriptions.")
    test_clock = TextField(
        required=False, allow_null=True, max_length=36, help_text="Id of a test clock; for good."
    )


class CustomerOutput(Output):
    """A customer. Its defaults are copied to subscriptions and invoices when these are made."""

    id = TextField(source="public_id")
    external_id = TextField(allow_null=True)
    name = TextField()
    legal_name = TextField()
    address = AddressOutput(source="*")
    time_zone = TextField()
    language = TextField()
    currency = TextField()
    legal_entity = PublicIdOf()
    payer = PublicIdOf(allow_null=True)
    payment_terms_days = serializers.IntegerField()
    collection_method = serializers.ChoiceField(choices=CollectionMethod.choices)
    buyer_reference = TextField()
    purchase_order = TextField()
    kind = TextField()
    tax_exemption_code = TextField()
    tax_percent = QuantityField(allow_null=True)
    tax_ids = TaxIdOut(many=True)
    contacts = ContactOut(many=True)
    test_clock = PublicIdOf(allow_null=True)
    created_at = InstantField()


class VatCheckOutput(Output):
    """What the register answered about a VAT number. It never changes; no answer says nothing about the number."""

    id = TextField(source="public_id")
    customer = PublicIdOf()
    vat_number = TextField()
    requester = TextField(help_text="VAT number of the seller in whose name was asked.")
    outcome = serializers.ChoiceField(choices=VatCheckOutcome.choices)
    consultation_number = TextField()
    name = TextField()
    address = TextField()
    error = TextField()
    asked_at = InstantField()


class CustomerQuery(Query):
    """Which customers to list."""

    external_id = TextField(required=False, max_length=120)
    test_clock = TextField(required=False, max_length=36)
