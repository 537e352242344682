"""Who at a customer may open its portal: invite, send again, change the role, take it away."""

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from billing.platform import display
from billing.platform.actors import Actor
from billing.platform.clock import now
from customers import services
from customers.models import Contact, PortalLink, PortalLinkKind, PortalMembership, PortalRole
from valueverse.backoffice.customer_verbs import CONTACT_VERBS
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.verbs import Data, Outcome, Verb

ROWS = 100


def access_page(customer: Any) -> str:
    """The address of a customer's portal page in the back office."""
    return reverse("admin:customers_customer_access", args=[customer.pk])


class InviteForm(forms.Form):
    """Who is invited, and to what."""

    email = forms.EmailField(label="Mail address")
    name = forms.CharField(required=False, max_length=200)
    role = forms.ChoiceField(choices=PortalRole.choices, initial=PortalRole.VIEWER.value)


class Invite(Verb):
    """A mail with a link that works once, for seven days."""

    def __init__(self) -> None:
        super().__init__(
            "invite",
            "Invite to the portal",
            "customers.add_portalmembership",
            "Mails a link that works once, for seven days. Withdrawn on the portal page until it is accepted.",
            InviteForm,
            rehearses=False,
        )

    def at(self, row: Any) -> datetime:
        return now()

    def state(self, row: Any) -> tuple[Any, ...]:
        return tuple(invitations(row).values_list("pk", flat=True))

    def back(self, row: Any) -> str:
        return access_page(row)

    def button(self, row: Any, data: Data) -> str:
        return "Mail the invitation"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.invite_contact(customer=row, **data, actor=actor, at=at)
        services.mail_invitation(made=made, customer=row)
        return Outcome(f"Invited {made.link.email}; the mail is out.", None, access_page(row))


class MembershipVerb(Verb):
    """What verbs on a person's access share."""

    def at(self, row: Any) -> datetime:
        return now()

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.role,)

    def subject(self, row: Any) -> str:
        return f"{row.user.email}, {row.customer}"

    def back(self, row: Any) -> str:
        return access_page(row.customer)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [("Person", str(row.user)), ("Mail address", row.user.email), ("Role", row.get_role_display())]


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=PortalRole.choices)


class ChangeRole(MembershipVerb):
    """Sees only, or acts too."""

    def __init__(self) -> None:
        super().__init__(
            "role",
            "Change role",
            "customers.change_portalmembership",
            "Holds from the person's next page on.",
            RoleForm,
            rehearses=False,
            edits=True,
        )

    def form(self, row: Any, data: Any = None) -> forms.Form:
        return RoleForm(data, initial={"role": row.role})

    def button(self, row: Any, data: Data) -> str:
        return "Save role"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.grant_portal_access(
            customer=row.customer, user=row.user, role=data["role"], actor=actor, at=at
        )
        return Outcome(f"{made.user.email} is now {made.role}.", None, access_page(row.customer))


class RemoveAccess(MembershipVerb):
    """No portal of this customer any more."""

    def __init__(self) -> None:
        super().__init__(
            "remove",
            "Remove access",
            "customers.delete_portalmembership",
            "The person's next page is refused. Account and access to other customers stay; invite again to undo.",
        )

    def button(self, row: Any, data: Data) -> str:
        return f"Remove {row.user.email}"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        services.remove_portal_access(membership=row, actor=actor, at=at)
        return Outcome(f"{row.user.email} has no access any more.", None, access_page(row.customer))


class InvitationVerb(Verb):
    """What verbs on an open invitation share."""

    def at(self, row: Any) -> datetime:
        return now()

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.used_at,)

    def is_offered(self, row: Any) -> bool:
        return row.used_at is None and row.customer_id is not None

    def subject(self, row: Any) -> str:
        return f"{row.email}, {row.customer}"

    def back(self, row: Any) -> str:
        return access_page(row.customer)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [
            ("Mail address", row.email),
            ("Role", row.get_role_display()),
            ("Invited (UTC)", display.instant(row.created_at)),
            ("Works until (UTC)", display.instant(row.expires_at)),
        ]


