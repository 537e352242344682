"""A verb as a page: what it will do in figures, what it will post, then one button.

The figures come from doing it and rolling it back, so they are those of the service itself, and so is every refusal.
Acting needs a POST with the state the person saw: whoever comes second, or comes back, finds that nothing happened.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from billing.activity.selectors import activity_of
from billing.approvals.models import ApprovalRequest
from billing.approvals.services import ApprovalRequired
from billing.core.errors import BillingError
from billing.core.postings import ROLE_NAMES, Role
from billing.ledger.selectors import EffectRow, effect_since, last_entry_pk
from billing.platform import display
from billing.platform.actors import Actor
from billing.platform.admin import staff_actor
from billing.platform.locks import waiting_lock

Data = Mapping[str, Any]


class NothingToAsk(forms.Form):
    """A verb that needs no more than a yes."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a verb has made: what to tell the person, and which row's page comes next (row None: `address`).

    secret: what is shown on the next page, once, and stored nowhere.
    """

    message: str
    row: Model | None
    address: str = ""
    secret: str = ""

    @property
    def next_page(self) -> str:
        """Where the person goes on."""
        return self.address or (display.page_of(self.row) if self.row is not None else "")


@dataclass(slots=True)
class Verb:
    """One thing a person may do to one kind of object.

    permission: who may. slug: its address below the object. before: what cannot be taken back, and by what it is
    corrected. asks_first: the figures depend on what is typed, so they are shown after a first look at the form.
    is_live: where scripts run, that look is taken while the person types. edits: the form shows what is stored, so
    somebody else's change in between is shown beside what was typed.
    """

    slug: str
    label: str
    permission: str
    before: str
    form_class: type[forms.Form] = NothingToAsk
    asks_first: bool = False
    rehearses: bool = True
    sample: Data = field(default_factory=dict)
    is_live: bool = False
    edits: bool = False
    concerns_books: bool = True

    def form(self, row: Any, data: Any = None) -> forms.Form:
        """The form, with what is known of the object filled in."""
        return self.form_class(data)

    def bound_form(self, row: Any, request: HttpRequest) -> forms.Form:
        """The form with what was sent."""
        return self.form(row, request.POST)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        """The figures of the object as it stands."""
        return []

    def button(self, row: Any, data: Data) -> str:
        """What the button says: verb, object and figure."""
        return self.label

    def state(self, row: Any) -> tuple[Any, ...]:
        """What the person has seen; if it differs when they act, nothing is done."""
        return ()

    def is_offered(self, row: Any) -> bool:
        """Whether it makes sense for the object as it stands; the service decides."""
        return True

    def changed(self, row: Any) -> str:
        """What to tell somebody whose page is older than the object; empty for the usual words."""
        return ""

    def shows_again(self, row: Any) -> bool:
        """Whether such a person sees this verb again, with the new figures, rather than the object."""
        return False

    def at(self, row: Any) -> datetime:
        """The time it is for this object."""
        raise NotImplementedError

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        """Call the service. Raises BillingError."""
        raise NotImplementedError

    def subject(self, row: Any) -> str:
        """The object in the heading."""
        return str(row)

    def check(self, row: Any, data: Data) -> None:
        """What can be refused without doing it, where it cannot be rehearsed. Raises BillingError."""

    def expected(self, row: Any, data: Data) -> list[EffectRow]:
        """What will be posted, where it cannot be rehearsed."""
        return []

    def back(self, row: Any) -> str:
        """The page that the person came from."""
        return display.page_of(row)

    def aside(self, row: Any, made: Outcome) -> dict[str, Any]:
        """What only the rehearsal knows and `backoffice/parts/aside.html` shows beside the figures."""
        return {}

    def result(self, row: Any, made: Outcome) -> list[tuple[str, Any]]:
        """Figures that only the rehearsal knows, read before it is rolled back."""
        return []


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What acting would do: figures, postings, or why it would be refused."""

    figures: tuple[tuple[str, Any], ...] = ()
    effect: tuple[EffectRow, ...] = ()
    refusal: BillingError | None = None
    needs_approval: bool = False
    aside: Mapping[str, Any] = field(default_factory=dict)


