"""Making and changing customers."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict, Unpack

from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import BillingError, InvalidInput, Kind
from billing.core.events import EventName
from billing.core.quantity import format_quantity
from billing.core.tax import CustomerKind
from billing.platform.actors import Actor
from billing.platform.validation import (
    require_country,
    require_currency,
    require_fields,
    require_time_zone,
    within,
)
from customers.models import Contact, Customer, CustomerTaxId, LegalEntity, MailRole, TestClock
from customers.services.inputs import ADDRESS_FIELDS, Address, ContactInput, TaxIdInput
from customers.services.tax_numbers import clean_vat_number

LANGUAGES = ("en", "de")
"""Languages that documents and mails are written in."""

LIST_MAX = 50
"""Most contacts or tax ids of one customer."""

PAYMENT_TERMS_DAYS_MAX = 365

_VATEX = re.compile(r"VATEX-[A-Z]{2}(-[A-Z0-9]{1,10}){1,3}")

_PERSONAL = frozenset({"name", "legal_name", "address", "contacts", "tax_ids"})
"""What the audit trail names without its values: it is never erased, and people may ask to be."""


class ExternalIdTaken(BillingError):
    """Another customer bears this external id."""

    code = "external_id_taken"
    kind = Kind.CONFLICT


class PayerNotAllowed(BillingError):
    """Who pays must pay for itself, share the customer's books, and nobody pays for a payer."""

    code = "payer_not_allowed"
    kind = Kind.CONFLICT


class SellerNotAllowed(BillingError):
    """The legal entity does not fit the customer: test and live never mix, and a clock belongs to one entity."""

    code = "seller_not_allowed"
    kind = Kind.CONFLICT


class CustomerFields(TypedDict, total=False):
    """What can be said about a customer, at creation and later; what is left out keeps its default or value."""

    name: str
    legal_name: str
    address: Address
    legal_entity: LegalEntity
    currency: str
    external_id: str | None
    time_zone: str
    language: str
    payer: Customer | None
    payment_terms_days: int
    collection_method: str
    buyer_reference: str
    purchase_order: str
    kind: str
    tax_exemption_code: str
    tax_percent: Decimal | None
    tax_ids: Sequence[TaxIdInput]
    contacts: Sequence[ContactInput]


@transaction.atomic
def create_customer(
    *, test_clock: TestClock | None = None, actor: Actor, at: datetime, **fields: Unpack[CustomerFields]
) -> Customer:
    """Make a customer. name, legal_name, address, legal_entity and currency are needed.

    test_clock is fixed from now on, and belongs to the customer's legal entity. Locks the payer.
    Emits customer.created. Raises InvalidInput naming the field (`address.country`, `contacts[0].email`),
    ExternalIdTaken, PayerNotAllowed, SellerNotAllowed.
    """
    for needed in ("name", "legal_name", "address", "legal_entity", "currency"):
        if needed not in fields:
            raise InvalidInput("This field is required.", field=needed)
    customer = Customer(test_clock=test_clock, created_at=at)
    _lock_payers(customer, fields)
    _apply(customer, fields)
    customer.save()
    _replace_lists(customer, fields)
    data = {"legal_entity": customer.legal_entity.public_id, "currency": customer.currency}
    _record(EventName.CUSTOMER_CREATED, customer, actor, at, data)
    return customer


@transaction.atomic
def update_customer(
    *, customer: Customer, actor: Actor, at: datetime, **changes: Unpack[CustomerFields]
) -> Customer:
    """Change what is given; contacts and tax ids are replaced as a whole. Running subscriptions keep their terms.

    Idempotent: nothing new changes nothing. Locks the customer and its payer, by id. Emits customer.updated with
    the old and new values of what is not personal. Raises as `create_customer`.
    """
    _lock_payers(customer, changes)
    customer = Customer.objects.select_related("legal_entity", "payer", "test_clock").get(pk=customer.pk)
    before = _shown(customer)
    _apply(customer, changes)
    customer.save()
    _replace_lists(customer, changes)
    after = _shown(customer)
    changed = {
        name: "changed" if name in _PERSONAL else [before[name], after[name]]
        for name in before
        if before[name] != after[name]
    }
    if changed:
        _record(EventName.CUSTOMER_UPDATED, customer, actor, at, {"changed": changed})
    return customer


