"""What lists share above the apps: saved views, and the record of what left the house."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    QueryDict,
)
from django.urls import URLPattern, path, reverse

from billing.core.errors import BillingError
from billing.platform.admin import staff_actor
from billing.platform.clock import now
from customers import services
from customers.models import SavedView

EXPORT = "customers.export_list"
SHARE = "customers.share_view"

SHIPPED: dict[str, tuple[tuple[str, str], ...]] = {
    "invoices.invoice": (
        ("Overdue more than 30 days", "days_late=31&o=due_on"),
        ("Drafts on hold", "on_hold=yes"),
        ("Finalized, not sent", "status__exact=finalized&sent=no"),
    ),
    "payments.payment": (
        ("Failed this week", "status__exact=failed&started=7"),
        ("Unapplied cash", "unapplied=yes"),
    ),
    "customers.customer": (
        ("Parked", "parked=yes"),
        ("Overdue", "overdue=yes"),
    ),
}
"""Views that come with the product: name and query by list."""


@dataclass(frozen=True, slots=True)
class ListedView:
    """A view in the menu. whose: Built in, Shared by somebody, or nothing for one's own."""

    name: str
    query: str
    whose: str = ""
    is_current: bool = False
    delete_id: str = ""


def _same(one: str, other: str) -> bool:
    """Whether two queries ask the same, whatever their order."""
    return sorted(QueryDict(one).lists()) == sorted(QueryDict(other).lists())


def views_of(request: HttpRequest, list_name: str) -> list[ListedView]:
    """The views of a list that this person finds: built in, own, shared; at most 200."""
    here = request.GET.copy()
    here.pop("p", None)
    query = here.urlencode()
    found = [
        ListedView(name, shipped, "built in", _same(shipped, query))
        for name, shipped in SHIPPED.get(list_name, ())
    ]
    kept = SavedView.objects.filter(Q(owner=request.user.pk) | Q(is_shared=True), list_name=list_name)
    for view in kept.select_related("owner").order_by("name", "pk")[:200]:
        is_own = view.owner_id == request.user.pk
        whose = ("shared by you" if is_own else f"shared by {view.owner}") if view.is_shared else ""
        found.append(
            ListedView(
                view.name, view.query, whose, _same(view.query, query), view.public_id if is_own else ""
            )
        )
    return found


class ListViews:
    """What the site knows about lists; mixed into it."""

    def list_context(self, request: HttpRequest, admin: Any) -> dict[str, Any]:
        """What a list shows beside its rows."""
        views = views_of(request, admin.opts.label_lower)
        return {
            "saved_views": views,
            "current_view": next((view.name for view in views if view.is_current), ""),
            "view_save_url": reverse("admin:list_view_save"),
            "view_delete_url": reverse("admin:list_view_delete"),
            "may_share_views": request.user.has_perm(SHARE),
            "may_export": self.may_export(request),
            "list_as_of": f"{now():%Y-%m-%d %H:%M}",
        }

    def may_export(self, request: HttpRequest) -> bool:
        """Whether this person may take lists out of the house; seeing the list is asked besides."""
        return request.user.has_perm(EXPORT)

    def note_export(
        self, request: HttpRequest, *, list_name: str, query: str, file_format: str, rows: int
    ) -> None:
        """Record who exported what."""
        services.note_list_export(
            list_name=list_name,
            query=query,
            file_format=file_format,
            rows=rows,
            actor=staff_actor(request),
            at=now(),
        )

    def list_urls(self) -> list[URLPattern]:
        view = self.admin_view  # type: ignore[attr-defined]  # of the site this is mixed into
        return [
            path("views/save/", view(self.save_view), name="list_view_save"),
            path("views/delete/", view(self.delete_view), name="list_view_delete"),
        ]

    def save_view(self, request: HttpRequest) -> HttpResponse:
        """Keep what the person sees under a name; a refusal is said on the list, and nothing is kept."""
        admin, back = self._list(request)
        is_shared = bool(request.POST.get("is_shared"))
        if is_shared and not request.user.has_perm(SHARE):
            raise PermissionDenied
        query = QueryDict(request.POST.get("query", "")[:4000])
        try:
            view = services.save_view(
                owner=request.user,  # type: ignore[arg-type]  # the admin's pages are for signed-in people
                list_name=admin.opts.label_lower,
                name=request.POST.get("name", ""),
                query=query.urlencode(),
                is_shared=is_shared,
                actor=staff_actor(request),
                at=now(),
            )
        except BillingError as error:
            texts = [text for found in getattr(error, "fields", {}).values() for text in found]
            messages.error(request, f"The view was not saved. {' '.join(texts) or error.message}")
        else:
            messages.success(request, f"Saved as “{view.name}”.")
        return HttpResponseRedirect(f"{back}?{query.urlencode()}")

    def delete_view(self, request: HttpRequest) -> HttpResponse:
        """Delete one's own view."""
        _, back = self._list(request)
        is_deleted = services.delete_view(
            view_id=request.POST.get("view", "")[:36],
            owner=request.user,  # type: ignore[arg-type]  # as above
            actor=staff_actor(request),
            at=now(),
        )
        said = "The view is deleted." if is_deleted else "Nothing was done: you have no such view."
        messages.info(request, said)
        return HttpResponseRedirect(f"{back}?{QueryDict(request.POST.get('query', '')[:4000]).urlencode()}")

    def _list(self, request: HttpRequest) -> tuple[Any, str]:
        """The list that a form names, for somebody who may see it, and its address."""
        if request.method != "POST":
            raise Http404
        name = request.POST.get("list", "")
        registered = self._registry.items()  # type: ignore[attr-defined]  # of the site this is mixed into
        admin = next((one for model, one in registered if model._meta.label_lower == name), None)
        if admin is None:
            raise Http404
        if not admin.has_view_or_change_permission(request):
            raise PermissionDenied
        return admin, reverse(f"admin:{admin.opts.app_label}_{admin.opts.model_name}_changelist")