def rehearse(verb: Verb, row: Any, data: Data, actor: Actor, at: datetime) -> Rehearsal:
    """Do it and roll it back."""
    if not verb.rehearses:
        try:
            verb.check(row, data)
        except BillingError as error:
            return Rehearsal(refusal=error)
        return Rehearsal(effect=tuple(verb.expected(row, data)))
    with transaction.atomic():
        mark = last_entry_pk()
        try:
            with transaction.atomic():
                made = verb.perform(row, data, actor, at)
                found = Rehearsal(
                    tuple(verb.result(row, made)),
                    tuple(effect_since(entry_pk=mark, actor_id=actor.public_id)),
                    aside=verb.aside(row, made),
                )
        except ApprovalRequired:
            found = Rehearsal(needs_approval=True)
        except BillingError as error:
            found = Rehearsal(refusal=error)
        transaction.set_rollback(True)
    return found


@dataclass(frozen=True, slots=True)
class Section:
    """Fields that belong together, under a heading; name: the price model or the like that they are for."""

    title: str
    fields: list[forms.BoundField]
    name: str = ""
    help_text: str = ""


def sections(form: forms.Form) -> list[Section]:
    """The form's fields in its `sections` (title, names, and optionally for what and help), or all in one."""
    told = getattr(form, "sections", None)
    if told is None:
        return [Section("", [bound for bound in form if not bound.is_hidden])]
    return [
        Section(title, [form[name] for name in names if name in form.fields], *rest)
        for title, names, *rest in told
    ]


def answers(form: forms.Form) -> list[tuple[str, Any]]:
    """What was typed, as the person knows it: the names of what was chosen, not their keys."""
    shown: list[tuple[str, Any]] = []
    for bound in form:
        value = form.cleaned_data.get(bound.name) if form.is_valid() else None
        if bound.is_hidden:
            continue
        if isinstance(bound.field, forms.ModelChoiceField):
            text = bound.field.label_from_instance(value) if value else bound.field.empty_label
        elif isinstance(bound.field, forms.ChoiceField):
            chosen = bound.value()
            picked = {str(one) for one in chosen} if isinstance(chosen, list) else {str(chosen)}
            text = ", ".join(str(name) for code, name in _flat(bound.field.choices) if str(code) in picked)
        else:
            text = bound.value()
        shown.append((str(bound.label), text or display.NONE))
    return shown


def _flat(choices: Any) -> list[tuple[Any, Any]]:
    """Choices without their groups."""
    found: list[tuple[Any, Any]] = []
    for code, name in choices:
        found.extend(_flat(name) if isinstance(name, (list, tuple)) else [(code, name)])
    return found


def refuse(form: forms.Form, error: BillingError) -> None:
    """Put a refusal beside the field it is about, or on top; a form with `place` knows the names services use."""
    placed = False
    place: Callable[[str], str] = getattr(form, "place", str)
    for name, texts in error.fields.items():
        field_name = place(name)
        for text in texts:
            form.add_error(field_name if field_name in form.fields else None, sentence(text))
            placed = True
    if not placed:
        form.add_error(None, sentence(error.message))


def sentence(text: str) -> str:
    """A refusal as a sentence: 'must be above 5' reads 'Must be above 5.'

    >>> sentence("must be above 5")
    'Must be above 5.'
    """
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '?')) else '.'}"


def token(verb: Verb, row: Any) -> str:
    """A digest of what the person has seen."""
    return hashlib.sha256(repr((verb.slug, row.pk, verb.state(row))).encode()).hexdigest()[:32]


def _as_text(value: Any) -> str:
    return "nothing" if value in (None, "", []) else str(value)[:200]


