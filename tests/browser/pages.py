"""Every page there is, found from the addresses of the site, so that a new one cannot be forgotten.

Each address pattern is tried with rows that exist, as the people who may see it. It is a page if it answers with a
whole HTML document. What answers otherwise on purpose (a download, a part of a page, a POST) is none; what cannot be
reached with any sample is reported as missing: give it a sample here, or data in `scene.py`.
"""

import logging
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatch
from itertools import islice
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.test import Client
from django.urls import NoReverseMatch, get_resolver, reverse

from billing.invoices.document_links import document_token
from billing.invoices.models import BillRunCustomer, CreditNote, Invoice
from billing.platform.clock import now
from customers import services as customers
from customers.models import Customer, User
from customers.services.people import staff_link_token
from payments.models import Payment
from tests.factories import ACTOR

ROWS_TRIED = 30
STANDARD = ("add", "change", "delete", "history", "changelist")
"""What Django's admin has for every model; most of it is refused here, since rows change through services."""

NO_PAGES = {
    "live-approvals": "a part of a page",
    "home": "leads on to the portal or the back office",
    "admin:logout": "POST only",
    "admin:password_change_done": "shown once, after the change",
    "admin:jsi18n": "a script",
    "admin:autocomplete": "JSON for a field",
    "admin:search": "a part of a page",
    "admin:view_on_site": "Django's redirect; no model here has a public page",
    "admin:app_list": "Django's index of one app; the navigation does not lead there",
    "admin:*_history": "Django's own log, which stays empty: what happened stands on the object's page; no link",
    "admin:invoices_billrun_row": "POST only: what is done to one customer of a run",
    "admin:sign_in_code": "stands between the password and the first page",
    "admin:sign_in_set_up": "stands between the password and the first page",
    "admin:view_as_end": "POST only",
    "admin:list_view_*": "POST only: a saved view",
    "admin:password_change": "leads on to the person's own page",
    "admin:*_delete": "nothing is deleted in the back office",
    "admin:axes_*": "tables of a library; the navigation does not lead there",
    "admin:token_blacklist_*": "tables of a library; the navigation does not lead there",
    "admin:auth_group_*": "the groups come from migrations; the navigation does not lead there",
    "admin:ledger_journal": "a download",
    "admin:document_line": "leads on to the line on its document",
    "admin:*_new_object": "leads on to the page that adds one",
    "metrics": "for programs",
    "health*": "for programs",
    "token*": "API",
}
"""Names of addresses that are no pages, with the reason; * stands for anything."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page: the name of its address, an address that shows it, and who is to look."""

    name: str
    address: str
    who: str

    @property
    def face(self) -> str:
        return "portal" if self.name.startswith("portal:") else "admin"


@dataclass(slots=True)
class Found:
    """pages: what there is. missing: names of addresses that no sample reaches, with what they answered."""

    pages: list[Page] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pattern:
    """One address pattern: its name with name space, and the names of what stands in it."""

    name: str
    parameters: tuple[str, ...]


def patterns(
    resolver: Any = None, spaces: tuple[str, ...] = (), taken: tuple[str, ...] = ()
) -> Iterator[Pattern]:
    """Every named address outside the API."""
    for entry in (resolver or get_resolver()).url_patterns:
        parameters = (*taken, *(entry.pattern.converters or _groups(entry)))
        if hasattr(entry, "url_patterns"):
            if not str(entry.pattern).startswith("api/"):
                inner = (*spaces, entry.namespace) if entry.namespace else spaces
                yield from patterns(entry, inner, parameters)
        elif entry.name:
            yield Pattern(":".join((*spaces, entry.name)), parameters)


def _groups(entry: Any) -> tuple[str, ...]:
    expression = getattr(entry.pattern, "_regex", None)
    return tuple(re.compile(expression).groupindex) if isinstance(expression, str) else ()


def find_pages(people: dict[str, User | None]) -> Found:
    """Try every pattern. people: who looks, in this order, by the name that pages get; None is a stranger."""
    clients = {who: _client(user) for who, user in people.items()}
    found = Found()
    logging.disable(logging.ERROR)  # refusals are expected here, and found in the answers
    try:
        for pattern in patterns():
            if not any(fnmatch(pattern.name, name) for name in NO_PAGES):
                _try(pattern, clients, people, found)
    finally:
        logging.disable(logging.NOTSET)
    return found


def _client(user: User | None) -> Client:
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def _try(pattern: Pattern, clients: dict[str, Client], people: dict[str, User | None], found: Found) -> None:
    answers: list[str] = []
    in_admin = pattern.name.startswith("admin:")
    for who, client in clients.items():
        user = people[who]
        if user is not None and user.is_staff != in_admin:
            continue
        for given in islice(_samples(pattern, user), ROWS_TRIED):
            try:
                address = reverse(pattern.name, kwargs=given)
            except NoReverseMatch:
                continue
            address += QUERIES.get(pattern.name, "")
            response = client.get(address)
            if response.streaming:
                return  # a download
            is_html = response.headers.get("Content-Type", "").startswith("text/html")
            if response.status_code == 200 and is_html and b"<html" in response.content[:2000]:
                found.pages.append(Page(pattern.name, address, who))
                return
            if response.status_code in (200, 405):
                return  # POST only; a download; a part of a page
            answers.append(f"{response.status_code} as {who}")
    refusals = {"403 as boss", "302 as boss", "302 as stranger"}
    if not (_is_standard(pattern) and answers and set(answers) <= refusals):
        found.missing[pattern.name] = ", ".join(sorted(set(answers))) or "no sample"


