"""The forms of a legal entity."""

from datetime import date
from typing import Any

from django import forms

from billing.core.errors import InvalidInput
from billing.core.tax import TaxRounding
from customers.models import LegalEntity, NumberFormat, VatIdPolicy
from customers.services import BankAccount
from customers.services.logos import LOGO_LENGTH_MAX, require_logo
from valueverse.backoffice.customer_verbs import ADDRESS, TimeZoneField, address_fields
from valueverse.backoffice.fields import CountryChoice
from valueverse.backoffice.verbs import Data

BANK = {"bank_holder": "holder", "bank_name": "name", "iban": "iban", "bic": "bic"}
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
ENDINGS = (".svg",)


def bank_of(data: Data) -> BankAccount:
    """What the bank fields say."""
    return BankAccount(**{part: data[name] for name, part in BANK.items()})


def identity_fields() -> dict[str, forms.Field]:
    return {
        "name": forms.CharField(max_length=120, help_text="Short name for lists."),
        "legal_name": forms.CharField(
            max_length=200, label="Legal name", help_text="Full name as registered; printed on documents."
        ),
    }


def footer_fields() -> dict[str, forms.Field]:
    return {
        "registration": forms.CharField(
            required=False,
            max_length=200,
            label="Register",
            help_text="Court and number, as the footer prints it.",
        ),
        "directors": forms.CharField(
            required=False, max_length=200, label="Managing directors", help_text="As the footer names them."
        ),
        "email": forms.EmailField(required=False, label="Mail address"),
        "phone": forms.CharField(required=False, max_length=40),
    }


def bank_fields() -> dict[str, forms.Field]:
    return {
        "bank_holder": forms.CharField(
            required=False, max_length=70, label="Account holder", help_text="Empty: the legal name."
        ),
        "bank_name": forms.CharField(required=False, max_length=120, label="Bank"),
        "iban": forms.CharField(
            required=False,
            max_length=42,
            label="IBAN",
            help_text="Check digits are verified. Needed for transfers.",
        ),
        "bic": forms.CharField(required=False, max_length=11, label="BIC"),
    }


class Placed(forms.Form):
    """A form that knows the names by which services call its fields."""

    places = {f"address.{part}": part for part in ADDRESS} | {
        f"bank_account.{part}": name for name, part in BANK.items()
    }

    def place(self, name: str) -> str:
        return self.places.get(name, name)


class SellerForm(Placed):
    """Everything a seller needs to issue documents."""

    places = Placed.places | {
        "number_series.invoice": "invoice_numbers",
        "number_series.credit_note": "credit_note_numbers",
        "number_series": "credit_note_numbers",
        "tax_registrations[0].vat_number": "vat_number",
        "tax_registrations[0].tax_number": "tax_number",
        "tax_registrations[0].country": "country",
        "tax_registrations[0].valid_from": "registered_from",
    }
    sections = (
        ("Identity", ["name", "legal_name", "is_test"]),
        ("Address", list(ADDRESS), "", "The country decides the tax and stays for good."),
        (
            "Books",
            ["accounting_currency", "time_zone", "fiscal_year_start_month", "retention_years"],
        ),
        (
            "Tax",
            ["vat_number", "tax_number", "registered_from"],
            "",
            "A VAT number or a tax number; documents print the one in force on their day.",
        ),
        (
            "Numbers",
            ["invoice_numbers", "credit_note_numbers"],
            "",
            "{year} and {number} once each; {number:06d} has leading zeros. Counted from 1 each year, without gaps.",
        ),
        ("Bank account", list(BANK)),
        ("Footer and contact", ["registration", "directors", "email", "phone"]),
    )

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        self.fields |= identity_fields() | address_fields()
        self.fields["is_test"] = forms.BooleanField(
            required=False,
            label="For tests only",
            help_text="Own numbers and books, documents marked TEST, and test clocks. Never changes.",
        )
        self.fields["accounting_currency"] = forms.CharField(
            max_length=3, label="Currency of the books", help_text="ISO code, like EUR."
        )
        self.fields["time_zone"] = TimeZoneField(
            label="Time zone", help_text="Decides issue, due and accounting dates, like Europe/Berlin."
        )
        self.fields["fiscal_year_start_month"] = forms.TypedChoiceField(
            choices=list(enumerate(MONTHS, start=1)), coerce=int, label="Fiscal year starts in", initial=1
        )
        self.fields["retention_years"] = forms.IntegerField(
            min_value=1, max_value=100, initial=10, label="Documents are kept for, in years"
        )
        self.fields["vat_number"] = forms.CharField(required=False, max_length=20, label="VAT number")
        self.fields["tax_number"] = forms.CharField(required=False, max_length=40, label="Tax number")
        self.fields["registered_from"] = forms.DateField(
            required=False, label="Registered from", input_formats=["%Y-%m-%d"], help_text="Like 2020-01-01."
        )
        self.fields["invoice_numbers"] = forms.CharField(
            max_length=40, label="Invoices", initial="INV-{year}-{number:06d}"
        )
        self.fields["credit_note_numbers"] = forms.CharField(
            max_length=40, label="Credit notes", initial="CN-{year}-{number:06d}"
        )
        self.fields |= bank_fields() | footer_fields()

    def clean_accounting_currency(self) -> str:
        return str(self.cleaned_data["accounting_currency"]).upper()

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cleaned_data
        has_number = bool(found.get("vat_number") or found.get("tax_number"))
        if has_number and not found.get("registered_from") and "registered_from" not in self.errors:
            self.add_error("registered_from", "From which day on does this number hold?")
        return found


