"""Making and changing customers, their contacts and tax ids, from the back office."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.db.models import Q
from django.http import HttpRequest

from billing.core.tax import CustomerKind
from billing.platform import display
from billing.platform.actors import Actor
from customers import services
from customers.models import CollectionMethod, Customer, LegalEntity, MailRole, TestClock
from customers.selectors import now_for
from customers.services import Address, ContactInput, TaxIdInput
from customers.services.customers import LANGUAGES, LIST_MAX
from valueverse.backoffice.fields import CountryChoice, FigureField
from valueverse.backoffice.making import Creation
from valueverse.backoffice.verbs import Data, Outcome, Verb

LANGUAGE_NAMES = {"en": "English", "de": "German"}
ADDRESS = ("line1", "line2", "postal_code", "city", "region", "country")
TAX_ID_ROWS = 3
PLAIN = (
    "name", "legal_name", "legal_entity", "currency", "time_zone", "language", "payment_terms_days",
    "collection_method", "buyer_reference", "purchase_order", "kind", "tax_exemption_code", "tax_percent",
)  # fmt: skip


def address_fields() -> dict[str, forms.Field]:
    """A postal address, as documents print it."""
    return {
        "line1": forms.CharField(required=False, max_length=200, label="Street and number"),
        "line2": forms.CharField(required=False, max_length=200, label="Second line"),
        "postal_code": forms.CharField(required=False, max_length=20, label="Postal code"),
        "city": forms.CharField(required=False, max_length=120),
        "region": forms.CharField(required=False, max_length=120, label="State or region"),
        "country": CountryChoice(),
    }


def address_of(data: Data) -> Address:
    """What the address fields say."""
    return Address(**{part: data[part] for part in ADDRESS})


class TimeZoneField(forms.CharField):
    """A time zone by its name; the browser suggests the known ones."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=60, **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if text not in available_timezones():
            raise forms.ValidationError(f"'{text}' is not a time zone. Write it like Europe/Berlin or UTC.")
        return text


