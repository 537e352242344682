"""One contact at a time, as a person at the customer changes them."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from billing.core.errors import BillingError, Kind
from billing.platform.actors import Actor
from billing.platform.lookup import get_or_not_found
from customers.models import Contact, Customer, MailRole
from customers.services.customers import update_customer
from customers.services.inputs import ContactInput


class LastBillingContact(BillingError):
    """Without a billing contact nobody would get the invoices."""

    code = "last_billing_contact"
    kind = Kind.CONFLICT


class ContactExists(BillingError):
    """The customer has a contact with this mail address already."""

    code = "contact_exists"
    kind = Kind.CONFLICT


@transaction.atomic
def save_contact(
    *, customer: Customer, contact_id: str | None, given: ContactInput, actor: Actor, at: datetime
) -> Customer:
    """Add a contact (contact_id None) or change one. Locks the customer. Emits customer.updated.

    Raises NotFound, ContactExists, LastBillingContact, InvalidInput naming the field.
    """
    contacts = _lock_contacts(customer)
    replaced = (
        get_or_not_found(customer.contacts.all(), kind="contact", public_id=contact_id)
        if contact_id is not None
        else None
    )
    others = [row for row in contacts if replaced is None or row.pk != replaced.pk]
    if any(row.email.lower() == given.email.strip().lower() for row in others):
        raise ContactExists("Another contact has this mail address.", field="email")
    after = [_input(row) for row in others]
    position = contacts.index(replaced) if replaced in contacts else len(after)
    after.insert(position, given)
    if replaced is not None and MailRole.BILLING in replaced.mail_roles:
        _require_billing(after, field="mail_roles")
    try:
        return update_customer(customer=customer, contacts=after, actor=actor, at=at)
    except BillingError as error:  # the caller knows one contact, not its place in the list
        error.fields = {
            name.removeprefix(f"contacts[{position}]."): texts for name, texts in error.fields.items()
        }
        raise


@transaction.atomic
def remove_contact(*, customer: Customer, contact_id: str, actor: Actor, at: datetime) -> Customer:
    """Remove a contact. Locks the customer. Emits customer.updated. Raises NotFound, LastBillingContact."""
    contacts = _lock_contacts(customer)
    gone = get_or_not_found(customer.contacts.all(), kind="contact", public_id=contact_id)
    after = [_input(row) for row in contacts if row.pk != gone.pk]
    if MailRole.BILLING in gone.mail_roles:
        _require_billing(after, field="")
    return update_customer(customer=customer, contacts=after, actor=actor, at=at)


def _lock_contacts(customer: Customer) -> list[Contact]:
    Customer.objects.select_for_update(no_key=True, of=("self",)).get(pk=customer.pk)
    return list(customer.contacts.order_by("pk"))


def _input(row: Contact) -> ContactInput:
    return ContactInput(name=row.name, email=row.email, phone=row.phone, mail_roles=tuple(row.mail_roles))


def _require_billing(contacts: Sequence[ContactInput], *, field: str) -> None:
    if not any(MailRole.BILLING in one.mail_roles for one in contacts):
        raise LastBillingContact(
            "Somebody has to get the invoices. Name another billing contact first.", field=field or None
        )
