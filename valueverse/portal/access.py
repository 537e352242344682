"""Who is at the portal: the person, their role, and the one customer whose things they see.

Every view below the sign-in pages takes a `Member`, and reaches rows only through selectors with
`customer_id=member.customer.pk`: another customer's object is not found, like one that does not exist.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast
from zoneinfo import ZoneInfo

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import add_never_cache_headers
from django.utils.http import urlencode

from billing.core.errors import Kind
from billing.invoices.models import CreditNote, Invoice
from billing.invoices.services.disclosing import note_shown
from billing.platform.actors import Actor
from billing.platform.lookup import NotFound
from customers.models import Customer, CustomerVisit, PortalMembership, PortalRole, User
from customers.selectors import now_for, portal_memberships
from customers.services import portal_actor
from valueverse.portal.visiting import LooksOnly, looking, visit_of, without_buttons
from valueverse.portal.words import LANGUAGE_NAMES, LANGUAGES, say

CUSTOMER_KEY = "portal_customer"
LANGUAGE_KEY = "portal_language"
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class Member:
    """A person looking at one customer. at: what time it is for that customer.

    visit: somebody on the staff who sees what a manager there sees; `visiting` keeps it to looking.
    """

    user: User
    customer: Customer
    role: str
    language: str
    at: datetime
    others: tuple[PortalMembership, ...]
    visit: CustomerVisit | None = None

    @property
    def actor(self) -> Actor:
        return portal_actor(self.user)

    @property
    def is_manager(self) -> bool:
        return self.role == PortalRole.MANAGER

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.customer.time_zone)

    def say(self, key: str, **values: object) -> str:
        return say(self.language, key, **values)


View = Callable[Concatenate[HttpRequest, Member, P], HttpResponse]


def language_of(request: HttpRequest, fallback: str = "") -> str:
    """The language a person chose, else the customer's, else the browser's, else English."""
    chosen = request.session.get(LANGUAGE_KEY)
    if chosen in LANGUAGES:
        return str(chosen)
    if fallback in LANGUAGES:
        return fallback
    asked = translation.get_language_from_request(request)[:2]
    return asked if asked in LANGUAGES else "en"


def member_of(request: HttpRequest) -> Member | None:
    """The signed-in person and the customer they look at; None without a membership."""
    user = request.user
    if not isinstance(user, User):
        return None
    visit = visit_of(request)
    if visit is not None:
        return _visitor(request, user, visit)
    memberships = list(portal_memberships(user))
    if not memberships:
        return None
    chosen = request.session.get(CUSTOMER_KEY)
    current = next((one for one in memberships if one.public_id == chosen), memberships[0])
    customer = current.customer
    return Member(
        user=user,
        customer=customer,
        role=current.role,
        language=language_of(request, customer.language),
        at=now_for(customer),
        others=tuple(memberships),
    )


def _visitor(request: HttpRequest, user: User, visit: CustomerVisit) -> Member:
    customer = visit.customer
    return Member(
        user=user,
        customer=customer,
        role=PortalRole.MANAGER,
        language=language_of(request, customer.language),
        at=now_for(customer),
        others=(),
        visit=visit,
    )


def note_seen(member: Member, documents: Iterable[Invoice | CreditNote]) -> None:
    """Note that the customer has seen these documents; what the staff see in their place is not noted."""
    if member.visit is None:
        note_shown(documents=documents, at=member.at)


def for_members(view: View[P]) -> Callable[Concatenate[HttpRequest, P], HttpResponse]:
    """A page for people at a customer. Signed out: to the sign-in page, and back here afterwards."""

    @wraps(view)
    def page(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            target = request.get_full_path() if request.method in ("GET", "HEAD") else reverse("portal:home")
            return redirect(f"{reverse('portal:sign-in')}?{urlencode({'next': target})}")
        member = member_of(request)
        if member is None:
            if getattr(request.user, "is_staff", False):
                return redirect("/admin/")
            return show(request, "no_access", {}, status=403)
        with translation.override(member.language), timezone.override(member.zone):
            try:
                with looking(member.visit):
                    response = view(request, member, *args, **kwargs)
            except LooksOnly:
                return looks_only(request)
            except NotFound as error:
                if error.kind is not Kind.NOT_FOUND:
                    raise
                raise Http404 from error
        add_never_cache_headers(response)
        return without_buttons(response) if member.visit else response

    return cast(Callable[Concatenate[HttpRequest, P], HttpResponse], page)


def for_managers(view: View[P]) -> View[P]:
    """Below `for_members`: only who may change things gets further."""

    @wraps(view)
    def page(request: HttpRequest, member: Member, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not member.is_manager:
            raise PermissionDenied
        return view(request, member, *args, **kwargs)

    return cast(View[P], page)


def show(
    request: HttpRequest,
    template: str,
    content: dict[str, Any],
    *,
    member: Member | None = None,
    status: int = 200,
) -> HttpResponse:
    """Render a page of the portal in the person's language."""
    language = member.language if member else content.get("language") or language_of(request)
    context = {
        "section": template,
        **content,
        "member": member,
        "language": language,
        "languages": LANGUAGE_NAMES.items(),
    }
    with translation.override(language):
        response = render(request, f"portal/{template}.html", context, status=status)
    if member is None:
        add_never_cache_headers(response)
    return response


def looks_only(request: HttpRequest) -> HttpResponse:
    """The answer to whoever tries to do something while viewing as customer."""
    member = member_of(request)
    response = show(request, "looks_only", {}, member=member, status=403)
    add_never_cache_headers(response)
    return without_buttons(response)
