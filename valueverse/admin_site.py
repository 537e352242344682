"""The back office: one site for finance, on Unfold's theme, with sections in the order in which finance works."""

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from unfold.sites import UnfoldAdminSite

from valueverse.backoffice.access_pages import AccessPages
from valueverse.backoffice.books import LedgerViews
from valueverse.backoffice.dashboard import DashboardViews, dashboard
from valueverse.backoffice.lists import ListViews
from valueverse.backoffice.recurring import RecurringViews
from valueverse.backoffice.search.commands import go_keys
from valueverse.backoffice.search.views import SearchViews
from valueverse.backoffice.signing_in import StaffLoginView, login_context
from valueverse.backoffice.usage import UsageViews
from valueverse.backoffice.viewing import ViewingPages

NOT_SHOWN = frozenset({"account", "mfa"})
"""django-allauth would register its tables: second factors are managed on their own pages, through services."""


class FinanceAdminSite(ListViews, UnfoldAdminSite):  # type: ignore[misc]  # Unfold has no types
    """Every list and page of the back office is registered here."""

    index_title = "Dashboard"

    def extra_urls(self) -> list[URLPattern]:
        """Pages that belong to no single row. Unfold puts them before the admins' own addresses."""
        views = (DashboardViews, RecurringViews, UsageViews, LedgerViews, AccessPages, ViewingPages)
        return [*self.list_urls(), *(address for made in views for address in made(self).urls())]

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Every model that is shown here, and none of those that are not."""
        models = model_or_iterable if isinstance(model_or_iterable, list | tuple) else [model_or_iterable]
        shown = [model for model in models if model._meta.app_label not in NOT_SHOWN]
        super().register(shown, admin_class, **options)

    @method_decorator(never_cache)
    @login_not_required
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        """The first step of signing in; `backoffice.signing_in` has the second."""
        if request.method == "GET" and self.has_permission(request):
            return HttpResponseRedirect(reverse("admin:index", current_app=self.name))
        request.current_app = self.name
        view = StaffLoginView.as_view(
            authentication_form=self.login_form,
            template_name="admin/login.html",
            extra_context={**login_context(self, request), **(extra_context or {})},
        )
        return view(request)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Django's address of the page; ours is with the account."""
        return HttpResponseRedirect(reverse("admin:account_password", current_app=self.name))

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
            **dashboard(request),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "backoffice/dashboard.html", context)
