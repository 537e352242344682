"""The back office: one site for finance, on Unfold's theme, with sections in the order in which finance works."""

from typing import Any

from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern
from unfold.sites import UnfoldAdminSite

from valueverse.backoffice.books import LedgerViews
from valueverse.backoffice.dashboard import DashboardViews, dashboard
from valueverse.backoffice.recurring import RecurringViews
from valueverse.backoffice.usage import UsageViews


class FinanceAdminSite(UnfoldAdminSite):  # type: ignore[misc]  # Unfold has no types
    """Every list and page of the back office is registered here."""

    index_title = "Dashboard"

    def extra_urls(self) -> list[URLPattern]:
        """Pages that belong to no single row. Unfold puts them before the admins' own addresses."""
        pages = (LedgerViews(self), DashboardViews(self), RecurringViews(self), UsageViews(self))
        return [address for views in pages for address in views.urls()]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The dashboard."""
        request.current_app = self.name
        context = {
            **self.each_context(request),
            "title": self.index_title,
            "is_fullwidth": "1",
            **dashboard(request),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "backoffice/dashboard.html", context)