def _is_standard(pattern: Pattern) -> bool:
    """Whether Django's admin made this address for a model."""
    return any(
        pattern.name == f"admin:{model._meta.app_label}_{model._meta.model_name}_{kind}"
        for model in admin.site._registry
        for kind in STANDARD
    )


def _samples(pattern: Pattern, user: User | None) -> Iterator[dict[str, Any]]:
    if not pattern.parameters:
        yield {}
    elif pattern.parameters in (("object_id",), ("pk",)) and (model := _model_of(pattern.name)) is not None:
        for pk in model._default_manager.order_by("-pk").values_list("pk", flat=True)[:ROWS_TRIED]:
            yield {pattern.parameters[0]: pk}
    elif len(pattern.parameters) == 1:
        (parameter,) = pattern.parameters
        make = SAMPLES.get((pattern.name, parameter)) or SAMPLES.get(("", parameter))
        yield from ({parameter: value} for value in (make(user) if make else ["1"]))
    elif make_all := SAMPLES_OF_SEVERAL.get(pattern.name):
        yield from make_all()


def _model_of(name: str) -> Any:
    """The model in an address's name, like admin:invoices_invoice_void."""
    app_label, _, rest = name.removeprefix("admin:").partition("_")
    model_name = rest.partition("_")[0]
    return apps.all_models.get(app_label, {}).get(model_name)


def _customer_of(user: User | None) -> Customer | None:
    membership = user.portal_memberships.select_related("customer").order_by("pk").first() if user else None
    return membership.customer if membership else None


def _contacts(user: User | None) -> Iterator[str]:
    customer = _customer_of(user)
    if customer:
        yield from customer.contacts.values_list("public_id", flat=True)


def _link(user: User | None) -> Iterator[str]:
    member = User.objects.filter(portal_memberships__isnull=False, is_active=True).order_by("-pk").first()
    made = customers.request_sign_in_link(email=member.email, at=now()) if member else None
    if made:
        yield made.token


def _invitation(user: User | None) -> Iterator[str]:
    customer = Customer.objects.order_by("pk").first()
    if customer:
        email = "invited@customer.example"
        yield customers.invite_contact(customer=customer, email=email, actor=ACTOR, at=now()).token


def _document(user: User | None) -> Iterator[str]:
    for kind in (Invoice, CreditNote):
        for document in kind.objects.filter(snapshot__isnull=False).order_by("pk")[:1]:
            yield document_token(document)


def _ids_of(model: Any) -> Callable[[User | None], Iterator[str]]:
    def ids(user: User | None) -> Iterator[str]:
        rows = model._default_manager.filter(customer=_customer_of(user)).order_by("-pk")
        yield from rows.values_list("public_id", flat=True)[:ROWS_TRIED]

    return ids


def _rows_of_runs() -> Iterator[dict[str, Any]]:
    for row in BillRunCustomer.objects.order_by("-pk")[:ROWS_TRIED]:
        yield {"pk": row.run_id, "row_pk": row.pk}


def _staff_links() -> Iterator[dict[str, Any]]:
    """The link that a new colleague gets."""
    for user in User.objects.filter(is_staff=True, is_superuser=False).order_by("-pk")[:1]:
        yield {"user_id": user.public_id, "token": staff_link_token(user)}


SAMPLES: dict[tuple[str, str], Callable[[User | None], Iterator[Any]]] = {
    ("", "invoice_id"): _ids_of(Invoice),
    ("", "credit_note_id"): _ids_of(CreditNote),
    ("", "payment_id"): _ids_of(Payment),
    ("", "contact_id"): _contacts,
    ("portal:link", "token"): _link,
    ("portal:invitation", "token"): _invitation,
    ("portal:document", "token"): _document,
    ("portal:document-pdf", "token"): _document,
    ("admin:account_statement", "role"): lambda user: iter(["1100"]),
    ("admin:dashboard_part", "name"): lambda user: iter(["figures"]),
    ("admin:trial_balance_file", "kind"): lambda user: iter(["csv"]),
}
"""What stands in an address: by pattern and parameter, or by parameter alone."""


SAMPLES_OF_SEVERAL: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
    "admin:invoices_billrun_pair": _rows_of_runs,
    "admin:staff_welcome": _staff_links,
}
"""The same for addresses with more than one variable part."""

QUERIES = {
    "admin:usage_events": (
        "?customer=brightchat&meter=input_tokens&at_from=2023-11-16T00:00:00Z&at_to=2023-11-17T00:00:00Z"
    ),
}
"""What follows an address that says nothing without it."""