class IdentityForm(Placed):
    """Who the seller is, as documents say it."""

    sections = (
        ("Name", ["name", "legal_name"]),
        ("Address", [part for part in ADDRESS if part != "country"]),
        ("Footer and contact", ["registration", "directors", "email", "phone"]),
    )

    def __init__(self, data: Any = None, *, entity: LegalEntity) -> None:
        names = ("name", "legal_name", "registration", "directors", "email", "phone", *ADDRESS)
        super().__init__(data, initial={name: getattr(entity, name) for name in names if name != "country"})
        self.fields |= identity_fields() | address_fields() | footer_fields()
        del self.fields["country"]


class BankForm(Placed):
    """Where customers pay to."""

    def __init__(self, data: Any = None, *, entity: LegalEntity) -> None:
        super().__init__(data, initial={name: getattr(entity, name) for name in BANK})
        self.fields |= bank_fields()


class HabitsForm(Placed):
    """How the back office writes this seller's figures, and who starts its bills."""

    def __init__(self, data: Any = None, *, entity: LegalEntity) -> None:
        names = ("number_format", "reviews_bill_runs", "tax_rounding", "vat_id_policy")
        super().__init__(data, initial={name: getattr(entity, name) for name in names})
        self.fields["number_format"] = forms.ChoiceField(
            choices=NumberFormat.choices,
            label="Figures are written",
            help_text="In the back office. Documents follow the customer's language, exports neither.",
        )
        self.fields["reviews_bill_runs"] = forms.BooleanField(
            required=False,
            label="Bill runs wait for a person",
            help_text="Nothing is billed by itself: what is due waits until somebody starts a bill run.",
        )
        self.fields["tax_rounding"] = forms.ChoiceField(
            choices=[
                (TaxRounding.DOCUMENT.value, "Once per rate of a document"),
                (TaxRounding.LINE.value, "Line by line"),
            ],
            required=False,
            label="Tax is rounded",
            help_text="For drafts made from now on; per rate is what EN 16931 asks for.",
        )

        self.fields["vat_id_policy"] = forms.ChoiceField(
            choices=VatIdPolicy.choices,
            required=False,
            label="Reverse charge needs a VAT number",
            help_text="Of businesses in other countries of the EU. While VIES has not answered, they are never billed "
            "at 0 %.",
        )

    def clean_vat_id_policy(self) -> str:
        return self.cleaned_data["vat_id_policy"] or VatIdPolicy.CHECKSUM.value

    def clean_tax_rounding(self) -> str:
        return self.cleaned_data["tax_rounding"] or TaxRounding.DOCUMENT.value


class LookForm(Placed):
    """Color and logo; a logo is checked before it is stored: it draws, and does nothing else."""

    places = {"logo_svg": "logo"}

    def __init__(self, data: Any = None, *, files: Any = None, entity: LegalEntity) -> None:
        super().__init__(data, files, initial={"accent_color": entity.accent_color})
        self.fields["accent_color"] = forms.CharField(
            max_length=7, label="Color of titles", help_text="As #rrggbb, readable on white and in grey."
        )
        self.fields["logo"] = forms.FileField(
            required=False,
            label="Logo",
            help_text="An SVG drawing of at most 100 kB, without scripts, images or links. Printed at the top right.",
            widget=forms.FileInput(attrs={"accept": ".svg,image/svg+xml"}),
        )
        self.fields["removes_logo"] = forms.BooleanField(required=False, label="Print no logo")

    def clean_logo(self) -> str:
        """The drawing as text, after every check that the service makes too."""
        given: Any = self.cleaned_data["logo"]
        if given is None:
            return ""
        if not str(given.name).lower().endswith(ENDINGS):
            raise forms.ValidationError("A logo is an SVG file: its name ends in .svg.")
        if (given.size or 0) > LOGO_LENGTH_MAX:
            raise forms.ValidationError(
                f"This file has {(given.size or 0) // 1000} kB. At most 100 kB are taken."
            )
        try:
            return require_logo(given.read().decode("utf-8"))
        except UnicodeDecodeError as error:
            raise forms.ValidationError("This is not SVG: it is not text in UTF-8.") from error
        except InvalidInput as error:
            raise forms.ValidationError(error.message) from error


class RegistrationForm(Placed):
    """A tax number in one country, from a day on."""

    country = CountryChoice()
    vat_number = forms.CharField(
        required=False,
        max_length=20,
        label="VAT number",
        help_text="With country prefix; check digits are verified.",
    )
    tax_number = forms.CharField(required=False, max_length=40, label="Tax number")
    valid_from = forms.DateField(
        label="Holds from", input_formats=["%Y-%m-%d"], help_text="First day, like 2024-01-01."
    )
    last_on = forms.DateField(
        required=False,
        label="Last day",
        input_formats=["%Y-%m-%d"],
        help_text="Empty: until another follows.",
    )
    one_stop_shop = forms.BooleanField(
        required=False,
        label="One-stop shop",
        help_text="Sales to consumers in all other member states of the EU are accounted for with it, at their rates.",
    )
    places = {"valid_to": "last_on"}

    def clean_last_on(self) -> date | None:
        last: date | None = self.cleaned_data["last_on"]
        if last == date.max:
            raise forms.ValidationError("Leave this empty for a registration without an end.")
        return last
