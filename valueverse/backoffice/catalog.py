"""The pages of the catalog: meters, products, plans, and a plan version with preview, difference and effect."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from billing.activity.selectors import activity_of
from billing.catalog.admin import MeterAdmin, PlanAdmin, PlanVersionAdmin, ProductAdmin, price_lines
from billing.catalog.models import Meter, Plan, PlanVersion, Price, Product
from billing.core.lifecycles import SubscriptionStatus
from billing.platform import display
from valueverse.backoffice.catalog_verbs import (
    PRICE_VERBS,
    VERSION_VERBS,
    NewPlan,
    NewProduct,
    NewVersion,
    SetTaxCode,
)
from valueverse.backoffice.meter_forms import NewMeter, meter_words
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.price_preview import charts, preview
from valueverse.backoffice.version_difference import difference, effects, subscribers, term_words

ROWS = 100


def live_subscriptions(version: PlanVersion) -> str:
    """The list of a version's subscribers."""
    address = reverse("admin:subscriptions_subscription_changelist")
    return f"{address}?plan_version__id__exact={version.pk}&status__in=active,scheduled"


@admin.register(Product)
class ProductPage(ObjectPage, ProductAdmin):
    """A product and its plans."""

    page_template = "backoffice/product.html"
    create = NewProduct()
    verbs = (SetTaxCode(),)

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return {
            "title": row.name,
            "plans": list(row.plans.order_by("code")[:ROWS]),
            "activity": list(activity_of(object_id=row.public_id)[:20]),
        }


@admin.register(Meter)
class MeterPage(ObjectPage, MeterAdmin):
    """A meter and the prices that use it."""

    page_template = "backoffice/meter.html"
    create = NewMeter()

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        return {
            "title": row.name,
            "words": meter_words(row),
            "prices": list(row.prices.select_related("plan_version__plan").order_by("-pk")[:ROWS]),
            "activity": list(activity_of(object_id=row.public_id)[:20]),
        }


@admin.register(Plan)
class PlanPage(ObjectPage, PlanAdmin):
    """A plan with its versions."""

    page_template = "backoffice/plan.html"
    create = NewPlan()
    verbs = (NewVersion(),)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("product")

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        live = Count("subscriptions", filter=~Q(subscriptions__status=SubscriptionStatus.CANCELED))
        versions = row.versions.order_by("-version").annotate(live=live).prefetch_related("prices")
        return {
            "title": row.name,
            "versions": [(one, term_words(one), live_subscriptions(one)) for one in versions[:ROWS]],
            "activity": list(activity_of(object_id=row.public_id)[:20]),
        }


@admin.register(PlanVersion)
class PlanVersionPage(ObjectPage, PlanVersionAdmin):
    """The terms of a plan: try a quantity, see what changes against another version and for whom."""

    page_template = "backoffice/plan_version.html"
    verbs = VERSION_VERBS

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("plan__product")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.try_view)
        return [path("<int:pk>/try/", view, name="catalog_planversion_try"), *super().get_urls()]

    def try_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The preview alone, for the page's script."""
        row = self.find(request, pk)
        return TemplateResponse(
            request, "backoffice/parts/preview.html", {"row": row, **self.preview_context(request, row)}
        )

    def preview_context(self, request: HttpRequest, row: PlanVersion) -> dict[str, Any]:
        prices = list(row.prices.select_related("meter", "plan_version").order_by("position"))
        found = preview(prices, request.GET, with_curves=True)
        return {"preview": found, "charts": charts(found)}

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        versions = list(row.plan.versions.exclude(pk=row.pk).order_by("-version")[:ROWS])
        against = self._against(request, row, versions)
        changed = difference(against, row) if against else []
        shows_all = request.GET.get("all") == "1"
        is_draft = row.published_at is None
        may_change = is_draft and request.user.has_perm("catalog.change_planversion")
        shows_effect = request.GET.get("effect") == "1" and request.user.has_perm("usage.view_usagerollup")
        prices = list(row.prices.select_related("meter").order_by("position"))
        return {
            "title": str(row),
            "is_draft": is_draft,
            "terms": term_words(row),
            "prices": [(price, price_lines(price.definition)) for price in prices],
            "price_verbs": PRICE_VERBS if may_change else (),
            "subscriber_count": subscribers(row).count(),
            "subscriber_address": live_subscriptions(row),
            "versions": versions,
            "against": against,
            "difference": [one for one in changed if shows_all or one.change != "same"],
            "changed_count": sum(one.change != "same" for one in changed),
            "shows_all": shows_all,
            "effects": effects(row) if shows_effect else None,
            "may_see_effect": request.user.has_perm("usage.view_usagerollup"),
            **self.preview_context(request, row),
            "activity": list(activity_of(object_id=row.public_id)[:20]),
        }

    @staticmethod
    def _against(request: HttpRequest, row: PlanVersion, versions: list[PlanVersion]) -> PlanVersion | None:
        """The version to compare with: the one that was asked for, else the one before this one."""
        asked = request.GET.get("against", "")
        for one in versions:
            if str(one.version) == asked:
                return one
        earlier = [one for one in versions if one.version < row.version]
        return next((one for one in earlier if one.published_at), earlier[0] if earlier else None)


@admin.register(Price)
class PricePage(ObjectPage):
    """A price's page is that of its version; here are the verbs on one price of a draft."""

    verbs = PRICE_VERBS
    list_display = ["plan_version", "code", "name", "model", "meter", "timing"]
    list_select_related = ["plan_version__plan", "meter"]
    search_fields = ["code", "name", "plan_version__plan__code"]
    list_filter = ["model", "plan_version__plan"]
    empty_state = "No price yet. Open a draft version of a plan and press Add price."

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("plan_version__plan", "meter")

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        row = self.find(request, object_id)
        return HttpResponseRedirect(f"{display.page_of(row.plan_version)}#price-{row.pk}")
