"""Pages that make a new object: a form, one button, one object, however often the button is pressed.

The form carries a mark that is made up when the page is opened. What it makes is noted under this mark in the same
transaction, so the second click, the back button and a form sent again end on the object that is there already.
"""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from billing.core.errors import BillingError
from billing.platform.clock import now
from billing.platform.locks import waiting_lock
from billing.platform.models import IdempotencyRecord
from valueverse.backoffice.verbs import Data, Outcome, Rehearsal, Verb, VerbPage

KEPT = timedelta(days=30)
_MARK = re.compile(r"[0-9a-f]{32}")


@dataclass(slots=True)
class Creation(Verb):
    """A verb that makes an object, where there is none yet. model: of what; parent: what the address names, if any."""

    model: type[Model] | None = None

    def at(self, row: Any) -> datetime:
        return now()

    def subject(self, row: Any) -> str:
        return ""

    def back(self, row: Any) -> str:
        assert self.model is not None, "a creation says what it makes"
        return reverse(f"admin:{self.model._meta.app_label}_{self.model._meta.model_name}_changelist")

    def initial(self, request: HttpRequest) -> Data:
        """What the address says already, like ?customer=7."""
        return {}

    def new_form(self, request: HttpRequest) -> forms.Form:
        """The empty form."""
        form = self.form(None)
        form.initial = {**form.initial, **self.initial(request)}
        return form


class CreationPage(VerbPage):
    """One request for the page that makes an object."""

    verb: Creation

    def __init__(self, site: Any, request: HttpRequest, verb: Creation) -> None:
        super().__init__(site, request, verb, None)

    def answer(self) -> HttpResponse:
        if self.request.method != "POST" and self.request.user.has_perm(self.verb.permission):
            return self.show(self.verb.new_form(self.request))
        return super().answer()

    def act(self, form: forms.Form) -> HttpResponse:
        mark = self.request.POST.get("seen", "")
        if not _MARK.fullmatch(mark):
            form.add_error(None, "This page is too old. Look again, then press the button.")
            return self.show(form)
        with waiting_lock(f"backoffice form {mark}"):
            before = IdempotencyRecord.objects.filter(principal=str(self.actor.public_id), key=mark).first()
            if before is not None:
                messages.warning(
                    self.request, "Nothing was done: this form was sent already. Here is what it made."
                )
                return HttpResponseRedirect(
                    bytes(before.response_body or b"").decode() or self.verb.back(None)
                )
            try:
                with transaction.atomic():
                    made = self.verb.perform(None, form.cleaned_data, self.actor, self.verb.at(None))
                    self.note(mark, made)
            except BillingError as error:
                self.refuse(form, error)
                return self.show(form)
        if made.secret:
            return self.show_once(made)
        messages.success(self.request, made.message)
        return HttpResponseRedirect(made.next_page)

    def note(self, mark: str, made: Outcome) -> None:
        """Keep, in the transaction of the effect, where the object is that this form made."""
        at = now()
        IdempotencyRecord.objects.create(
            principal=str(self.actor.public_id),
            key=mark,
            method="POST",
            path=self.request.path[:400],
            fingerprint=hashlib.sha256(mark.encode()).hexdigest(),
            response_status=302,
            response_body=made.next_page.encode(),
            response_type="text/plain",
            created_at=at,
            expires_at=at + KEPT,
        )

    def show_once(self, made: Outcome) -> HttpResponse:
        """What is known now and never again; no cache keeps the page."""
        context = {
            **self.site.each_context(self.request),
            "title": self.verb.label,
            "made": made,
            "next": made.next_page,
            "is_fullwidth": "1",
        }
        response = TemplateResponse(self.request, "backoffice/shown_once.html", context)
        response["Cache-Control"] = "no-store"
        return response

    def mark(self) -> str:
        given = self.request.POST.get("seen", "")
        return given if _MARK.fullmatch(given) else secrets.token_hex(16)

    def rehearsal(self, data: Data, *, figures: bool) -> Rehearsal:
        return super().rehearsal(data, figures=True) if figures else Rehearsal()