class VerbPage:
    """One request for a verb of an object."""

    def __init__(self, site: Any, request: HttpRequest, verb: Verb, row: Any) -> None:
        self.site, self.request, self.verb, self.row = site, request, verb, row
        self.actor = staff_actor(request)

    def answer(self) -> HttpResponse:
        """GET shows; POST with step=look shows the figures of what was typed; POST with step=act acts."""
        if not self.request.user.has_perm(self.verb.permission):
            raise PermissionDenied
        if self.request.method != "POST":
            return self.show(self.verb.form(self.row))
        form = self.verb.bound_form(self.row, self.request)
        if self.request.POST.get("step") in ("more", "type"):
            return self.show(form, is_unfinished=True)
        if not form.is_valid():
            return self.show(form)
        if self.request.POST.get("step") == "look":
            return self.show(form, figures=True)
        return self.act(form)

    def act(self, form: forms.Form) -> HttpResponse:
        with waiting_lock(f"backoffice {self.row._meta.label} {self.row.pk}"):
            found = type(self.row)._default_manager.filter(pk=self.row.pk).first()
            if found is None:
                messages.warning(self.request, "Nothing was done: it is gone already.")
                return HttpResponseRedirect(self.verb.back(self.row))
            self.row = found
            if self.request.POST.get("seen") != token(self.verb, self.row):
                if self.verb.edits and self.theirs(form):
                    return self.show(form)
                messages.warning(self.request, self.verb.changed(self.row) or self.already())
                again = self.verb.shows_again(self.row)
                return HttpResponseRedirect(self.request.path if again else self.verb.back(self.row))
            if self.is_done(form.cleaned_data):
                messages.warning(self.request, self.already())
                return HttpResponseRedirect(self.verb.back(self.row))
            try:
                made = self.verb.perform(self.row, form.cleaned_data, self.actor, self.verb.at(self.row))
            except ApprovalRequired as error:
                asked = ApprovalRequest.objects.get(public_id=str(error.details["approval"]))
                messages.info(self.request, "This is above the limit. Somebody else has to approve it first.")
                return HttpResponseRedirect(display.page_of(asked))
            except BillingError as error:
                self.refuse(form, error)
                return self.show(form)
        messages.success(self.request, made.message)
        return HttpResponseRedirect(made.next_page)

    def theirs(self, form: forms.Form) -> bool:
        """Whether somebody stored other values since the page was opened; each is named beside what was typed."""
        stored = self.verb.form(self.row)
        found = False
        for bound in form:
            now_stored = stored[bound.name].value()
            if bound.field.has_changed(now_stored, bound.data):
                found = True
                form.add_error(
                    bound.name, f"Stored now: {_as_text(now_stored)}. Save again to replace it with yours."
                )
        if found:
            form.add_error(None, self.already())
        return found

    def is_done(self, data: Data) -> bool:
        """Whether acting would go through and change nothing: the service repeats itself, the person need not."""
        if self.verb.is_offered(self.row):
            return False
        return rehearse(self.verb, self.row, data, self.actor, self.verb.at(self.row)).refusal is None

    def already(self) -> str:
        """What happened since the page was opened: the second click and the back button end here."""
        last = activity_of(object_id=self.row.public_id).first()
        since = (
            f" Last: {last.name} by {last.actor_label}, {last.happened_at:%Y-%m-%d %H:%M} UTC."
            if last
            else ""
        )
        return f"Nothing was done: this has changed since you opened the page, or was done already.{since}"

    refuse = staticmethod(refuse)

    def show(self, form: forms.Form, *, figures: bool = False, is_unfinished: bool = False) -> HttpResponse:
        """The page. is_unfinished: the person asked for one more row, and nothing is checked yet."""
        verb, row = self.verb, self.row
        is_whole = form.is_bound and not is_unfinished and form.is_valid()
        data: Data = form.cleaned_data if is_whole else verb.sample
        may_act = figures or not verb.asks_first
        rehearses = may_act and not is_unfinished
        found = self.rehearsal(data, figures=figures) if rehearses else Rehearsal()
        if found.refusal is not None and figures:
            self.refuse(form, found.refusal)
            found, may_act = Rehearsal(), False
        is_done = may_act and found.refusal is None and not verb.is_offered(row)
        if is_done:
            found = Rehearsal()
        context = {
            **self.site.each_context(self.request),
            "title": verb.label,
            "verb": verb,
            "row": row,
            "subject": verb.subject(row),
            "back": verb.back(row),
            "form": form,
            "sections": sections(form),
            "is_unfinished": is_unfinished,
            "has_files": form.is_multipart(),
            "aside": found.aside,
            "facts": [*verb.facts(row), *(() if found.aside else found.figures)],
            "figures": found.figures,
            "found": found,
            "effect": [(f"{line.role} {ROLE_NAMES[Role(line.role)]}", line) for line in found.effect],
            "may_act": may_act and found.refusal is None and not is_done,
            "already": self.already() if is_done else "",
            "is_look": figures,
            "answers": answers(form) if figures else [],
            "button": verb.button(row, data),
            "seen": self.mark(),
            "is_fullwidth": "1",
        }
        status = 400 if form.is_bound and not is_unfinished and form.errors else 200
        return TemplateResponse(self.request, "backoffice/verb.html", context, status=status)

    def rehearsal(self, data: Data, *, figures: bool) -> Rehearsal:
        """What acting would do, with what was typed or, before anything was, with the verb's sample."""
        return rehearse(self.verb, self.row, data, self.actor, self.verb.at(self.row))

    def mark(self) -> str:
        """What the button sends back, so that acting fits what was seen."""
        return token(self.verb, self.row)