def _lock_payers(customer: Customer, fields: CustomerFields) -> None:
    """Lock the customer and its payer to be, in the order of ids, so that no chain of payers closes unseen."""
    payer = fields.get("payer")
    ids = [row.pk for row in (customer, payer) if row is not None and row.pk is not None]
    list(Customer.objects.select_for_update(no_key=True, of=("self",)).filter(pk__in=ids).order_by("pk"))


def _apply(customer: Customer, fields: CustomerFields) -> None:
    """Put the given values into the row, and check the row as a whole."""
    old_entity = customer.legal_entity if customer.pk else None
    for name, value in fields.items():
        if name == "address":
            for part in ADDRESS_FIELDS:
                setattr(customer, part, getattr(value, part))
        elif name not in ("contacts", "tax_ids"):
            setattr(customer, name, value)
    require_country(customer.country, field="address.country")
    require_currency(customer.currency)
    require_time_zone(customer.time_zone)
    if customer.language not in LANGUAGES:
        raise InvalidInput(f"A language is one of {', '.join(LANGUAGES)}.", field="language")
    _require_tax(customer)
    require_fields(customer, names=ADDRESS_FIELDS)
    if customer.external_id == "":
        raise InvalidInput("An external id has at least one character, or is null.", field="external_id")
    if customer.payment_terms_days > PAYMENT_TERMS_DAYS_MAX:
        raise InvalidInput(f"Terms are 0 to {PAYMENT_TERMS_DAYS_MAX} days.", field="payment_terms_days")
    _require_free_external_id(customer)
    _require_seller(customer, old_entity)
    _require_payer(customer)


def _require_tax(customer: Customer) -> None:
    if customer.kind not in list(CustomerKind):
        raise InvalidInput(f"A customer is a {' or a '.join(CustomerKind)}.", field="kind")
    if customer.tax_exemption_code and not _VATEX.fullmatch(customer.tax_exemption_code):
        raise InvalidInput(
            "An exemption is named by its VATEX code, like VATEX-EU-151.", field="tax_exemption_code"
        )
    if customer.tax_percent is not None and not 0 <= customer.tax_percent <= 100:
        raise InvalidInput("A tax rate is a percentage from 0 to 100.", field="tax_percent")
    if customer.tax_exemption_code and customer.tax_percent is not None:
        raise InvalidInput(
            "A customer is exempt or has a rate of its own: leave one empty.", field="tax_percent"
        )


def _require_free_external_id(customer: Customer) -> None:
    others = Customer.objects.filter(external_id=customer.external_id).exclude(pk=customer.pk)
    if customer.external_id is not None and others.exists():
        raise ExternalIdTaken("Another customer bears this external id.", field="external_id")


def _require_seller(customer: Customer, old: LegalEntity | None) -> None:
    if old is not None and old.is_test != customer.legal_entity.is_test:
        raise SellerNotAllowed("A customer does not move between test and live.", field="legal_entity")
    clock = customer.test_clock
    if clock is not None and clock.legal_entity_id != customer.legal_entity_id:
        raise SellerNotAllowed(
            "The customer's test clock belongs to another legal entity.", field="legal_entity"
        )


def _require_payer(customer: Customer) -> None:
    payer = customer.payer
    if payer is None:
        return
    if payer.pk == customer.pk:
        raise PayerNotAllowed("A customer without a payer pays for itself; leave it out.", field="payer")
    if Customer.objects.filter(pk=payer.pk).exclude(payer=None).exists():
        raise PayerNotAllowed(f"Somebody else pays for {payer.name}.", field="payer")
    if customer.pk and customer.paid_for.exists():
        raise PayerNotAllowed("This customer pays for others, so it pays for itself.", field="payer")
    if (
        payer.legal_entity.is_test != customer.legal_entity.is_test
        or payer.test_clock_id != customer.test_clock_id
    ):
        raise PayerNotAllowed("Payer and customer are both live, or share a test clock.", field="payer")


