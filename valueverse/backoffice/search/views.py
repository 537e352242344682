"""The answer to a search: a list of what was found by kind, as part of the dialog or as a page of its own."""

import time
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from billing.platform.limits import statement_timeout, took_too_long
from valueverse.backoffice.search.commands import commands
from valueverse.backoffice.search.kinds import KINDS, Hit
from valueverse.backoffice.search.terms import LENGTH_MIN, Term, read_term

STATEMENT_TIMEOUT_MS = 500
"""The most that one question may take; by its indexes each takes a few milliseconds."""

BUDGET_SECONDS = 1.5
"""After this, kinds that were not asked yet are named as left out."""


@dataclass(frozen=True, slots=True)
class Group:
    """What was found of one kind."""

    label: str
    hits: list[Hit]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, what was looked for, and what took too long."""

    term: Term
    groups: list[Group]
    searched: list[str]
    left_out: list[str]

    @property
    def count(self) -> int:
        return sum(len(group.hits) for group in self.groups)

    @property
    def said(self) -> str:
        """The outcome in one sentence, as it is also read out."""
        if self.term.is_too_short:
            return (
                f"Type {LENGTH_MIN} characters or more: a number, name, external id, mail address, amount, the last "
                "digits of a card or account, or a command."
            )
        late = (
            f" Not looked through, as it took too long: {_listed(self.left_out)}. Type more of it."
            if self.left_out
            else ""
        )
        if self.count:
            return f"{self.count} found.{late}"
        return f"Nothing found for “{self.term.text}” in {_listed(self.searched)}.{late}"


def _listed(labels: list[str]) -> str:
    lowered = [label.lower() for label in labels]
    return lowered[0] if len(lowered) == 1 else f"{', '.join(lowered[:-1])} and {lowered[-1]}"


def answer(term: Term, request: HttpRequest) -> Answer:
    """Look through every kind that the person may see. A question that takes too long ends the search there."""
    if term.is_too_short:
        return Answer(term, [], [], [])
    groups = [Group("Commands", commands(term, request))]
    asked = ["Commands"]
    allowed = [kind for kind in KINDS if request.user.has_perm(kind.permission)]
    deadline = time.monotonic() + BUDGET_SECONDS
    try:
        with statement_timeout(STATEMENT_TIMEOUT_MS):
            for kind in allowed:
                if time.monotonic() > deadline:
                    break
                groups.append(Group(kind.label, kind.find(term)))
                asked.append(kind.label)
    except OperationalError as error:
        if not took_too_long(error):
            raise
    left_out = [kind.label for kind in allowed if kind.label not in asked]
    found = [group for group in groups if group.hits]
    found.sort(key=lambda group: not any(hit.exact for hit in group.hits))
    return Answer(term, found, asked, left_out)


class SearchViews:
    """Search as a part of the site."""

    def __init__(self, site: Any) -> None:
        self.site = site

    def search(self, request: HttpRequest) -> HttpResponse:
        """What `q` finds: `part` asks for the list alone, as the dialog does; else a page that needs no script."""
        found = answer(read_term(request.GET.get("q", "")), request)
        if "part" in request.GET:
            return TemplateResponse(request, "backoffice/parts/search_results.html", {"found": found})
        context = {
            **self.site.each_context(request),
            "title": "Search",
            "is_fullwidth": "1",
            "found": found,
            "has_typed": "q" in request.GET,
        }
        return TemplateResponse(request, "backoffice/search.html", context)
