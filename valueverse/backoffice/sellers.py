"""Legal entities in the back office: who issues documents, under which numbers, with which bank account and logo."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from billing.activity.selectors import activity_of
from billing.catalog.selectors import standard_rates
from billing.invoices.documents.pdf import DocumentNotRenderable
from billing.invoices.models import CreditNote, Invoice
from billing.invoices.sample import sample_invoice
from billing.platform import display
from billing.platform.actors import Actor
from customers import services
from customers.admin import LegalEntityAdmin
from customers.models import DocumentType, LegalEntity
from customers.selectors import now_for_seller
from customers.services import TaxRegistrationInput
from valueverse.backoffice.customer_verbs import address_of
from valueverse.backoffice.making import Creation
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.seller_forms import (
    BankForm,
    HabitsForm,
    IdentityForm,
    LookForm,
    RegistrationForm,
    SellerForm,
    bank_of,
)
from valueverse.backoffice.verbs import Data, Outcome, Verb


class NewSeller(Creation):
    """A firm that issues documents and keeps books."""

    def __init__(self) -> None:
        super().__init__(
            "new",
            "New legal entity",
            "customers.add_legalentity",
            "Country, currency of the books, time zone, number patterns and test or live stay for good.",
            SellerForm,
            model=LegalEntity,
        )

    def button(self, row: Any, data: Data) -> str:
        return "Create legal entity"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        registrations = []
        if data["vat_number"] or data["tax_number"]:
            registrations.append(
                TaxRegistrationInput(
                    country=data["country"],
                    vat_number=data["vat_number"],
                    tax_number=data["tax_number"],
                    valid_from=data["registered_from"],
                )
            )
        kept = (
            "name", "legal_name", "accounting_currency", "time_zone", "registration", "directors", "email", "phone",
            "fiscal_year_start_month", "retention_years", "is_test",
        )  # fmt: skip
        made = services.create_legal_entity(
            **{name: data[name] for name in kept},
            address=address_of(data),
            bank_account=bank_of(data),
            number_series={"invoice": data["invoice_numbers"], "credit_note": data["credit_note_numbers"]},
            tax_registrations=registrations,
            actor=actor,
            at=at,
        )
        return Outcome(f"Created {made.name}. Next: the tax rate of {made.country}.", made)


class SellerVerb(Verb):
    """What verbs on a legal entity share."""

    def __init__(self, slug: str, label: str, form_class: Any, before: str) -> None:
        super().__init__(
            slug, label, "customers.change_legalentity", before, form_class, rehearses=False, edits=True
        )

    def at(self, row: Any) -> datetime:
        return now_for_seller(row)

    def form(self, row: Any, data: Any = None) -> Any:
        return self.form_class(data, entity=row)  # type: ignore[call-arg]

    def state(self, row: Any) -> tuple[Any, ...]:
        return tuple(sorted((name, str(value)) for name, value in self.form(row).initial.items()))

    def changes(self, row: Any, data: Data) -> Any:
        """What the service is given."""
        raise NotImplementedError

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.update_legal_entity(legal_entity=row, actor=actor, at=at, **self.changes(row, data))
        return Outcome(f"Saved {made.name}. Documents issued from now on say so.", made)


class EditIdentity(SellerVerb):
    """Name, address, register, people."""

    def __init__(self) -> None:
        super().__init__(
            "edit",
            "Edit identity",
            IdentityForm,
            "Issued documents never change; the country stays for good.",
        )

    def changes(self, row: Any, data: Data) -> Any:
        names = ("name", "legal_name", "registration", "directors", "email", "phone")
        address = address_of({**data, "country": row.country})
        return {**{name: data[name] for name in names}, "address": address}


class EditBank(SellerVerb):
    """Where customers pay to."""

    def __init__(self) -> None:
        super().__init__(
            "bank",
            "Edit bank account",
            BankForm,
            "Issued invoices keep the account that they name: tell payers.",
        )

    def changes(self, row: Any, data: Data) -> Any:
        return {"bank_account": bank_of(data)}


class EditHabits(SellerVerb):
    """Number format, and whether bills wait for a person."""

    def __init__(self) -> None:
        super().__init__(
            "habits",
            "Edit format, bill runs, tax",
            HabitsForm,
            "Holds from the next page and the next hour on.",
        )

    def changes(self, row: Any, data: Data) -> Any:
        return dict(data)


class EditLook(SellerVerb):
    """Logo and color."""

    def __init__(self) -> None:
        super().__init__(
            "look", "Edit documents", LookForm, "See the sample PDF before the next invoice is issued."
        )

    def bound_form(self, row: Any, request: HttpRequest) -> Any:
        return LookForm(request.POST, files=request.FILES, entity=row)

    def changes(self, row: Any, data: Data) -> Any:
        changes = {"accent_color": data["accent_color"]}
        if data["removes_logo"]:
            changes["logo_svg"] = ""
        elif data["logo"]:
            changes["logo_svg"] = data["logo"]
        return changes


class AddRegistration(Verb):
    """A tax number from a day on."""

    def __init__(self) -> None:
        super().__init__(
            "add-registration",
            "Add tax registration",
            "customers.add_taxregistration",
            "The registration in force in this country ends the day before. Issued documents keep theirs.",
            RegistrationForm,
            rehearses=False,
        )

    def at(self, row: Any) -> datetime:
        return now_for_seller(row)

    def state(self, row: Any) -> tuple[Any, ...]:
        return tuple(row.tax_registrations.order_by("pk").values_list("pk", "valid_to"))

    def form(self, row: Any, data: Any = None) -> Any:
        return RegistrationForm(data, initial={"country": row.country})

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        given = TaxRegistrationInput(
            country=data["country"],
            vat_number=data["vat_number"],
            tax_number=data["tax_number"],
            valid_from=data["valid_from"],
            valid_to=data["last_on"] + timedelta(days=1) if data["last_on"] else None,
            one_stop_shop=data["one_stop_shop"],
        )
        made = services.add_tax_registration(legal_entity=row, registration=given, actor=actor, at=at)
        return Outcome(f"Added {made} from {made.valid_from}.", row)


@dataclass(frozen=True, slots=True)
class Numbers:
    """A year of a number series: what comes next, and whether every number up to the last has its document."""

    kind: str
    pattern: str
    year: int
    last_number: int
    next_number: str
    documents: int

    @property
    def missing(self) -> int:
        """Numbers without a document; 0 is as it must be."""
        return self.last_number - self.documents


def numbers_of(entity: LegalEntity, year: int) -> list[Numbers]:
    """Every series by year, newest first, with this year even if nothing is issued yet."""
    found = []
    for series in entity.number_series.prefetch_related("counters").order_by("document_type"):
        model: Any = Invoice if series.document_type == DocumentType.INVOICE else CreditNote
        counted = dict(
            model.objects.filter(series=series)
            .order_by()
            .values_list("series_year")
            .annotate(Count("series_number", distinct=True))
        )
        last = {counter.year: counter.last_number for counter in series.counters.all()}
        for one in sorted({*last, year}, reverse=True):
            number = last.get(one, 0)
            found.append(
                Numbers(
                    series.get_document_type_display(),
                    series.pattern,
                    one,
                    number,
                    series.format(year=one, number=number + 1),
                    counted.get(one, 0),
                )
            )
    return found


@admin.register(LegalEntity)
class SellerPage(ObjectPage, LegalEntityAdmin):
    """A legal entity with identity, tax, numbers, bank and documents."""

    page_template = "backoffice/seller.html"
    create = NewSeller()
    verbs = (EditIdentity(), EditBank(), EditLook(), EditHabits(), AddRegistration())

    def get_urls(self) -> list[URLPattern]:
        sample = self.admin_site.admin_view(self.sample_view)
        return [path("<int:pk>/sample.pdf", sample, name="customers_legalentity_sample"), *super().get_urls()]

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        at = now_for_seller(row)
        today = at.astimezone(ZoneInfo(row.time_zone)).date()
        registrations = row.tax_registrations.order_by("country", "-valid_from")
        return {
            "title": row.name,
            "at": at,
            "registrations": [
                (one, display.last_day(one.valid_to) if one.valid_to else None) for one in registrations[:100]
            ],
            "numbers": numbers_of(row, today.year),
            "rate": standard_rates(on=today).get(row.country),
            "today": today,
            "customer_count": row.customers.count(),
            "activity": list(activity_of(object_id=row.public_id)[:20]),
        }

    def sample_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """A sample invoice as PDF: never stored, marked as a test."""
        row = self.find(request, pk)
        today = now_for_seller(row).astimezone(ZoneInfo(row.time_zone)).date()
        rates = standard_rates(on=today)
        language = "de" if request.GET.get("language") == "de" else "en"
        try:
            content = sample_invoice(
                legal_entity=row, on=today, percent=rates.get(row.country, Decimal(0)), language=language
            )
        except DocumentNotRenderable as error:
            return HttpResponse(error.message, status=409, content_type="text/plain; charset=utf-8")
        return HttpResponse(
            content,
            content_type="application/pdf",
            headers={"Content-Disposition": 'inline; filename="sample.pdf"'},
        )
