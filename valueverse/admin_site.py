"""The back office: one site for finance, on Unfold's theme, with sections in the order in which finance works."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern
from unfold.sites import UnfoldAdminSite

from billing.platform.clock import now
from valueverse.backoffice.books import LedgerViews
from valueverse.backoffice.dashboard import dashboard
from valueverse.backoffice.search.commands import go_keys
from valueverse.backoffice.search.views import SearchViews


class FinanceAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # Unfold has no types
    """Every list and page of the back office is registered here."""

    index_title = "Dashboard"

    def extra_urls(self) -> list[URLPattern]:
        """Pages that belong to no single row. Unfold puts them before the admins' own addresses."""
        return LedgerViews(self).urls()

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """What every page needs: here, the keys that lead to other pages."""
        context: dict[str, Any] = super().each_context(request)
        if self.has_permission(request):
            context["go_keys"] = go_keys(request)
        return context

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Global search, in place of the theme's, which keeps answers for minutes and is dead inside fields."""
        return SearchViews(self).search(request)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The dashboard."""
        request.current_app = self.name
        context = {
            **self.each_context(request),
            "title": self.index_title,
            "is_fullwidth": "1",
            **dashboard(request, now()),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "backoffice/dashboard.html", context)