def _replace_lists(customer: Customer, fields: CustomerFields) -> None:
    if "tax_ids" in fields:
        _replace_tax_ids(customer, fields["tax_ids"])
    if "contacts" in fields:
        _replace_contacts(customer, fields["contacts"])


def _replace_tax_ids(customer: Customer, given: Sequence[TaxIdInput]) -> None:
    _require_length(given, "tax_ids")
    numbers: dict[str, str] = {}
    for index, one in enumerate(given):
        with within(f"tax_ids[{index}]."):
            number = clean_vat_number(country=one.country, vat_number=one.vat_number)
            if one.country in numbers:
                raise InvalidInput("There is one tax id per country.", field="country")
            numbers[one.country] = number
    customer.tax_ids.exclude(country__in=numbers).delete()
    for country, number in numbers.items():
        CustomerTaxId.objects.update_or_create(
            customer=customer, country=country, defaults={"vat_number": number}
        )


def _replace_contacts(customer: Customer, given: Sequence[ContactInput]) -> None:
    """Contacts are known by their mail address: one that stays keeps its id."""
    _require_length(given, "contacts")
    rows: dict[str, Contact] = {}
    known = {contact.email.lower(): contact for contact in customer.contacts.all()}
    for index, one in enumerate(given):
        address = one.email.strip()
        with within(f"contacts[{index}]."):
            if address.lower() in rows:
                raise InvalidInput("This mail address is given twice.", field="email")
            unknown = set(one.mail_roles) - set(MailRole.values)
            if unknown:
                raise InvalidInput(f"A mail role is one of {', '.join(MailRole.values)}.", field="mail_roles")
            contact = known.get(address.lower()) or Contact(customer=customer)
            contact.name, contact.email, contact.phone = one.name, address, one.phone
            contact.mail_roles = sorted(set(one.mail_roles))
            require_fields(contact)
            rows[address.lower()] = contact
    customer.contacts.exclude(pk__in=[row.pk for row in rows.values() if row.pk]).delete()
    for row in rows.values():
        row.save()


def _require_length(given: Sequence[object], field: str) -> None:
    if len(given) > LIST_MAX:
        raise InvalidInput(f"A customer has at most {LIST_MAX} of these.", field=field)


def _shown(customer: Customer) -> dict[str, Any]:
    """The customer as the audit trail compares it."""
    return {
        "name": customer.name,
        "legal_name": customer.legal_name,
        "address": [getattr(customer, part) for part in ADDRESS_FIELDS],
        "external_id": customer.external_id,
        "legal_entity": customer.legal_entity.public_id,
        "kind": customer.kind,
        "tax_exemption_code": customer.tax_exemption_code,
        "tax_percent": None if customer.tax_percent is None else format_quantity(customer.tax_percent),
        "currency": customer.currency,
        "time_zone": customer.time_zone,
        "language": customer.language,
        "payer": customer.payer.public_id if customer.payer else None,
        "payment_terms_days": customer.payment_terms_days,
        "collection_method": customer.collection_method,
        "buyer_reference": customer.buyer_reference,
        "purchase_order": customer.purchase_order,
        "tax_ids": sorted(customer.tax_ids.values_list("country", "vat_number")),
        "contacts": sorted(
            (row.name, row.email, row.phone, *sorted(row.mail_roles)) for row in customer.contacts.all()
        ),
    }


def _record(name: EventName, customer: Customer, actor: Actor, at: datetime, data: Mapping[str, Any]) -> None:
    activity.record(
        name=name,
        object_kind="customer",
        object_id=customer.public_id,
        customer_id=customer.public_id,
        actor=actor,
        at=at,
        data=data,
    )
