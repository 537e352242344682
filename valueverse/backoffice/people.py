"""People: who works in the back office, in which groups, how they sign in and where they are signed in."""

from datetime import datetime
from typing import Any

from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from billing.activity.selectors import activity_of
from billing.core.errors import BillingError
from billing.platform import display
from billing.platform.actors import Actor
from billing.platform.admin import staff_actor
from billing.platform.clock import now
from customers import services
from customers.admin import UserAdmin
from customers.models import User
from customers.selectors import sessions_of
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.verbs import Data, Outcome, Verb, VerbPage
from valueverse.browsers import browser_name

MANAGE = "customers.manage_people"
ROWS = 20


def groups_field(help_text: str) -> forms.ModelMultipleChoiceField[Group]:
    """Ticks, one per group."""
    return forms.ModelMultipleChoiceField(
        Group.objects.order_by("name"),
        widget=forms.CheckboxSelectMultiple,
        label="Groups",
        help_text=help_text,
        error_messages={"required": "Choose at least one group: without one a person can do nothing."},
    )


class GroupsForm(forms.Form):
    """The groups a person is in."""

    groups = groups_field("A person may do what any of their groups may.")


class InviteForm(forms.Form):
    """Somebody new on the staff."""

    email = forms.EmailField(max_length=254, label="Mail address", help_text="Signs in with this address.")
    name = forms.CharField(max_length=200, label="Name", help_text="As it reads in the activity.")
    groups = groups_field("Finance manager may also manage people.")


class PersonVerb(Verb):
    """The base: the machine's time, one permission, nothing booked."""

    def __init__(self, slug: str, label: str, before: str, **more: Any) -> None:
        super().__init__(slug, label, MANAGE, before, concerns_books=False, **more)

    def at(self, row: Any) -> datetime:
        return now()

    def is_offered(self, row: Any) -> bool:
        return bool(row.is_staff and row.is_active)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [("Person", str(row)), ("Signs in as", row.email), ("Groups", group_names(row))]

    def state(self, row: Any) -> tuple[Any, ...]:
        last = activity_of(object_id=row.public_id).values_list("pk", flat=True).first()
        return (row.is_active, row.password, group_names(row), last)


class ChangeGroups(PersonVerb):
    """Which groups a person is in."""

    def __init__(self) -> None:
        super().__init__(
            "groups", "Change groups", "Counts from the person's next click on.", form_class=GroupsForm
        )

    def form(self, row: Any, data: Any = None) -> forms.Form:
        return GroupsForm(data, initial={"groups": list(row.groups.all())})

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        groups = list(data["groups"]) if "groups" in data else list(row.groups.all())
        made = services.change_groups(user=row, groups=groups, actor=actor, at=at)
        return Outcome(f"{made} is in: {group_names(made)}.", made)


class LetGo(PersonVerb):
    """Out at once, and no way back in."""

    def __init__(self) -> None:
        super().__init__(
            "let-go",
            "Let go",
            "The person is signed out everywhere at once and cannot sign in. What they did stays on record under "
            "their name; taking them back restores the groups.",
        )

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [*super().facts(row), ("Signed in now", signed_in(row))]

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.deactivate_user(user=row, actor=actor, at=at)
        return Outcome(f"{made} is signed out everywhere and cannot sign in.", made)


class TakeBack(PersonVerb):
    """May sign in again."""

    def __init__(self) -> None:
        super().__init__("take-back", "Take back", "The person may sign in again, with the groups they had.")

    def is_offered(self, row: Any) -> bool:
        return bool(row.is_staff and not row.is_active)

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.reactivate_user(user=row, actor=actor, at=at)
        return Outcome(f"{made} may sign in again.", made)


class SendLink(PersonVerb):
    """A new link to choose a password."""

    def __init__(self) -> None:
        super().__init__(
            "send-link",
            "Send a password link",
            "The mail leaves at once. The link works once, for three days; the present password works until then.",
        )

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.invite_staff_again(user=row, actor=actor, at=at)
        return Outcome(f"A link is on its way to {made.email}.", made)


class ResetSecondFactor(PersonVerb):
    """For somebody who has lost phone and recovery codes."""

    def __init__(self) -> None:
        super().__init__(
            "reset-second-factor",
            "Reset second factor",
            "Authenticator app, passkeys and recovery codes are removed and the person is signed out everywhere. Make "
            "sure by another way that it is they who ask: their password alone then sets up a new one.",
        )

    def is_offered(self, row: Any) -> bool:
        return super().is_offered(row) and services.has_second_factor(row)

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        services.require_may_manage(user=row, actor=actor)
        services.reset_second_factors(user=row, actor=actor, at=at)
        return Outcome(f"{row} sets up a new second factor at the next sign-in.", row)


