"""Company data, tax id and contacts: read by every member, changed by managers, through the services."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing.core.errors import BillingError
from billing.invoices.documents.formatting import country_name
from billing.platform.lookup import NotFound, get_or_not_found
from customers import services
from customers.models import Customer, PortalMembership
from customers.services import Address, ContactInput, TaxIdInput
from valueverse.portal.access import Member, for_managers, for_members, show
from valueverse.portal.forms import CompanyForm, ContactForm, PortalForm
from valueverse.portal.words import LANGUAGE_NAMES, refusal

ADDRESS = ("line1", "line2", "postal_code", "city", "region", "country")
NAMES = {f"address.{name}": name for name in ADDRESS} | {"tax_ids[0].vat_number": "vat_number"}


@require_safe
@for_members
def company(request: HttpRequest, member: Member) -> HttpResponse:
    """What stands on invoices, who gets which mails, and who may sign in."""
    customer = member.customer
    content = {
        "country": country_name(customer.country, member.language),
        "tax_ids": list(customer.tax_ids.order_by("country")),
        "documents_language": LANGUAGE_NAMES.get(customer.language, customer.language),
        "contacts": customer.contacts.order_by("pk"),
        "people": PortalMembership.objects.filter(customer=customer).select_related("user").order_by("pk"),
    }
    return show(request, "company", content, member=member)


@require_http_methods(["GET", "HEAD", "POST"])
@for_members
@for_managers
def edit(request: HttpRequest, member: Member) -> HttpResponse:
    """Change company data. A refusal stands beside its field, and what was typed stays."""
    customer = member.customer
    if request.method != "POST":
        return _form_page(request, member, CompanyForm(initial=_shown(customer), language=member.language))
    form = CompanyForm(request.POST, language=member.language)
    if form.is_valid():
        try:
            _save(customer, form.cleaned_data, member)
        except BillingError as error:
            form.refuse(error, names=NAMES)
        else:
            messages.success(request, member.say("saved"))
            return redirect("portal:company")
    return _form_page(request, member, form, status=400)


def _shown(customer: Customer) -> dict[str, str]:
    tax_id = customer.tax_ids.filter(country=customer.country).first()
    fields = ("legal_name", *ADDRESS, "purchase_order", "buyer_reference", "language")
    shown = {name: getattr(customer, name) for name in fields}
    return {**shown, "vat_number": tax_id.vat_number if tax_id else ""}


def _save(customer: Customer, data: dict[str, Any], member: Member) -> None:
    """The tax id of the form is the one of the company's country; those of other countries stay."""
    country, number = data["country"], data["vat_number"].strip()
    replaced = {country, customer.country}
    others = [
        TaxIdInput(country=row.country, vat_number=row.vat_number)
        for row in customer.tax_ids.exclude(country__in=replaced)
    ]
    own = [TaxIdInput(country=country, vat_number=number)] if number else []
    services.update_customer(
        customer=customer,
        legal_name=data["legal_name"],
        address=Address(**{name: data[name] for name in ADDRESS}),
        purchase_order=data["purchase_order"],
        buyer_reference=data["buyer_reference"],
        language=data["language"],
        tax_ids=[*own, *others],
        actor=member.actor,
        at=member.at,
    )


def _form_page(
    request: HttpRequest,
    member: Member,
    form: PortalForm,
    *,
    heading: str = "company_data",
    contact_id: str = "",
    status: int = 200,
) -> HttpResponse:
    content = {
        "form": form,
        "heading": heading,
        "note": "next_invoice_note" if heading == "company_data" else "",
        "remove_url": reverse("portal:contact-remove", args=[contact_id]) if contact_id else "",
        "section": "company",
    }
    return show(request, "company_form", content, member=member, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
@for_members
@for_managers
def add_contact(request: HttpRequest, member: Member) -> HttpResponse:
    """A new person and their mails."""
    return _contact(request, member, None, {"mail_roles": ["billing"]})


@require_http_methods(["GET", "HEAD", "POST"])
@for_members
@for_managers
def edit_contact(request: HttpRequest, member: Member, contact_id: str) -> HttpResponse:
    """A contact and their mails."""
    row = get_or_not_found(member.customer.contacts.all(), kind="contact", public_id=contact_id)
    initial = {"name": row.name, "email": row.email, "phone": row.phone, "mail_roles": row.mail_roles}
    return _contact(request, member, contact_id, initial)


def _contact(
    request: HttpRequest, member: Member, contact_id: str | None, initial: dict[str, Any]
) -> HttpResponse:
    heading = "edit_contact" if contact_id else "add_contact"
    if request.method != "POST":
        form = ContactForm(initial=initial, language=member.language)
        return _form_page(request, member, form, heading=heading, contact_id=contact_id or "")
    form = ContactForm(request.POST, language=member.language)
    if form.is_valid():
        try:
            services.save_contact(
                customer=member.customer,
                contact_id=contact_id,
                given=ContactInput(**form.cleaned_data),
                actor=member.actor,
                at=member.at,
            )
        except NotFound:
            raise
        except BillingError as error:
            form.refuse(error)
        else:
            return redirect("portal:company")
    return _form_page(request, member, form, heading=heading, contact_id=contact_id or "", status=400)


@require_POST
@for_members
@for_managers
def remove_contact(request: HttpRequest, member: Member, contact_id: str) -> HttpResponse:
    """Remove a contact, unless nobody would get the invoices then."""
    try:
        services.remove_contact(
            customer=member.customer, contact_id=contact_id, actor=member.actor, at=member.at
        )
    except NotFound:
        raise
    except BillingError as error:
        messages.error(request, refusal(member.language, error.code, error.message))
    return redirect("portal:company")
