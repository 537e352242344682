"""What the usage explorer and the list of events are asked: every field says what is wrong with it."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator

from billing.catalog.models import Meter
from customers.models import Customer, LegalEntity

DIMENSION = "property:"
"""Marks a property's name among the ways to split usage."""

UNITS = (("day", "Day"), ("hour", "Hour"))
NAMED_MAX = 5


class CustomerField(forms.CharField):
    """A customer by public id, external id or name; the beginning of a name will do if only one begins so."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        exact = (
            Customer.objects.filter(public_id=text).first()
            or Customer.objects.filter(external_id=text).first()
        )
        if exact is not None:
            return exact
        named = list(Customer.objects.filter(name__iexact=text).order_by("pk")[: NAMED_MAX + 1])
        named = named or list(
            Customer.objects.filter(name__istartswith=text).order_by("name", "pk")[: NAMED_MAX + 1]
        )
        if len(named) == 1:
            return named[0]
        if not named:
            raise ValidationError(
                "No customer has this id, external id or name. The customer's page has the id."
            )
        shown = "; ".join(f"{one.name} ({one.public_id})" for one in named[:NAMED_MAX])
        more = " and more" if len(named) > NAMED_MAX else ""
        raise ValidationError(f"Several customers fit: {shown}{more}. Give the id.")


class InstantField(forms.DateTimeField):
    """An instant with its offset, as ISO 8601; hidden, since it comes from a link."""

    widget = forms.HiddenInput
    default_error_messages = {
        "invalid": "An instant reads like 2023-11-16T18:00:00+00:00. Follow the link again."
    }


def day_field(label: str, *, required: bool = True) -> forms.DateField:
    """A day typed as 2023-11-30, of this century or the next."""
    return forms.DateField(
        label=label,
        required=required,
        input_formats=["%Y-%m-%d"],
        widget=forms.DateInput(attrs={"size": 10}),
        validators=[
            MinValueValidator(date(2000, 1, 1), "The first day is 2000-01-01."),
            MaxValueValidator(date(2199, 12, 31), "The last day is 2199-12-31."),
        ],
        error_messages={"invalid": "A day reads like 2023-11-30.", "required": "Give a day like 2023-11-30."},
    )


class ExplorerForm(forms.Form):
    """Whose usage of which meter, which days (inclusive, in the customer's zone), and split by what."""

    customer = CustomerField(
        label="Customer",
        max_length=120,
        widget=forms.TextInput(attrs={"placeholder": "name, id or external id"}),
    )
    meter = forms.ModelChoiceField(
        Meter.objects.order_by("code"),
        to_field_name="code",
        empty_label=None,
        error_messages={"invalid_choice": "There is no such meter. Choose one of the list."},
    )
    by = forms.ChoiceField(
        label="By", error_messages={"invalid_choice": "Usage is not split by this. Choose from the list."}
    )
    received_after = InstantField(required=False)
    received_until = InstantField(required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        by = self.fields.pop("by")
        self.fields["from"] = day_field("From")
        self.fields["to"] = day_field("To")
        self.fields["by"] = by
        self.fields["by"].choices = UNITS  # type: ignore[attr-defined]
        for name in ("from", "to"):
            self.fields[name].required = True

    def found_customer(self) -> Customer | None:
        """The customer, if the field names one, before the rest is filled in."""
        try:
            found: Customer | None = self.fields["customer"].clean(self.data.get("customer", ""))
        except ValidationError:
            return None
        return found

    def offer(self, properties: Sequence[str], chosen: str) -> None:
        """Offer properties of the events to split by; the one chosen stays, though no recent event may have it."""
        names = list(properties)
        kept = chosen.removeprefix(DIMENSION)
        if chosen.startswith(DIMENSION) and kept not in names and 0 < len(kept) <= 120:
            names.append(kept)
        self.fields["by"].choices = [*UNITS, *((f"{DIMENSION}{name}", name) for name in names)]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("from") and given.get("to") and given["from"] > given["to"]:
            self.add_error("to", "The last day is before the first.")
        return given


class EventsForm(forms.Form):
    """Which events: whose, when used, when received, with which property."""

    customer = CustomerField(required=False, label="Customer", max_length=120)
    meter = forms.ModelChoiceField(
        Meter.objects.order_by("code"),
        to_field_name="code",
        required=False,
        empty_label="All",
        error_messages={"invalid_choice": "There is no such meter. Choose one of the list."},
    )
    entity = forms.ModelChoiceField(
        LegalEntity.objects.order_by("pk"), required=False, widget=forms.HiddenInput
    )
    at_from = InstantField(required=False)
    at_to = InstantField(required=False)
    received_from = InstantField(required=False)
    received_to = InstantField(required=False)
    received_after = InstantField(required=False)
    received_until = InstantField(required=False)
    property = forms.CharField(required=False, max_length=120, widget=forms.HiddenInput)
    value = forms.CharField(required=False, max_length=500, strip=False, widget=forms.HiddenInput)
    without = forms.CharField(required=False, max_length=120, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if not self.errors and not given.get("customer") and not given.get("entity"):
            self.add_error("customer", "Name a customer: its id, external id or name.")
        return given
