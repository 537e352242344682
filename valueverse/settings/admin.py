"""Unfold's settings: the look of the back office and its navigation, in the order in which finance works."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _may(permission: str) -> Callable[[HttpRequest], bool]:
    return lambda request: request.user.has_perm(permission)


def _list(title: str, model: str, icon: str) -> dict[str, Any]:
    app, name = model.split(".")
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{name}_changelist"),
        "permission": _may(f"{app}.view_{name}"),
    }


def _page(title: str, name: str, icon: str, permission: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{name}"),
        "permission": _may(permission),
    }


NAVIGATION: list[dict[str, Any]] = [
    {
        "title": "",
        "items": [{"title": "Dashboard", "icon": "space_dashboard", "link": reverse_lazy("admin:index")}],
    },
    {"title": "Customers", "items": [_list("Customers", "customers.customer", "apartment")]},
    {
        "title": "Catalog",
        "collapsible": True,
        "items": [
            _list("Plans", "catalog.plan", "list_alt"),
            _list("Plan versions", "catalog.planversion", "layers"),
            _list("Products", "catalog.product", "inventory_2"),
            _list("Meters", "catalog.meter", "speed"),
        ],
    },
    {
        "title": "Subscriptions",
        "items": [
            _list("Subscriptions", "subscriptions.subscription", "autorenew"),
            _list("Billed periods", "subscriptions.billedperiod", "date_range"),
        ],
    },
    {
        "title": "Usage",
        "collapsible": True,
        "items": [
            _page("Explorer", "usage_explorer", "insights", "usage.view_usagerollup"),
            _list("Usage by quarter hour", "usage.usagerollup", "bar_chart"),
            _list("Events", "usage.usageevent", "bolt"),
            _list("Corrections", "usage.usagecorrection", "undo"),
            _list("Rejected events", "usage.rejectedevent", "error"),
            _list("Imports", "usage.usageimport", "upload_file"),
        ],
    },
    {
        "title": "Billing",
        "items": [
            _list("Bill runs", "invoices.billrun", "fact_check"),
            _list("Invoices", "invoices.invoice", "receipt_long"),
            _list("Credit notes", "invoices.creditnote", "undo"),
            _list("Mails", "invoices.documentmail", "mail"),
        ],
    },
    {
        "title": "Receivables",
        "items": [
            _list("Payments", "payments.payment", "payments"),
            _list("Receipts and notices", "payments.paymentmail", "mark_email_read"),
            _list("Collection", "payments.collectionschedule", "schedule"),
            _list("Payment methods", "payments.paymentmethod", "credit_card"),
            _list("Approvals", "approvals.approvalrequest", "how_to_reg")
            | {"badge": "valueverse.backoffice.live.approvals_badge"},
        ],
    },
    {
        "title": "Ledger",
        "items": [
            _page("Trial balance", "trial_balance", "balance", "ledger.view_journalentry"),
            _list("Accounting periods", "ledger.accountingperiod", "event_available"),
            _list("Journal entries", "ledger.journalentry", "menu_book"),
            _list("Accounts", "ledger.account", "account_balance"),
            _list("Deferred revenue", "revenue.revenueschedule", "hourglass_bottom"),
            _list("Usage accruals", "revenue.usageaccrual", "trending_up"),
        ],
    },
    {
        "title": "Settings",
        "collapsible": True,
        "items": [
            _list("Legal entities", "customers.legalentity", "corporate_fare"),
            _list("Tax rates", "catalog.taxrate", "percent"),
            _list("Number counters", "customers.numbercounter", "tag"),
            _list("Approval policies", "approvals.approvalpolicy", "policy"),
            _list("People", "customers.user", "group"),
            _list("API keys", "customers.apikey", "key"),
            _list("Test clocks", "customers.testclock", "av_timer"),
            _list("Stored documents", "invoices.storeddocument", "folder"),
            _list("Activity", "activity.activity", "history"),
        ],
    },
]

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "ValueVerse back office",
    "SITE_HEADER": "ValueVerse",
    "SITE_SUBHEADER": "Back office",
    "SITE_SYMBOL": "receipt_long",
    "SITE_URL": None,
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "BORDER_RADIUS": "4px",
    "SITE_FAVICONS": [
        {
            "rel": "icon",
            "type": "image/svg+xml",
            "href": lambda request: static("backoffice/favicon.svg"),
        }
    ],
    "STYLES": [
        lambda request: static("backoffice/finance.css"),
        lambda request: static("backoffice/figures.css"),
        lambda request: static("backoffice/legible.css"),
        lambda request: static("live/live.css"),
        lambda request: static("backoffice/access.css"),
        lambda request: static("backoffice/setup.css"),
    ],
    "SCRIPTS": [lambda request: static("live/live.js")],
    "ACCOUNT": {"navigation": [{"title": "Your account", "link": reverse_lazy("admin:account")}]},
    "COLORS": {
        "primary": {
            "50": "#eff6ff",
            "100": "#dbeafe",
            "200": "#bfdbfe",
            "300": "#93c5fd",
            "400": "#60a5fa",
            "500": "#2563eb",
            "600": "#1d4ed8",
            "700": "#1e40af",
            "800": "#1e3a8a",
            "900": "#172554",
            "950": "#0f172a",
        },
        "font": {
            "subtle-light": "#4b5563",
            "subtle-dark": "#9ca3af",
            "default-light": "#1f2937",
            "default-dark": "#d1d5db",
            "important-light": "#111827",
            "important-dark": "#f3f4f6",
        },
    },
    "SIDEBAR": {"show_search": False, "show_all_applications": False, "navigation": NAVIGATION},
}
