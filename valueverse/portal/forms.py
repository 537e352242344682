"""What people type into the portal. Forms only read; services judge, and their refusals stand at the fields."""

from typing import Any

from django import forms

from billing.core.errors import BillingError
from billing.invoices.documents.formatting import country_name
from billing.platform.countries import COUNTRIES
from customers.models import MailRole
from valueverse.portal.words import LANGUAGE_NAMES, WORDS, say


class PortalForm(forms.Form):
    """A form with labels in the portal's words, and a place for typed errors."""

    labels: dict[str, str] = {}
    helps: dict[str, str] = {}

    def __init__(self, *args: Any, language: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.words_language = language
        for name, field in self.fields.items():
            field.label = say(language, self.labels.get(name, name))
            if name in self.helps:
                field.help_text = say(language, self.helps[name])

    def refuse(self, error: BillingError, *, names: dict[str, str] | None = None) -> None:
        """Put a refusal beside the fields it names, or on top. names: the service's names, where they differ."""
        known, words = names or {}, WORDS[self.words_language]
        own_words = words.get(f"error_{error.code}")
        placed = False
        for name, texts in error.fields.items():
            here = known.get(name, name)
            if here in self.fields:
                better = own_words or words.get(f"refused_{here}")
                self.add_error(here, [better] if better else texts)
                placed = True
        if not placed:
            self.add_error(None, own_words or error.message)


class CompanyForm(PortalForm):
    """Company data as it stands on the next invoice."""

    labels = {"language": "documents_language"}
    helps = {"vat_number": "vat_help", "purchase_order": "printed", "buyer_reference": "printed"}

    legal_name = forms.CharField(max_length=200)
    line1 = forms.CharField(max_length=200, required=False)
    line2 = forms.CharField(max_length=200, required=False)
    postal_code = forms.CharField(max_length=20, required=False)
    city = forms.CharField(max_length=120)
    region = forms.CharField(max_length=120, required=False)
    country = forms.ChoiceField()
    vat_number = forms.CharField(max_length=30, required=False)
    purchase_order = forms.CharField(max_length=120, required=False)
    buyer_reference = forms.CharField(max_length=120, required=False)
    language = forms.ChoiceField(choices=list(LANGUAGE_NAMES.items()))

    def __init__(self, *args: Any, language: str, **kwargs: Any) -> None:
        super().__init__(*args, language=language, **kwargs)
        countries = sorted((country_name(code, language), code) for code in COUNTRIES)
        self.fields["country"].choices = [(code, name) for name, code in countries]  # type: ignore[attr-defined]


class ContactForm(PortalForm):
    """A contact and which mails they get."""

    labels = {"email": "contact_email"}

    name = forms.CharField(max_length=120)
    email = forms.EmailField(max_length=254)
    phone = forms.CharField(max_length=40, required=False)
    mail_roles = forms.MultipleChoiceField(required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, *args: Any, language: str, **kwargs: Any) -> None:
        super().__init__(*args, language=language, **kwargs)
        roles = [(role, say(language, f"role_{role}")) for role in MailRole.values]
        self.fields["mail_roles"].choices = roles  # type: ignore[attr-defined]


class PasswordForm(PortalForm):
    """A new password, and the present one."""

    labels = {"current": "current_password", "password": "new_password"}
    helps = {"password": "new_password_help"}

    current = forms.CharField(
        max_length=500, widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
    password = forms.CharField(
        max_length=500, widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})
    )