class SignOutEverywhere(PersonVerb):
    """End every session of a person."""

    def __init__(self) -> None:
        super().__init__(
            "sign-out", "Sign out everywhere", "The person is signed out at once and may sign in again."
        )

    def is_offered(self, row: Any) -> bool:
        return sessions_of(row, at=now()).exists()

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [*super().facts(row), ("Signed in now", signed_in(row))]

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        services.require_may_manage(user=row, actor=actor, may_be_oneself=True)
        ended = services.end_sessions(user=row, actor=actor, at=at)
        return Outcome(f"Signed {row} out of {ended} browser{'' if ended == 1 else 's'}.", row)


@admin.register(User)
class PersonPage(ObjectPage, UserAdmin):
    """A person with groups, second factors, sessions and what was done to their account."""

    page_template = "backoffice/person.html"
    verbs = (
        ChangeGroups(),
        SendLink(),
        ResetSecondFactor(),
        SignOutEverywhere(),
        LetGo(),
        TakeBack(),
    )
    list_before_template = "backoffice/people_list.html"
    list_display = ["email", "name", "works_in", "in_groups", "second_factor", "state", "last_login"]
    ordering = ["-is_staff", "email"]

    def get_queryset(self, request: HttpRequest) -> Any:
        factors = Authenticator.objects.filter(user=OuterRef("pk"))
        found = super().get_queryset(request).annotate(has_factor=Exists(factors))
        return found.prefetch_related("groups")

    @admin.display(description="Works in", ordering="is_staff")
    def works_in(self, row: Any) -> str:
        return "Back office" if row.is_staff else "Customer portal"

    @admin.display(description="Groups")
    def in_groups(self, row: Any) -> str:
        names = sorted(group.name for group in row.groups.all())
        return ", ".join(names) or ("Superuser" if row.is_superuser else "–")

    @admin.display(description="Second factor")
    def second_factor(self, row: Any) -> Any:
        if not row.is_staff:
            return display.NONE
        return display.pill("active", word="Set up") if row.has_factor else display.pill("none", word="None")

    @admin.display(description="State", ordering="is_active")
    def state(self, row: Any) -> Any:
        return display.pill("active") if row.is_active else display.pill("parked", word="Let go")

    def get_urls(self) -> list[URLPattern]:
        invite = self.admin_site.admin_view(self.invite_view)
        return [path("invite/", invite, name="customers_user_invite"), *super().get_urls()]

    def invite_view(self, request: HttpRequest) -> HttpResponse:
        """Make an account for somebody on the staff; the mail with the link follows."""
        if not request.user.has_perm(MANAGE):
            raise PermissionDenied
        form = InviteForm(request.POST if request.method == "POST" else None)
        if form.is_valid():
            try:
                made = services.invite_staff(**form.cleaned_data, actor=staff_actor(request), at=now())
            except BillingError as error:
                VerbPage.refuse(form, error)
            else:
                messages.success(request, f"{made} is invited; a mail with a link is on its way.")
                return HttpResponseRedirect(display.page_of(made))
        context = {**self.admin_site.each_context(request), "title": "Invite somebody", "form": form}
        return TemplateResponse(
            request,
            "backoffice/invite.html",
            {**context, "is_fullwidth": "1"},
            status=400 if form.errors else 200,
        )

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        factors = Authenticator.objects.filter(user=row).order_by("created_at")
        return {
            "groups": group_names(row),
            "factors": list(factors.exclude(type=Authenticator.Type.RECOVERY_CODES)),
            "sessions": [(one, browser_name(one.agent)) for one in sessions_of(row, at=now())[:ROWS]],
            "memberships": list(row.portal_memberships.select_related("customer").order_by("pk")[:ROWS]),
            "activity": list(activity_of(object_id=row.public_id)[:ROWS]),
        }


def group_names(user: User) -> str:
    """The groups in words."""
    names = list(user.groups.order_by("name").values_list("name", flat=True))
    return ", ".join(names) or ("Superuser" if user.is_superuser else "None")


def signed_in(user: User) -> str:
    """In how many browsers a person is signed in."""
    count = sessions_of(user, at=now()).count()
    return f"in {count} browser{'' if count == 1 else 's'}" if count else "nowhere"