class Resend(InvitationVerb):
    """A new link; the old one ends."""

    def __init__(self) -> None:
        super().__init__(
            "resend",
            "Send again",
            "customers.add_portalmembership",
            "Mails a new link for seven days; the link of the first mail no longer works.",
            rehearses=False,
        )

    def button(self, row: Any, data: Data) -> str:
        return f"Mail {row.email} again"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.invite_contact(
            customer=row.customer, email=row.email, name=row.name, role=row.role, actor=actor, at=at
        )
        services.mail_invitation(made=made, customer=row.customer)
        return Outcome(f"Invited {row.email} again; the mail is out.", None, access_page(row.customer))


class Withdraw(InvitationVerb):
    """The link no longer works."""

    def __init__(self) -> None:
        super().__init__(
            "withdraw",
            "Withdraw invitation",
            "customers.delete_portalmembership",
            "The mailed link no longer works. Invite again to undo.",
        )

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        services.withdraw_invitation(link=row, actor=actor, at=at)
        return Outcome(f"The invitation of {row.email} is withdrawn.", None, access_page(row.customer))


def invitations(customer: Any) -> Any:
    """Invitations that nobody has accepted, newest first."""
    return PortalLink.objects.filter(
        customer=customer, kind=PortalLinkKind.INVITATION, used_at=None
    ).order_by("-pk")


class Elsewhere(ObjectPage):
    """Rows that are shown on the page of their customer; here are the verbs on one of them."""

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        return HttpResponseRedirect(self.home(self.find(request, object_id)))

    def home(self, row: Any) -> str:
        """The page that shows the row."""
        return access_page(row.customer)


@admin.register(PortalMembership)
class MembershipPage(Elsewhere):
    """Everybody with access to some portal."""

    verbs = (ChangeRole(), RemoveAccess())
    list_display = ["user", "customer", "role", "created_at"]
    list_select_related = ["user", "customer"]
    search_fields = ["user__email", "customer__name"]
    list_filter = ["role"]
    empty_state = "Nobody has access to a portal yet. Open a customer and invite somebody."

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("user", "customer")


@admin.register(PortalLink)
class InvitationPage(Elsewhere):
    """Invitations that are out. Sign-in links are nobody's business."""

    verbs = (Resend(), Withdraw())
    list_display = ["email", "customer", "role", "created_at", "expires_at", "used_at"]
    list_select_related = ["customer"]
    search_fields = ["email", "customer__name"]
    exclude = ["token_hash"]
    empty_state = "Nobody has been invited yet. Open a customer and invite somebody."

    def get_queryset(self, request: HttpRequest) -> Any:
        found = super().get_queryset(request).filter(kind=PortalLinkKind.INVITATION)
        return found.select_related("customer__legal_entity", "customer__test_clock")


@admin.register(Contact)
class ContactPage(Elsewhere):
    """Contacts of all customers."""

    verbs = CONTACT_VERBS
    list_display = ["name", "email", "phone", "customer"]
    list_select_related = ["customer"]
    search_fields = ["name", "email", "customer__name"]
    empty_state = "No contact yet. Open a customer and add one: invoices are mailed to contacts."

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("customer__test_clock", "customer__legal_entity")

    def home(self, row: Any) -> str:
        return display.page_of(row.customer)


def access_context(request: HttpRequest, customer: Any) -> dict[str, Any]:
    """What a customer's portal page shows. Raises PermissionDenied."""
    if not request.user.has_perm("customers.view_portalmembership"):
        raise PermissionDenied
    members = PortalMembership.objects.filter(customer=customer).select_related("user").order_by("pk")
    return {
        "title": f"Portal access: {customer}",
        "row": customer,
        "members": list(members[:ROWS]),
        "invitations": list(invitations(customer)[:ROWS]),
        "now": now(),
        "may_invite": request.user.has_perm("customers.add_portalmembership"),
        "may_change": request.user.has_perm("customers.change_portalmembership"),
        "may_remove": request.user.has_perm("customers.delete_portalmembership"),
    }
