"""The list itself: which rows, in which order, which page; and what was asked for that it does not understand."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.core.paginator import Paginator
from django.db.models import F, QuerySet
from django.http import HttpRequest, QueryDict
from unfold.views import ChangeList

from billing.platform.lists.columns import Column, columns_of
from billing.platform.lists.filters import LinkedFilter, ListFilter, filter_of

COUNTED_MAX = 10_000
"""Rows that are counted for the pages; of a longer list the exact count comes with the totals."""

OWN = frozenset({"q", "o", "p", "columns", "view", "e", "all", "_facets", "_popup", "_to_field", "on_demand"})
"""Parameters that filter nothing."""


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is on, and the list without it."""

    text: str
    remove: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """What the address asks and the list does not understand. field: the id of the field that is wrong, if any."""

    text: str
    field: str = ""


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Pages over the first `COUNTED_MAX` rows: nobody turns two hundred pages, and counting a million rows is slow."""

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by().values("pk")[: COUNTED_MAX + 1].count())

    @property
    def is_exceeded(self) -> bool:
        return self.count > COUNTED_MAX

    @cached_property
    def num_pages(self) -> int:
        return max(-(-min(self.count, COUNTED_MAX) // self.per_page), 1)


class NoSuchPage(Exception):
    """The page that the address names does not exist; `last`: the last that does."""

    def __init__(self, asked: str, last: int) -> None:
        super().__init__(asked)
        self.asked = asked[:20]
        self.last = last


class ListPage(ChangeList):  # type: ignore[misc]  # Unfold has no types
    """The rows of a list by the address. What the address asks and is not understood stands in `problems`."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.problems: list[Problem] = []
        self.address: QueryDict = request.GET
        super().__init__(request, *args, **kwargs)
        self.title = str(self.opts.verbose_name_plural)[:1].upper() + str(self.opts.verbose_name_plural)[1:]

    @cached_property
    def columns(self) -> list[Column]:
        return columns_of(self.model_admin, self.list_display)

    def get_filters(self, request: HttpRequest) -> tuple[list[ListFilter], bool, dict[str, Any], bool, bool]:
        params = {name: values for name, values in self.filter_params.items() if name not in OWN}
        specs: list[ListFilter] = []
        for declared in self.list_filter:
            kind = filter_of(self.model, declared)
            specs.append(kind(request, params, self.model, self.model_admin))
        for name in sorted(params)[:20]:
            specs.append(LinkedFilter(request, params, self.model, self.model_admin, name=name))
        text = self.address.get("q", "")
        if "\x00" in text or len(text) > 300:
            self.problems.append(Problem("This text cannot be searched for.", "searchbar"))
        order = self.address.get("o", "")
        if order and order.removeprefix("-") not in {column.name for column in self.columns if column.order}:
            self.problems.append(Problem(f"The list has no order “{order[:40]}”."))
        unknown = set(",".join(self.address.getlist("columns")).split(",")) - {
            "",
            *self.model_admin.list_display,
        }
        if unknown:
            self.problems.append(Problem(f"The list has no column “{min(unknown)[:40]}”."))
        for spec in specs:
            for name, text in spec.problems.items():
                field = "" if isinstance(spec, LinkedFilter) else f"filter_{name}"
                self.problems.append(Problem(f"{spec.title}: {text}", field))
        self.chips = [self._chip(spec) for spec in specs if spec.given or spec.problems]
        if self.address.get("q"):
            self.chips.insert(0, Chip(f"Search: {text[:60]}", self.link(q=None)))
        return specs, bool(specs), {}, False, any(spec.given for spec in specs)

    def _chip(self, spec: ListFilter) -> Chip:
        removed = self.link(**dict.fromkeys(spec.parameters))
        if spec.problems:
            return Chip(spec.title, removed, " ".join(spec.problems.values()))
        return Chip(spec.in_words(), removed)

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        every: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        found = every.defer(*self.model_admin.list_defer)
        return found.none() if self.problems else found

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        order = self.address.get("o", "")
        by = {column.name: column.order for column in self.columns if column.order}.get(
            order.removeprefix("-")
        )
        if not by:
            return super().get_ordering(request, queryset)  # type: ignore[no-any-return]
        expression = F(by) if isinstance(by, str) else by
        # the key in the same direction as the column: one index of both serves both directions
        return [expression.desc(), "-pk"] if order.startswith("-") else [expression.asc(), "pk"]

    def get_ordering_field_columns(self) -> dict[int, str]:
        order = self.address.get("o", "")
        names = [column.name for column in self.columns]
        name = order.removeprefix("-")
        if name in names:
            return {names.index(name): "desc" if order.startswith("-") else "asc"}
        for part in self._get_default_ordering()[:1]:
            for index, column in enumerate(self.columns):
                if isinstance(part, str) and column.order == part.removeprefix("-"):
                    return {index: "desc" if part.startswith("-") else "asc"}
        return {}

    def get_results(self, request: HttpRequest) -> None:
        self.paginator = BoundedPaginator(self.queryset, self.list_per_page)
        self.result_count = self.paginator.count
        self.full_result_count = self.result_count
        self.show_full_result_count = False
        self.show_admin_actions = False
        self.can_show_all = self.show_all = False
        self.multi_page = self.paginator.num_pages > 1
        asked = self.address.get("p", "1") or "1"
        number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else 0
        if not 1 <= number <= self.paginator.num_pages:
            raise NoSuchPage(asked, self.paginator.num_pages)
        self.page_num = number
        first = (number - 1) * self.list_per_page
        self.result_list = list(self.queryset[first : first + self.list_per_page])
        self.model_admin.prepare_rows(request, self.result_list)

    def link(self, **changes: str | None) -> str:
        """This list's address with some parameters changed, or taken away by None; on its first page."""
        address = self.address.copy()
        for name in ("p", "e", "on_demand", *changes):
            address.pop(name, None)
        for name, value in changes.items():
            if value is not None:
                address[name] = value
        return f"?{address.urlencode()}"

    @property
    def query_string(self) -> str:
        """Filter, search, columns and order, without page: what a saved view and an export keep."""
        return self.link()[1:]

    def page_link(self, number: int) -> str:
        """The address of another page."""
        return f"{self.link()}&p={number}" if self.query_string else f"?p={number}"

    @property
    def is_filtered(self) -> bool:
        return bool(self.chips)

    @property
    def cleared(self) -> str:
        """The list without search and filters, in the same order and with the same columns."""
        kept = QueryDict(mutable=True)
        for name in ("o", "columns"):
            if name in self.address:
                kept.setlist(name, self.address.getlist(name))
        return f"?{kept.urlencode()}"

    @property
    def first_row(self) -> int:
        return int((self.page_num - 1) * self.list_per_page + 1)

    @property
    def last_row(self) -> int:
        return self.first_row + len(self.result_list) - 1
