"""The table of a list: its heads, its cells, and which column shares one currency."""

from typing import Any

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from billing.platform import display
from billing.platform.lists.columns import Column, columns_of
from billing.platform.lists.pages import ListPage

register = template.Library()


@register.inclusion_tag("admin/list_table.html")
def list_table(cl: ListPage) -> dict[str, Any]:
    """The rows of the page as a table."""
    rows = [_row(cl, row) for row in cl.result_list]
    shared = {
        column.name: _shared_currency([cells[index] for _, cells in rows])
        for index, column in enumerate(cl.columns)
        if column.is_amount
    }
    sorted_by = cl.get_ordering_field_columns()
    return {
        "cl": cl,
        "heads": [
            _head(cl, column, sorted_by.get(index, ""), shared.get(column.name, ""))
            for index, column in enumerate(cl.columns)
        ],
        "rows": [
            (key, list(zip(cl.columns, cells, (bool(shared.get(c.name)) for c in cl.columns), strict=True)))
            for key, cells in rows
        ],
    }


def _row(cl: ListPage, row: Any) -> tuple[int, list[display.Cell]]:
    admin = cl.model_admin
    with display.number_format(admin.number_format_of(row)):
        cells = [column.cell(row, admin) for column in cl.columns]
    opening = cl.list_display_links or ()
    return row.pk, [
        _opening(cl, row, cell) if column.name in opening else cell
        for column, cell in zip(cl.columns, cells, strict=True)
    ]


def _opening(cl: ListPage, row: Any, cell: display.Cell) -> display.Cell:
    """The cell as a link to the row's page, unless it is a link already."""
    if "<a " in cell:
        return cell
    try:
        address = reverse(f"admin:{cl.opts.app_label}_{cl.opts.model_name}_change", args=[row.pk])
    except NoReverseMatch:
        return cell
    return display.Cell.of(format_html('<a class="fin-link" href="{}">{}</a>', address, cell), cell.plain)


def _shared_currency(cells: list[display.Cell]) -> str:
    """The currency that all amounts of a column have; "" if they differ or there are none."""
    if any(isinstance(cell.plain, tuple) for cell in cells):
        return ""
    found = {cell.plain.currency for cell in cells if isinstance(cell.plain, display.Amount)}
    return found.pop() if len(found) == 1 else ""


def _head(cl: ListPage, column: Column, order: str, currency: str) -> dict[str, Any]:
    return {
        "column": column,
        "currency": currency,
        "aria_sort": {"asc": "ascending", "desc": "descending"}.get(order, "none") if column.order else "",
        "address": cl.link(o=column.name if order == "desc" or not order else f"-{column.name}"),
    }


@register.simple_tag
def list_controls(cl: ListPage) -> list[Any]:
    """The fields of the filter form, in the order of the filters."""
    return [control for spec in cl.filter_specs for control in spec.controls()]


@register.simple_tag
def list_kept(cl: ListPage) -> list[tuple[str, str]]:
    """What the filter form does not ask for and must not lose: search, order, columns, conditions of a link."""
    asked = {control.parameter for control in list_controls(cl)}
    dropped = asked | {"p", "e", "on_demand"}
    return [(name, text) for name, texts in cl.address.lists() if name not in dropped for text in texts]


@register.simple_tag
def list_columns(cl: ListPage) -> list[tuple[str, str, bool]]:
    """Every column of the list, and whether it is shown."""
    shown = {column.name for column in cl.columns}
    every = columns_of(cl.model_admin, cl.model_admin.list_display)
    return [(column.name, column.title, column.name in shown) for column in every]


@register.filter
def admin_name(opts: Any, suffix: str) -> str:
    """The name of a list's address, such as admin:invoices_invoice_csv."""
    return f"admin:{opts.app_label}_{opts.model_name}_{suffix}"


@register.filter
def admin_totals(opts: Any) -> str:
    """Where the totals of a list are asked for."""
    return reverse(admin_name(opts, "totals"))


@register.simple_tag
def page_links(cl: ListPage) -> list[tuple[str, str, bool]]:
    """Addresses of pages around this one with what they say, and whether it is this one; "" for a gap."""
    last, here = cl.paginator.num_pages, cl.page_num
    numbers = sorted({1, last, *range(max(1, here - 2), min(last, here + 2) + 1)})
    links: list[tuple[str, str, bool]] = []
    if here > 1:
        links.append((cl.page_link(here - 1), "Previous", False))
    before = 0
    for number in numbers:
        if number > before + 1:
            links.append(("", "", False))
        links.append((cl.page_link(number), str(number), number == here))
        before = number
    if here < last:
        links.append((cl.page_link(here + 1), "Next", False))
    return links
