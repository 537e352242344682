"""Pages and verbs by name: "trial balance", "start bill run", "void VV-2023-000003"."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from valueverse.backoffice.search.kinds import KINDS, PER_KIND, Hit
from valueverse.backoffice.search.terms import Term, read_term
from valueverse.settings.admin import NAVIGATION

KEYBOARD_MAP = "#keyboard-map"
"""The address of the keyboard map: a dialog that is on every page."""

OTHER_PAGES = (
    ("Start bill run", "admin:invoices_billrun_start", "invoices.start_bill_run"),
    ("Your account: password, second factor, sessions", "admin:account", ""),
)
"""Pages outside of the navigation: title, name of the address, right."""

_FINDERS = {
    "customer": "Customers",
    "invoice": "Invoices",
    "creditnote": "Credit notes",
    "payment": "Payments",
}
"""Model: the kind that finds one of its rows by what somebody types."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page one can go to."""

    title: str
    section: str
    url: str
    icon: str


def pages(request: HttpRequest) -> Iterator[Page]:
    """Every page of the navigation, and a few more, that this person may open."""
    for section in NAVIGATION:
        for item in section["items"]:
            may = item.get("permission")
            if may is None or may(request):
                yield Page(item["title"], section["title"] or "Page", str(item["link"]), item["icon"])
    for title, name, permission in OTHER_PAGES:
        if not permission or request.user.has_perm(permission):
            try:
                yield Page(title, "Page", reverse(name), "arrow_forward")
            except NoReverseMatch:
                continue
    yield Page("Keyboard map", "Help", KEYBOARD_MAP, "keyboard")


def commands(term: Term, request: HttpRequest) -> list[Hit]:
    """Up to PER_KIND pages and verbs whose names begin like what was typed, word by word."""
    found = [
        Hit(page.title, page.section, page.url, page.icon, page.title.lower() == term.lower)
        for page in pages(request)
        if _fits(term.words, page.title)
    ]
    found += _verbs(term, request)
    return sorted(found, key=lambda hit: not hit.exact)[:PER_KIND]


def _fits(typed: Sequence[str], name: str) -> bool:
    """Whether every word that was typed begins a word of the name."""
    words = name.lower().split()
    return bool(typed) and all(any(word.startswith(one) for word in words) for one in typed)


def _verbs(term: Term, request: HttpRequest) -> Iterator[Hit]:
    """A verb by its name leads to the list of what it is done to; with an object's name, to the verb on it."""
    for model, page in admin.site._registry.items():
        for verb in getattr(page, "verbs", ()):
            if not request.user.has_perm(verb.permission):
                continue
            if _fits(term.words, verb.label):
                name = f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"
                yield Hit(verb.label, f"choose from {model._meta.verbose_name_plural}", reverse(name), "bolt")
                continue
            named = _named(term, verb.label)
            row = _row(model, named, request) if named else None
            if row is not None and verb.is_offered(row):
                name = f"admin:{model._meta.app_label}_{model._meta.model_name}_{verb.slug}"
                yield Hit(
                    f"{verb.label} {row}",
                    "shows the figures first",
                    reverse(name, args=[row.pk]),
                    "bolt",
                    True,
                )


def _named(term: Term, label: str) -> str:
    """What stands behind the verb: "VV-2023-000003" of "void VV-2023-000003"; "" if it does not begin like the verb."""
    typed = term.text.split()
    for count in range(min(len(typed) - 1, len(label.split())), 0, -1):
        if _fits([word.lower() for word in typed[:count]], label):
            return " ".join(typed[count:])
    return ""


def _row(model: type[Model], name: str, request: HttpRequest) -> Any:
    label = _FINDERS.get(str(model._meta.model_name))
    kind = next((kind for kind in KINDS if kind.label == label), None)
    named = read_term(name)
    if kind is None or named.is_too_short or not request.user.has_perm(kind.permission):
        return None
    found = kind.exact(named)
    return None if found is None else model._default_manager.filter(pk=found.pk).first()


def go_keys(request: HttpRequest) -> list[tuple[str, str, str]]:
    """The second key after `g`, where it leads, and its address: those that this person may open."""
    addresses = {page.url: page for page in pages(request)}
    rows = []
    for key, title, name in (
        ("d", "Dashboard", "index"),
        ("c", "Customers", "customers_customer_changelist"),
        ("s", "Subscriptions", "subscriptions_subscription_changelist"),
        ("u", "Usage", "usage_usagerollup_changelist"),
        ("b", "Bill runs", "invoices_billrun_changelist"),
        ("i", "Invoices", "invoices_invoice_changelist"),
        ("p", "Payments", "payments_payment_changelist"),
        ("l", "Ledger", "trial_balance"),
    ):
        url = reverse(f"admin:{name}")
        if url in addresses:
            rows.append((key, title, url))
    return rows
