"""View as customer: somebody on the staff sees a portal as its people do. `portal.visiting` keeps it to reading."""

from datetime import datetime
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from billing.platform import display
from billing.platform.actors import Actor
from billing.platform.admin import staff_actor
from billing.platform.clock import now
from customers import services
from customers.models import User
from valueverse.backoffice.verbs import Data, Outcome, Verb


class ReasonForm(forms.Form):
    """Why somebody looks."""

    reason = forms.CharField(
        max_length=200,
        label="Reason",
        help_text="Stands in the customer's activity with your name. For example: ticket 4711, cannot find an invoice.",
    )


class ViewAsCustomer(Verb):
    """Open the portal as the customer sees it, for a limited time, to be read."""

    def __init__(self) -> None:
        super().__init__(
            "view-as-customer",
            "View as customer",
            "customers.view_as_customer",
            "You see what a manager at this customer sees, and can change nothing. Invoices you open do not count as "
            "seen by the customer. Your own pages stay open in other tabs.",
            form_class=ReasonForm,
            concerns_books=False,
            sample={"reason": "–"},
        )

    def at(self, row: Any) -> datetime:
        return now()

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        people = row.portal_memberships.count()
        minutes = int(settings.CUSTOMER_VISIT_LONGEST.total_seconds() // 60)
        return [
            ("Customer", row.name),
            ("Ends by itself after", f"{minutes} minutes"),
            ("People with access", f"{people:,}"),
        ]

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        services.start_customer_visit(
            user=User.objects.get(public_id=actor.public_id),
            customer=row,
            reason=data["reason"],
            longest=settings.CUSTOMER_VISIT_LONGEST,
            actor=actor,
            at=at,
        )
        return Outcome("You see this portal as its customer does.", row, address=reverse("portal:home"))


class ViewingPages:
    """Ending it."""

    def __init__(self, site: Any) -> None:
        self.site = site

    def urls(self) -> list[URLPattern]:
        return [path("view-as/end/", self.site.admin_view(self.end), name="view_as_end")]

    @method_decorator(require_POST)
    def end(self, request: HttpRequest) -> HttpResponse:
        """End one's view as customer, and go back to the customer."""
        assert isinstance(request.user, User), "behind admin_view somebody is signed in"
        ended = services.end_customer_visit(user=request.user, actor=staff_actor(request), at=now())
        if ended is None:
            messages.info(request, "The view as customer has ended already.")
            return HttpResponseRedirect(reverse("admin:index"))
        messages.success(request, f"You no longer view the portal as {ended.customer}.")
        return HttpResponseRedirect(display.page_of(ended.customer))
