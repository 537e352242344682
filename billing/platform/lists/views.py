"""The requests a list answers beside its page: its totals, and itself as a file."""

from datetime import timedelta
from decimal import Decimal
from itertools import chain, islice
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse

from billing.platform import display
from billing.platform.clock import now
from billing.platform.lists import exports
from billing.platform.lists.pages import ListPage, NoSuchPage
from billing.platform.lists.totals import PATIENT, QUICK, Totals, within_time


def list_of(admin: Any, request: HttpRequest) -> ListPage:
    """The list by this address, for somebody who may see it."""
    if not admin.has_view_or_change_permission(request):
        raise PermissionDenied
    page: ListPage = admin.get_changelist_instance(request)
    return page


def totals_view(admin: Any, request: HttpRequest) -> HttpResponse:
    """The totals row of the filtered set, as a table foot; 400 where the filter is not understood."""
    try:
        found = list_of(admin, request)
    except NoSuchPage:
        return HttpResponse(status=400)
    if found.problems:
        return HttpResponse(status=400)
    is_asked = "on_demand" in request.GET
    limit: timedelta = PATIENT if is_asked else QUICK
    totals = within_time(lambda: admin.totals(request, found.queryset), limit=limit)
    first = found.result_list[0] if found.result_list else None
    with display.number_format(admin.number_format_of(first) if first is not None else ""):
        rows = [_foot_row(found, one) for one in totals or ()]
    context = {
        "cl": found,
        "rows": rows,
        "is_counted": totals is not None,
        "was_asked": is_asked,
        "span": len(found.columns),
    }
    return TemplateResponse(request, "admin/list_totals.html", context)


def _foot_row(found: ListPage, one: Totals) -> dict[str, Any]:
    name = found.opts.verbose_name if one.rows == 1 else found.opts.verbose_name_plural
    count = display.quantity(Decimal(one.rows))
    title = f"{count} {name}" + (f", {one.currency}" if one.currency else "")
    cells = [
        (column, display.amount_cell(one.sums[column.name], one.currency) if column.name in one.sums else "")
        for column in found.columns[1:]
    ]
    return {"title": title, "cells": cells}


def export_view(admin: Any, request: HttpRequest, file_format: str) -> HttpResponseBase:
    """The filtered set as a file. By POST, since who took what is recorded; 403 without the right to export."""
    if not admin.has_view_or_change_permission(request) or not admin.admin_site.may_export(request):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    back = HttpResponseRedirect(f"../?{request.GET.urlencode()}")
    try:
        found = list_of(admin, request)
    except NoSuchPage:
        return back
    if found.problems:
        return back
    most = exports.ROWS_MAX[file_format]
    count = found.queryset.order_by().values("pk")[: most + 1].count()
    if count > most:
        messages.error(
            request,
            f"Nothing was exported: the list has more than {most:,} rows, the most that a {file_format.upper()} "
            "file takes. Narrow the filter, for example to one month, and export again.",
        )
        return back
    rows = exports.values(admin, request, found.queryset[:most], found.columns)
    response: HttpResponseBase
    if file_format == "xlsx":
        file, count = exports.xlsx_file(found.columns, rows, sheet=found.title)
        response = FileResponse(file, content_type=exports.TYPES["xlsx"])
    else:
        first = list(
            islice(rows, 1)
        )  # from here on the rows are those of this moment: what is recorded below is not in
        response = StreamingHttpResponse(
            exports.csv_lines(found.columns, chain(first, rows)), content_type=exports.TYPES["csv"]
        )
    admin.admin_site.note_export(
        request,
        list_name=found.opts.label_lower,
        query=found.query_string,
        file_format=file_format,
        rows=count,
    )
    name = f"{str(found.opts.verbose_name_plural).replace(' ', '-')}-{now():%Y-%m-%d}.{file_format}"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
