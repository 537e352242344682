"""The first page: what was billed and collected, what is open, what needs somebody. Every figure opens its list.

The page is made of parts, each with an address of its own, so that a part can be read again without the page. A figure
that cannot be counted in time says so in its place; the others stand.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse

from billing.catalog.models import Plan, PlanVersion, TaxRate
from billing.invoices.models import BillRun
from billing.invoices.services import run_totals
from billing.platform import display
from billing.platform.clock import now
from billing.reports.books import controls
from billing.subscriptions.models import Subscription
from customers.models import Customer, LegalEntity
from valueverse.backoffice import dashboard_tiles as tiles
from valueverse.patience import attempt

PARTS = ("needs", "figures", "charts", "state")
ENTITIES_MAX = 50
CONTROLS_KEPT_S = 300
"""The controls read the whole ledger, so the dashboard asks for them every five minutes at most and says when."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of setting up an installation; is_done ticks itself."""

    title: str
    help: str
    address: str
    is_done: bool


def chosen_entity(request: HttpRequest) -> tuple[list[LegalEntity], LegalEntity | None]:
    """The legal entities, and the one asked for; otherwise the first that is no test."""
    entities = list(LegalEntity.objects.order_by("is_test", "pk")[:ENTITIES_MAX])
    wanted = request.GET.get("entity", "")
    chosen = next((one for one in entities if str(one.pk) == wanted), None)
    return entities, chosen or (entities[0] if entities else None)


def setting_up(request: HttpRequest) -> list[Step]:
    """The five steps to the first invoice, or nothing once there is a subscription.

    A step leads to its form for those who may fill it in, and to the list for everybody else.
    """
    if Subscription.objects.exists():
        return []
    plan = "catalog.planversion" if Plan.objects.exists() else "catalog.plan"
    steps = [
        ("Legal entity", "Who issues invoices, in which currency and time zone.", "customers.legalentity",
         LegalEntity.objects.exists()),
        ("Tax rate", "The standard rate of your country.", "catalog.taxrate", TaxRate.objects.exists()),
        ("Plan", "Prices, as a published plan version.", plan,
         PlanVersion.objects.filter(published_at__isnull=False).exists()),
        ("Customer", "Who buys, and the contact who gets the invoices.", "customers.customer",
         Customer.objects.exists()),
        ("Subscription", "From then on usage counts. Try it under a test clock first.",
         "subscriptions.subscription", False),
    ]  # fmt: skip
    return [Step(title, help, _form_or_list(request, model), done) for title, help, model, done in steps]


def _form_or_list(request: HttpRequest, model: str) -> str:
    app, name = model.split(".")
    may_add = request.user.has_perm(f"{app}.add_{name}")
    return reverse(f"admin:{app}_{name}_{'add' if may_add else 'changelist'}")


class Dashboard:
    """One person's dashboard of one legal entity."""

    def __init__(self, request: HttpRequest, entity: LegalEntity) -> None:
        self.request = request
        display.use_number_format(entity.number_format)
        self.seller = tiles.Seller.of(entity)

    def may(self, permission: str) -> bool:
        return self.request.user.has_perm(permission)

    def part(self, name: str) -> dict[str, Any]:
        """What a part shows."""
        shown: dict[str, Callable[[], dict[str, Any]]] = {
            "needs": self.needs,
            "figures": self.figures,
            "charts": self.charts,
            "state": self.state,
        }
        entity = self.seller.entity
        return {
            **shown[name](),
            "seller": self.seller,
            "refresh": f"{reverse('admin:dashboard_part', args=[name])}?entity={entity.pk}",
            "retry": f"{reverse('admin:index')}?entity={entity.pk}",
        }

    def needs(self) -> dict[str, Any]:
        found = attempt("needs", lambda: tiles.waiting(self.seller))
        needs = None if found is None else [tile for tile in found if self.may(tile.permission)]
        return {"needs": needs}

    def figures(self) -> dict[str, Any]:
        shown = []
        for slug, (title, permission) in tiles.TILES.items():
            if not self.may(permission):
                continue
            tile = tiles.Tile(slug, title.format(month=f"{self.seller.month_on:%b %Y}"), permission)
            figures = attempt(slug, lambda slug=slug: tiles.tile_figures(slug, self.seller))  # type: ignore[misc]
            tile.figures, tile.is_failed = figures or [], figures is None
            if slug == "overdue" and any(figure.bars for figure in tile.figures):
                tile.tone = "bad"
            shown.append(tile)
        return {"tiles": shown}

    def charts(self) -> dict[str, Any]:
        may_months = self.may("invoices.view_invoice") and self.may("payments.view_payment")
        may_hours = self.may("usage.view_usageevent")
        return {
            "may_months": may_months,
            "may_hours": may_hours,
            "months": attempt("months", lambda: tiles.months_chart(self.seller)) if may_months else None,
            "hours": attempt("hours", lambda: tiles.hours_chart(self.seller)) if may_hours else None,
        }

    def state(self) -> dict[str, Any]:
        may_runs, may_books = self.may("invoices.view_billrun"), self.may("ledger.view_accountingperiod")
        last = BillRun.objects.order_by("-pk").first() if may_runs else None
        return {
            "may_runs": may_runs,
            "may_books": may_books,
            "run": last,
            "run_totals": attempt("last run", lambda: run_totals(run=last)) if last else None,
            "periods": attempt("periods", lambda: tiles.latest_months(self.seller)) if may_books else None,
            "controls": self.controls() if may_books else None,
        }

    def controls(self) -> dict[str, Any] | None:
        """How many controls of the books are at zero, and when that was looked at."""
        entity = self.seller.entity
        key = f"dashboard-controls-{entity.pk}"
        found: dict[str, Any] | None = cache.get(key)
        if found is None:
            rows = attempt("controls", lambda: controls(legal_entity=entity), patience_ms=5_000)
            if rows is None:
                return None
            off = [row.role for row in rows if row.difference_minor]
            found = {"count": len(rows), "zero": len(rows) - len(off), "at": now()}
            cache.set(key, found, CONTROLS_KEPT_S)
        return found


def dashboard(request: HttpRequest) -> dict[str, Any]:
    """What the first page shows."""
    entities, entity = chosen_entity(request)
    if not any(request.user.has_perm(permission) for _, permission in tiles.TILES.values()):
        return {"may_nothing": True}
    content: dict[str, Any] = {"entities": entities, "entity": entity, "steps": setting_up(request)}
    if entity is not None:
        shown = Dashboard(request, entity)
        content["seller"] = shown.seller
        content["parts"] = [(f"backoffice/dashboard/{name}.html", shown.part(name)) for name in PARTS]
    return content


class DashboardViews:
    """The addresses of the dashboard's parts."""

    def __init__(self, site: Any) -> None:
        self.site = site

    def urls(self) -> list[URLPattern]:
        view = self.site.admin_view(self.part)
        return [path("dashboard/<slug:name>/", view, name="dashboard_part")]

    def part(self, request: HttpRequest, name: str) -> HttpResponse:
        """One part, to be put in the place of the one on the page."""
        _, entity = chosen_entity(request)
        if name not in PARTS or entity is None:
            raise Http404
        content = Dashboard(request, entity).part(name)
        response = render(request, f"backoffice/dashboard/{name}.html", {"part": content})
        response["Cache-Control"] = "no-store"
        return response
