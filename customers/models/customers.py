"""The buyers: customers, their tax ids and contacts."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVector
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower

from billing.core.tax import CustomerKind
from billing.platform.fields import CountryField, CurrencyField, PercentField, PublicIdField, is_one_of
from customers.models.legal_entities import LegalEntity
from customers.models.test_clocks import TestClock


class CollectionMethod(models.TextChoices):
    CHARGE_AUTOMATICALLY = "charge_automatically", "Charge automatically"
    SEND_INVOICE = "send_invoice", "Send invoice"


class MailRole(models.TextChoices):
    """Which mails a contact receives."""

    BILLING = "billing", "Billing: invoices, credit notes and receipts"
    TECHNICAL = "technical", "Technical: usage and API"


class Customer(models.Model):
    """A firm that buys. Its defaults are copied to subscriptions and invoices when these are made."""

    public_id = PublicIdField(prefix="cus")
    external_id = models.CharField(
        max_length=120,
        unique=True,
        null=True,
        blank=True,
        help_text="The integrator's own key for this customer.",
    )
    name = models.CharField(max_length=120, help_text="Name used in lists.")
    legal_name = models.CharField(max_length=200, help_text="Full name as registered; printed on documents.")
    line1 = models.CharField(max_length=200, blank=True, help_text="Street and number.")
    line2 = models.CharField(max_length=200, blank=True)
    postal_code = models.CharField(max_length=20, blank=True)
    city = models.CharField(max_length=120, blank=True)
    region = models.CharField(max_length=120, blank=True)
    country = CountryField(help_text="Decides the tax treatment.")
    kind = models.CharField(
        max_length=8,
        choices=[(str(one), str(one).capitalize()) for one in CustomerKind],
        default=CustomerKind.BUSINESS,
        help_text="Consumers in the EU pay the tax of their country or the seller's; businesses may owe it themselves.",
    )
    tax_exemption_code = models.CharField(
        max_length=30, blank=True, help_text="VATEX code if the customer is exempt, for example VATEX-EU-151."
    )
    tax_percent = PercentField(
        null=True, blank=True, help_text="A tax rate agreed for everything it buys; empty: as the rules say."
    )
    time_zone = models.CharField(
        max_length=60, default="UTC", help_text="Service periods start at midnight here."
    )
    language = models.CharField(max_length=2, default="en", help_text="Language of documents and mails.")
    currency = CurrencyField(help_text="Default for new subscriptions.")
    legal_entity = models.ForeignKey(
        LegalEntity,
        on_delete=models.PROTECT,
        related_name="customers",
        help_text="Seller for new subscriptions.",
    )
    payer = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="paid_for",
        help_text="Who pays, if another customer does.",
    )
    payment_terms_days = models.PositiveSmallIntegerField(default=0, help_text="0 means due on receipt.")
    collection_method = models.CharField(
        max_length=24, choices=CollectionMethod.choices, default=CollectionMethod.CHARGE_AUTOMATICALLY
    )
    buyer_reference = models.CharField(max_length=120, blank=True, help_text="Printed on documents (BT-10).")
    purchase_order = models.CharField(max_length=120, blank=True, help_text="Printed on documents (BT-13).")
    test_clock = models.ForeignKey(
        TestClock, on_delete=models.PROTECT, null=True, blank=True, related_name="customers"
    )
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(payer=F("id")), name="a_customer_is_not_its_own_payer"),
            models.CheckConstraint(
                condition=is_one_of("kind", list(CustomerKind)), name="customer_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(tax_percent=None) | Q(tax_percent__range=(0, 100)),
                name="customer_tax_percent_is_between_0_and_100",
            ),
            models.CheckConstraint(condition=~Q(external_id=""), name="external_id_is_absent_or_not_empty"),
        ]
        indexes = [
            models.Index(fields=["name", "id"], name="customer_sorted_by_name"),
            models.Index(OpClass(Lower("name"), name="text_pattern_ops"), name="customer_by_name"),
            models.Index(
                OpClass(Lower("external_id"), name="text_pattern_ops"), name="customer_by_external_id"
            ),
            GinIndex(SearchVector("name", "legal_name", config="simple"), name="customer_by_words_of_name"),
        ]
        permissions = [("view_as_customer", "Can look at a customer's portal as the customer sees it")]

    def __str__(self) -> str:
        return self.name


class CustomerTaxId(models.Model):
    """A VAT identification number of a customer in one country."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="tax_ids")
    country = CountryField()
    vat_number = models.CharField(max_length=20, help_text="With country prefix, without spaces.")

    class Meta:
        verbose_name = "tax id"
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "country"], name="one_tax_id_per_customer_and_country"
            ),
        ]
        indexes = [models.Index(fields=["vat_number"], name="customer_by_vat_number")]

    def __str__(self) -> str:
        return self.vat_number


class Contact(models.Model):
    """A person at the customer, and which mails they get."""

    public_id = PublicIdField(prefix="con")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="contacts")
    name = models.CharField(max_length=120)
    email = models.EmailField()
    phone = models.CharField(max_length=40, blank=True)
    mail_roles = ArrayField(
        models.CharField(max_length=12, choices=MailRole.choices), default=list, blank=True
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "email"], name="one_contact_per_customer_and_address"
            ),
        ]
        indexes = [models.Index(OpClass(Lower("email"), name="text_pattern_ops"), name="contact_by_email")]

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"
