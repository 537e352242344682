"""The back office: one site for finance, on Unfold's theme, with sections in the order in which finance works."""

from typing import Any

from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern
from unfold.sites import UnfoldAdminSite

from billing.platform.clock import now
from valueverse.backoffice.books import LedgerViews
from valueverse.backoffice.dashboard import dashboard
from valueverse.backoffice.lists import ListViews


class FinanceAdminSite(ListViews, UnfoldAdminSite):  # type: ignore[misc]  # Unfold has no types
    """Every list and page of the back office is registered here."""

    index_title = "Dashboard"

    def extra_urls(self) -> list[URLPattern]:
        """Pages that belong to no single row. Unfold puts them before the admins' own addresses."""
        return [*LedgerViews(self).urls(), *self.list_urls()]

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
