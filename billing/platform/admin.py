"""The base of back office pages: rows are read here, and change only through services."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin import ShowFacets
from django.db.models import Q, QuerySet
from django.db.models.functions import Lower
from django.db.models.lookups import StartsWith
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from unfold.admin import ModelAdmin, TabularInline

from billing.platform.actors import Actor, ActorKind
from billing.platform.lists.exports import ROWS_MAX
from billing.platform.lists.pages import ListPage, NoSuchPage
from billing.platform.lists.totals import Totals, totals_by_currency
from billing.platform.lists.views import export_view, totals_view

RELATED_MAX = 200
"""Most rows of another table, such as customers of a name, whose rows a search lists."""


def staff_actor(request: HttpRequest) -> Actor:
    """The signed-in person as the actor of what a page does."""
    return Actor(ActorKind.USER, str(getattr(request.user, "public_id", "")), str(request.user))


class ReadOnly:
    """No adding, changing or deleting, whatever the permissions: rows change through services."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyAdmin(ReadOnly, ModelAdmin):  # type: ignore[misc]  # Unfold has no types
    """A page per row and a list, to be read.

    empty_state: what stands where a list without a filter is empty: what would be here, and the next step.
    list_amounts: the columns that are amounts, and what is summed for each in minor units; None: never summed.
    list_currency: the path to a row's currency. list_defer: wide columns that no list shows.
    list_help: what the list is for, in finance's words.
    """

    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_fullwidth = True
    list_filter_sheet = True
    actions = None
    empty_value_display = "–"
    empty_state = "Nothing has been recorded here yet."
    list_help = ""
    list_amounts: ClassVar[dict[str, Any]] = {}
    list_currency = "currency"
    list_defer: Sequence[str] = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ListPage]:
        return ListPage

    def get_list_display(self, request: HttpRequest) -> Sequence[str]:
        """All columns, or those that the address names; the first always stays, since it opens the row."""
        names: Sequence[str] = super().get_list_display(request)
        wanted = set(",".join(request.GET.getlist("columns")).split(",")) & set(names)
        return [name for name in names if name in wanted or name == names[0]] if wanted else names

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        """Add what the columns show and no join brings, for a page or chunk of rows at once."""

    def number_format_of(self, row: Any) -> str:
        """How the legal entity of a row separates figures; "" for a row that has none."""
        entity = row._state.fields_cache.get("legal_entity")  # never a query per row
        return str(getattr(entity, "number_format", ""))

    def totals(self, request: HttpRequest, rows: QuerySet[Any]) -> list[Totals]:
        """Count and sums of the filtered set, per currency."""
        return totals_by_currency(self, rows)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Rows that fit the text as a whole: =column exactly, ^column from its start, column anywhere in it.

        A column of another table is looked up there first, so that an index finds the rows of this one.
        """
        term = search_term.strip()
        if not term or not self.search_fields:
            return queryset, False
        found = Q(pk__in=[])
        for name in self.search_fields:
            path = name.lstrip("=^")
            lookup = {"=": "exact", "^": "startswith"}.get(name[0], "icontains")
            relation, _, rest = path.partition("__")
            column = rest or path
            fits = Q(**{f"{column}__{lookup}": term})
            if name[0] == "^":
                fits = Q(StartsWith(Lower(column), term.lower()))  # as the indexes for typing ahead have it
            if not rest:
                # Said although it follows, so that an index over the rows that have a value answers.
                found |= fits if self.model._meta.get_field(column).null else fits & ~Q(**{column: ""})
                continue
            field = self.model._meta.get_field(relation)
            rows = field.related_model._default_manager.filter(fits).order_by("pk")
            if field.concrete:
                found |= Q(**{f"{relation}__in": list(rows.values_list("pk", flat=True)[:RELATED_MAX])})
            else:
                keys = rows.values_list(field.field.attname, flat=True)
                found |= Q(pk__in=list(keys[:RELATED_MAX]))
        return queryset.filter(found), False

    def get_urls(self) -> list[URLPattern]:
        view, name = self.admin_site.admin_view, f"{self.opts.app_label}_{self.opts.model_name}"
        files = [
            path(f"export.{kind}", view(partial(export_view, self, file_format=kind)), name=f"{name}_{kind}")
            for kind in ROWS_MAX
        ]
        totals = path("totals/", view(partial(totals_view, self)), name=f"{name}_totals")
        return [*files, totals, *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list; 400 with what is wrong at the filter where the address is not understood."""
        context = {
            "list_template": "admin/list.html",
            **self.admin_site.list_context(request, self),
            **(extra_context or {}),
        }
        try:
            response: HttpResponse = super().changelist_view(request, context)
        except NoSuchPage as error:
            messages.warning(
                request, f"The list has no page “{error.asked}”; this is its first page of {error.last}."
            )
            address = request.GET.copy()
            address.pop("p", None)
            return HttpResponseRedirect(f"{request.path}?{address.urlencode()}")
        page = getattr(response, "context_data", None) or {}
        if page.get("cl") is not None and page["cl"].problems:
            response.status_code = 400
        return response


class ReadOnlyInline(ReadOnly, TabularInline):  # type: ignore[misc]  # Unfold has no types
    """Rows that belong to another, shown on its page."""

    extra = 0
    show_change_link = False
    hide_title = True