class CustomerReference(forms.CharField):
    """A customer by id or external id; an exact and single name will do too."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=120, **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value).strip()
        if not text:
            return None
        found = Customer.objects.filter(Q(public_id=text) | Q(external_id=text) | Q(name=text)).order_by(
            "pk"
        )[:2]
        if not found:
            raise forms.ValidationError(f"No customer has the id, external id or name {text}.")
        if len(found) > 1:
            raise forms.ValidationError(
                f"Several customers are called {text}. Give the id of the one you mean."
            )
        return found[0]


class CustomerForm(forms.Form):
    """Who buys, where, from whom, and on which terms."""

    name = forms.CharField(max_length=120, help_text="Short name for lists.")
    legal_name = forms.CharField(
        max_length=200, label="Legal name", help_text="Full name as registered; printed on documents."
    )
    external_id = forms.CharField(
        required=False,
        max_length=120,
        label="External id",
        help_text="Your own key for this customer, if any.",
    )
    legal_entity = forms.ModelChoiceField(
        LegalEntity.objects.order_by("name"),
        label="Seller",
        empty_label="Choose a legal entity",
        help_text="Which of your firms sells to them; for new subscriptions.",
    )
    currency = forms.CharField(max_length=3, help_text="ISO code; default for new subscriptions.")
    language = forms.ChoiceField(
        choices=[(code, LANGUAGE_NAMES.get(code, code)) for code in LANGUAGES],
        help_text="Of documents and mails.",
    )
    time_zone = TimeZoneField(
        label="Time zone",
        initial="UTC",
        help_text="Service periods start at midnight here. Running subscriptions keep theirs.",
    )
    payment_terms_days = forms.IntegerField(
        min_value=0, max_value=365, initial=0, label="Payment terms in days", help_text="0 is due on receipt."
    )
    collection_method = forms.ChoiceField(choices=CollectionMethod.choices, label="How they pay")
    payer = CustomerReference(
        required=False, label="Paid by", help_text="Id of the customer who pays, if another one does."
    )
    buyer_reference = forms.CharField(
        required=False, max_length=120, label="Buyer reference", help_text="Printed on documents (BT-10)."
    )
    purchase_order = forms.CharField(
        required=False, max_length=120, label="Purchase order", help_text="Printed on documents (BT-13)."
    )
    kind = forms.ChoiceField(
        choices=[(str(one), str(one).capitalize()) for one in CustomerKind],
        required=False,
        label="Kind of customer",
        help_text="Consumers in the EU pay the tax of their country or yours; businesses abroad may owe it themselves.",
    )
    tax_exemption_code = forms.CharField(
        required=False,
        max_length=30,
        label="Exempt by",
        help_text="VATEX code, like VATEX-EU-151 for embassies. Empty: not exempt.",
    )
    tax_percent = FigureField(
        required=False,
        label="Own tax rate in percent",
        help_text="For everything they buy. Empty: as the tax rates and rules say.",
    )
    test_clock = forms.ModelChoiceField(
        TestClock.objects.select_related("legal_entity").order_by("name", "pk"),
        required=False,
        label="Test clock",
        empty_label="None: real time",
        help_text="Only under a test entity, and for good.",
    )

    sections: tuple[tuple[Any, ...], ...] = (
        ("Who", ["name", "legal_name", "external_id"]),
        (
            "Address",
            list(ADDRESS),
            "",
            "Documents need at least city and country. The country decides the tax.",
        ),
        ("Tax", ["kind", "tax_exemption_code", "tax_percent"]),
        (
            "Tax ids",
            [f"tax_{index}_{part}" for index in range(TAX_ID_ROWS) for part in ("country", "number")],
            "",
            "VAT numbers of EU countries are checked by their check digits. Empty rows are left out.",
        ),
        ("Billing", ["legal_entity", "currency", "payment_terms_days", "collection_method", "payer"]),
        ("Documents", ["language", "time_zone", "buyer_reference", "purchase_order"]),
        (
            "First billing contact",
            ["contact_name", "contact_email"],
            "",
            "Gets the invoices. More can follow.",
        ),
        ("Test", ["test_clock"]),
    )

    def __init__(self, data: Any = None, *, customer: Customer | None = None) -> None:
        super().__init__(data, initial=dict(_initial(customer)) if customer else None)
        self.fields |= address_fields()
        for index in range(TAX_ID_ROWS):
            nth = f" {index + 1}" if index else ""
            self.fields[f"tax_{index}_country"] = CountryChoice(
                required=False, label=f"Country of tax id{nth}", help_text=""
            )
            self.fields[f"tax_{index}_number"] = forms.CharField(
                required=False, max_length=20, label=f"Tax id{nth}"
            )
        if customer is not None:
            del self.fields["test_clock"]
            self.sections = self.sections[:-2]
        else:
            self.fields["contact_name"] = forms.CharField(required=False, max_length=120, label="Name")
            self.fields["contact_email"] = forms.EmailField(required=False, label="Mail address")

    def clean_kind(self) -> str:
        return self.cleaned_data["kind"] or CustomerKind.BUSINESS.value

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cleaned_data
        rows: list[TaxIdInput] = []
        self.tax_rows: list[int] = []
        for index in range(TAX_ID_ROWS):
            country, number = found.get(f"tax_{index}_country"), found.get(f"tax_{index}_number")
            if number and not country and f"tax_{index}_country" not in self.errors:
                self.add_error(f"tax_{index}_country", "Which country gave this tax id?")
            elif country and not number:
                self.add_error(
                    f"tax_{index}_number", f"The tax id in {country} is missing. Empty both to leave it out."
                )
            elif number and country:
                rows.append(TaxIdInput(country=country, vat_number=number))
                self.tax_rows.append(index)
        found["tax_ids"] = rows
        if bool(found.get("contact_name")) != bool(found.get("contact_email")) and not self.errors:
            missing = "contact_email" if found.get("contact_name") else "contact_name"
            self.add_error(missing, "A contact has a name and a mail address.")
        return found

    def place(self, name: str) -> str:
        """The field that services know as `address.country` or `tax_ids[0].vat_number`."""
        if name.startswith("tax_ids["):
            index, _, part = name.removeprefix("tax_ids[").partition("].")
            rows = getattr(self, "tax_rows", [])
            if index.isdecimal() and int(index) < len(rows):
                return f"tax_{rows[int(index)]}_{'number' if part == 'vat_number' else 'country'}"
        if name.startswith("contacts[0]."):
            return f"contact_{name.removeprefix('contacts[0].')}"
        return name.removeprefix("address.")


def _initial(customer: Customer) -> Data:
    shown: dict[str, Any] = {name: getattr(customer, name) for name in (*PLAIN, *ADDRESS)}
    shown["legal_entity"] = customer.legal_entity_id
    shown["external_id"] = customer.external_id or ""
    shown["payer"] = customer.payer.public_id if customer.payer else ""
    for index, one in enumerate(customer.tax_ids.order_by("country")[:TAX_ID_ROWS]):
        shown[f"tax_{index}_country"], shown[f"tax_{index}_number"] = one.country, one.vat_number
    return shown


def fields_of(data: Data) -> Any:
    """What the form says, as services take it."""
    return {
        **{name: data[name] for name in PLAIN},
        "address": address_of(data),
        "external_id": data["external_id"] or None,
        "payer": data["payer"],
        "tax_ids": data["tax_ids"],
    }


class NewCustomer(Creation):
    """A customer, with the first contact."""

    def __init__(self) -> None:
        super().__init__(
            "new",
            "New customer",
            "customers.add_customer",
            "Everything but the test clock can be changed later. Nothing is billed before a subscription starts.",
            CustomerForm,
            model=Customer,
        )

    def initial(self, request: HttpRequest) -> Data:
        entities = list(LegalEntity.objects.order_by("pk")[:2])
        if len(entities) != 1:
            return {}
        only = entities[0]
        return {"legal_entity": only.pk, "currency": only.accounting_currency, "time_zone": only.time_zone}

    def button(self, row: Any, data: Data) -> str:
        return "Create customer"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        contacts: Sequence[ContactInput] = ()
        if data["contact_email"]:
            contacts = [ContactInput(name=data["contact_name"], email=data["contact_email"])]
        clock = data["test_clock"]
        made = services.create_customer(
            **fields_of(data),
            contacts=contacts,
            test_clock=clock,
            actor=actor,
            at=clock.now_at if clock else at,
        )
        return Outcome(f"Created {made.name}. Next: start a subscription.", made)


class CustomerVerb(Verb):
    """What verbs on a customer share."""

    def at(self, row: Any) -> datetime:
        return now_for(row)


class EditCustomer(CustomerVerb):
    """Other master data."""

    def __init__(self) -> None:
        super().__init__(
            "edit",
            "Edit",
            "customers.change_customer",
            "Applies from the next invoice. Issued documents never change; running subscriptions keep seller, "
            "currency and time zone.",
            CustomerForm,
            rehearses=False,
            edits=True,
        )

    def form(self, row: Any, data: Any = None) -> forms.Form:
        return CustomerForm(data, customer=row)

    def state(self, row: Any) -> tuple[Any, ...]:
        return tuple(sorted((name, str(value)) for name, value in _initial(row).items()))

    def button(self, row: Any, data: Data) -> str:
        return "Save customer"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        kept = [
            TaxIdInput(country=one.country, vat_number=one.vat_number)
            for one in row.tax_ids.order_by("country")[TAX_ID_ROWS : LIST_MAX + 1]
        ]
        given = fields_of(data)
        given["tax_ids"] = [*given["tax_ids"], *kept]
        made = services.update_customer(customer=row, **given, actor=actor, at=at)
        return Outcome(f"Saved {made.name}.", made)


class ContactForm(forms.Form):
    """A person at the customer."""

    name = forms.CharField(max_length=120)
    email = forms.EmailField(label="Mail address")
    phone = forms.CharField(required=False, max_length=40)
    mail_roles = forms.MultipleChoiceField(
        choices=MailRole.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        initial=[MailRole.BILLING.value],
        label="Gets these mails",
    )


class ContactVerb(Verb):
    """What verbs on a contact share."""

    def at(self, row: Any) -> datetime:
        return now_for(row.customer)

    def subject(self, row: Any) -> str:
        return f"{row.name}, {row.customer}"

    def back(self, row: Any) -> str:
        return display.page_of(row.customer)

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.name, row.email, row.phone, tuple(row.mail_roles))


class NewContact(CustomerVerb):
    """One more person."""

    def __init__(self) -> None:
        super().__init__(
            "new-contact",
            "New contact",
            "customers.change_customer",
            "Mails go to the contacts there are when they are sent.",
            ContactForm,
            rehearses=False,
        )

    def state(self, row: Any) -> tuple[Any, ...]:
        return tuple(row.contacts.order_by("pk").values_list("pk", "email"))

    def button(self, row: Any, data: Data) -> str:
        return "Add contact"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        services.save_contact(customer=row, contact_id=None, given=ContactInput(**data), actor=actor, at=at)
        return Outcome(f"Added {data['name']}.", row)


class EditContact(ContactVerb):
    """Another address, other mails."""

    def __init__(self) -> None:
        super().__init__(
            "edit",
            "Edit contact",
            "customers.change_customer",
            "Somebody always gets the invoices: the last billing contact keeps that mail.",
            ContactForm,
            rehearses=False,
            edits=True,
        )

    def form(self, row: Any, data: Any = None) -> forms.Form:
        initial = {"name": row.name, "email": row.email, "phone": row.phone, "mail_roles": row.mail_roles}
        return ContactForm(data, initial=initial)

    def button(self, row: Any, data: Data) -> str:
        return "Save contact"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        services.save_contact(
            customer=row.customer, contact_id=row.public_id, given=ContactInput(**data), actor=actor, at=at
        )
        return Outcome(f"Saved {data['name']}.", row.customer)


class RemoveContact(ContactVerb):
    """A person who has left."""

    def __init__(self) -> None:
        super().__init__(
            "remove",
            "Remove contact",
            "customers.change_customer",
            "Gets no mail any more. Portal access is taken away apart, on the portal page.",
        )

    def button(self, row: Any, data: Data) -> str:
        return f"Remove {row.name}"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        services.remove_contact(customer=row.customer, contact_id=row.public_id, actor=actor, at=at)
        return Outcome(f"Removed {row.name}.", row.customer)


class CheckVatNumber(Verb):
    """VIES is asked about the VAT number, by a task after the commit."""

    def __init__(self) -> None:
        super().__init__(
            "vat-check",
            "Check VAT number",
            "customers.change_customer",
            "VIES is asked within seconds. Its answer, its time and its consultation number are kept for good.",
            rehearses=False,
        )

    def at(self, row: Any) -> datetime:
        return now_for(row)

    def is_offered(self, row: Any) -> bool:
        return services.checkable_tax_id(row) is not None

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        tax_id = services.checkable_tax_id(row)
        last = row.vat_checks.first()
        return [
            ("VAT number", tax_id.vat_number if tax_id else "None"),
            (
                "Last answer",
                f"{last.get_outcome_display()}, {last.asked_at:%Y-%m-%d %H:%M} UTC"
                if last
                else "Never asked",
            ),
        ]

    def button(self, row: Any, data: Data) -> str:
        return "Check now"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        services.request_vat_check(customer=row, actor=actor, at=at)
        return Outcome("VIES is asked. The answer appears on this page.", row)


CUSTOMER_VERBS: tuple[Verb, ...] = (EditCustomer(), NewContact(), CheckVatNumber())
CONTACT_VERBS: tuple[Verb, ...] = (EditContact(), RemoveContact())
