"""Every list of the back office: what it shows, totals, exports, refused nonsense, rights, and its fixed price."""

import csv
import io
import re
import zipfile
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest
from django.contrib import admin
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext

from billing.activity.models import Activity
from billing.approvals.models import ApprovalPolicy
from billing.core.money import to_major
from billing.invoices.models import CreditReason, Invoice
from billing.invoices.services import credit_invoice, render_document
from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin
from billing.platform.lists import exports, totals
from billing.platform.lists.columns import columns_of
from billing.platform.lists.pages import COUNTED_MAX, BoundedPaginator
from customers.models import Customer, User
from customers.selectors import now_for
from tests import factories
from tests.billing_factories import (
    billed_customer,
    credit_note,
    draft_invoice,
    finalized_invoice,
    paid_invoice,
    receipt,
    version_with_fee,
)
from tests.factories import ACTOR
from tests.valueverse.backoffice.office import GROUPS, office, person, text

pytestmark = pytest.mark.django_db

LISTS = sorted(
    model._meta.label_lower for model, one in admin.site._registry.items() if isinstance(one, ReadOnlyAdmin)
)
FOREIGN = {
    "auth.group", "axes.accessattempt", "axes.accessfailurelog", "axes.accesslog",
    "token_blacklist.blacklistedtoken", "token_blacklist.outstandingtoken",
}  # fmt: skip
"""Lists that other packages bring; they stand in no menu."""
HOSTILE = (
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "+49 30 1234",
    "-1+2",
    "@SUM(A1)",
    "شركة الفوترة",
    "Rocket \U0001f680 Labs",
    "Donaudampfschiff" * 7,
)
SPREADSHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def address(name: str, rest: str = "") -> str:
    return f"/admin/{name.replace('.', '/')}/{rest}"


def admin_of(name: str) -> Any:
    return next(one for model, one in admin.site._registry.items() if model._meta.label_lower == name)


def story() -> None:
    """A row in the lists of money at least: paid, open, draft and credited invoices, receipts, a request, a mail."""
    clock, version = factories.test_clock(), version_with_fee()
    for _ in range(2):
        paid_invoice(billed_customer(clock=clock, version=version))
    owing = finalized_invoice(billed_customer(clock=clock, version=version))
    credit_note(paid_invoice(billed_customer(clock=clock, version=version)))
    draft_invoice(billed_customer(clock=clock, version=version))
    receipt(owing.customer, 20_000)
    render_document(document=owing)
    ApprovalPolicy.objects.get_or_create(action="refund", currency="EUR", defaults={"limit_minor": 100})


def csv_of(client: Client, name: str, query: str = "") -> list[list[str]]:
    response = client.post(address(name, f"export.csv{query}"))
    assert response.status_code == 200, (name, response.status_code)
    body = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.reader(io.StringIO(body)))


def xlsx_of(client: Client, name: str, query: str = "") -> list[list[Any]]:
    """The cells of a workbook: texts as str, numbers as Decimal. A formula would fail the test."""
    response = client.post(address(name, f"export.xlsx{query}"))
    assert response.status_code == 200, (name, response.status_code)
    book = zipfile.ZipFile(io.BytesIO(b"".join(response.streaming_content)))  # type: ignore[attr-defined]
    sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))  # made by ourselves
    assert sheet.find(f".//{SPREADSHEET}f") is None
    return [
        [
            "".join(cell.itertext())
            if cell.get("t") == "inlineStr"
            else Decimal(cell.findtext(f"{SPREADSHEET}v") or 0)
            for cell in row
        ]
        for row in sheet.iter(f"{SPREADSHEET}row")
    ]


def superuser() -> User:
    made = factories.user(is_staff=True)
    made.is_superuser = True
    made.save()
    return made


def all_seeing() -> Client:
    """Somebody who may see every list."""
    client = Client()
    client.force_login(superuser(), backend="django.contrib.auth.backends.ModelBackend")
    return client


def rows_of(name: str) -> int:
    return int(admin_of(name).model._default_manager.count())


def test_every_list_is_shown_and_exported_whole_and_the_totals_are_those_of_the_export() -> None:
    story()
    client = all_seeing()
    summed = 0
    for name in LISTS:
        text(client, address(name))
        lines = csv_of(client, name)
        count = rows_of(name) - (
            1 if name == "activity.activity" else 0
        )  # its own export is recorded after it
        assert len(lines) - 1 == count, name
        assert all(len(line) == len(lines[0]) for line in lines), name
        book = xlsx_of(client, name)
        assert [str(cell) for cell in book[0]] == lines[0], name
        site = admin_of(name)
        request = RequestFactory().get(address(name))
        request.user = superuser()
        expected = site.totals(request, site.get_queryset(request))
        titles = {column.name: column.title for column in columns_of(site, site.list_display)}
        for total in expected:
            for column, minor in total.sums.items():
                index = lines[0].index(titles[column])
                currency = lines[0].index("Currency")
                of_csv = sum(
                    Decimal(line[index] or 0) for line in lines[1:] if line[currency] == total.currency
                )
                assert of_csv == to_major(minor, total.currency), (name, column)
                summed += 1
        foot = text(client, address(name, "totals/"))
        for total in expected:
            for minor in total.sums.values():
                assert display.figure(minor, total.currency) in foot, name
    assert summed >= 10


@pytest.mark.parametrize("group", [*GROUPS, None])
def test_a_list_is_exported_by_whoever_may_see_it_and_may_export(group: str | None) -> None:
    finalized_invoice()
    client, user = office(group), person(group, email=f"{group}@x.example".replace(" ", "."))
    for name in LISTS:
        app, model = name.split(".")
        may_see = user.has_perm(f"{app}.view_{model}")
        may_take = may_see and group in ("Finance manager", "Finance clerk", "Auditor")
        assert (name, client.get(address(name)).status_code) == (name, 200 if may_see else 403)
        assert (name, client.get(address(name, "totals/")).status_code) == (name, 200 if may_see else 403)
        for kind in ("csv", "xlsx"):
            found = client.post(address(name, f"export.{kind}"))
            assert (name, found.status_code) == (name, 200 if may_take else 403)
            if may_take:
                assert b"".join(found.streaming_content)  # type: ignore[attr-defined]
                assert client.get(address(name, f"export.{kind}")).status_code == 405
    assert ("CSV</button>" in client.get(address("invoices.invoice")).content.decode()) == (
        group in ("Finance manager", "Finance clerk", "Auditor")
    )


GARBAGE = (
    "?status__exact=x%00y",
    "?q=%00",
    "?q=" + "x" * 400,
    "?id__gte=99999999999999999999999",
    "?id__exact=abc",
    "?id__in=1,x",
    "?pk=%F0%9F%9A%80",
    "?nonsense=1",
    "?legal_entity__name__regex=(",
    "?customer__test_clock__name=x",
    "?o=99.x",
    "?o=-",
    "?columns=password",
    "?id__isnull=perhaps",
    "?_to_field=password",
)


def test_nonsense_in_the_address_is_refused_with_a_message_and_nothing_is_shown() -> None:
    finalized_invoice()
    client = all_seeing()
    for index, name in enumerate(LISTS):
        whole = name in ("invoices.invoice", "customers.customer")
        for query in GARBAGE if whole else (*GARBAGE[:2], GARBAGE[2 + index % (len(GARBAGE) - 2)]):
            found = client.get(address(name, query))
            assert found.status_code in (400, 404), (name, query, found.status_code)
            if found.status_code == 400 and b"list-problems" in found.content:
                assert b"<tbody" not in found.content, (name, query)
            if not whole:
                continue
            assert client.get(address(name, f"totals/{query}")).status_code in (400, 404), (name, query)
            taken = client.post(address(name, f"export.csv{query}"))
            assert taken.status_code in (302, 400, 404), (name, query, taken.status_code)
    assert not Activity.objects.filter(name="list.exported").exists()


@pytest.mark.parametrize("page", ["99999999", "0", "-1", "x", "9" * 5000, "1%00", "2"])
def test_a_page_that_does_not_exist_leads_to_the_first_with_a_message(page: str) -> None:
    finalized_invoice()
    found = office().get(address("invoices.invoice", f"?p={page}&status__exact=finalized"), follow=True)
    assert found.redirect_chain == [(address("invoices.invoice", "?status__exact=finalized"), 302)]
    assert "The list has no page" in found.content.decode()


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ("?issued_on__gte=abc", "issued_on__gte", "is not a day. Write it like 2023-12-31."),
        ("?issued_on__gte=2023-02-30", "issued_on__gte", "is not a day"),
        ("?issued_on__lte=99999-01-01", "issued_on__lte", "is not a day"),
        ("?issued_on__gte=2023-12-01&issued_on__lte=2023-11-01", "issued_on__lte", "Ends before it starts."),
        ("?total_min=1.2.3", "total_min", "is not an amount. Write it like 1234.56."),
        ("?total_min=1,23", "total_min", "is not an amount"),
        ("?total_min=1.234", "total_min", "can be read in two ways"),
        ("?total_min=" + "9" * 30, "total_min", "at most 18 digits"),
        ("?total_min=5&total_max=4", "total_max", "Less than the smallest amount."),
        ("?status__exact=x", "status__exact", "is not one of: draft"),
        ("?currency__exact=XYZ", "currency__exact", "is not a currency"),
        ("?days_late=many", "days_late", "is not a number of days"),
        ("?settlement=x", "settlement", "is not one of"),
        ("?legal_entity__id__exact=abc", "legal_entity__id__exact", "is not one of"),
        ("?status__exact=draft&status__exact=voided", "status__exact", "Given more than once."),
    ],
)
def test_a_filter_says_beside_its_field_what_is_wrong(query: str, field: str, says: str) -> None:
    finalized_invoice()
    found = office().get(address("invoices.invoice", query))
    assert found.status_code == 400
    shown = found.content.decode()
    error = re.search(rf'id="filter_{field}_error"><bdi>(.*?)</bdi>', shown)
    assert error is not None
    assert says in error.group(1)
    assert f'href="#filter_{field}"' in shown
    assert "<tbody" not in shown


def test_filters_are_echoed_as_chips_that_can_be_removed() -> None:
    invoice = finalized_invoice()
    client = office()
    shown = text(
        client,
        address(
            "invoices.invoice",
            "?issued_on__gte=2023-11-01&issued_on__lte=2023-11-30&total_min=1.00&total_max=1,017.81",
        ),
    )
    assert "Issued 2023-11-01 to 2023-11-30" in shown
    assert "Total 1.00 to 1,017.81" in shown
    assert "= 1,017.81" in shown
    assert 'href="?total_min=1.00&amp;total_max=1%2C017.81"' in shown
    assert str(invoice.number) in shown
    assert "Nothing matches." in text(client, address("invoices.invoice", "?total_min=117.82"))
    linked = f"?customer__id__exact={invoice.customer_id}"
    assert f"Customer: {invoice.customer.name}" in text(client, address("invoices.invoice", linked))


def test_amounts_are_compared_in_the_minor_units_of_each_currency() -> None:
    invoice = finalized_invoice()
    client = office()
    for query, is_found in (
        ("total_min=117.81", True),
        ("total_min=117.8101", False),
        ("total_max=117.8199", True),
    ):
        assert (str(invoice.number) in text(client, address("invoices.invoice", f"?{query}"))) is is_found, (
            query
        )


def test_what_is_late_goes_by_the_clock_of_the_customer() -> None:
    late = finalized_invoice()
    on_time = finalized_invoice()
    clock = late.customer.test_clock
    assert clock is not None
    type(clock).objects.filter(pk=clock.pk).update(now_at=factories.START.replace(month=12, day=15))
    client = office()
    for query, is_found in (("days_late=44", True), ("days_late=45", False)):
        shown = text(client, address("invoices.invoice", f"?{query}"))
        assert (f'data-pk="{late.pk}"' in shown) is is_found, query
        assert f'data-pk="{on_time.pk}"' not in shown
    shown = text(client, address("customers.customer", "?overdue=yes"))
    assert f'data-pk="{late.customer_id}"' in shown
    assert f'data-pk="{on_time.customer_id}"' not in shown


def test_hostile_text_is_text_on_every_list_and_in_every_file() -> None:
    clock, version = factories.test_clock(), version_with_fee()
    for name in HOSTILE:
        invoice = paid_invoice(
            billed_customer(clock=clock, version=version, name=name[:120], legal_name=name[:120])
        )
        credit_invoice(
            invoice_id=invoice.public_id, reason=CreditReason.OTHER, actor=ACTOR, at=now_for(invoice.customer)
        )
    client = office()
    for name in LISTS:
        found = client.get(address(name))
        if found.status_code == 403:
            continue
        assert "<script>alert" not in found.content.decode(), name
        for line in csv_of(client, name)[1:]:
            for cell in line:
                assert cell[:1] not in ("=", "+", "@", "\t", "\r"), (name, cell)
                assert cell[:1] != "-" or re.fullmatch(r"-\d+(\.\d+)?", cell), (name, cell)
        xlsx_of(client, name)
    names = [line[0] for line in csv_of(client, "customers.customer")[1:]]
    assert set(names) == {f"'{name}" if name[0] in "=+-@" else name for name in HOSTILE}
    assert {line[0] for line in xlsx_of(client, "customers.customer")[1:]} == set(HOSTILE)


def test_a_file_has_neutral_figures_and_says_in_the_trail_who_took_what() -> None:
    invoice = paid_invoice()
    client = office("Auditor")
    lines = csv_of(
        client, "invoices.invoice", "?status__exact=finalized&columns=document,issued_on,total_figure"
    )
    assert lines == [
        ["Number", "Issued on", "Total", "Currency"],
        [str(invoice.number), "2023-11-01", "117.81", "EUR"],
    ]
    book = xlsx_of(client, "invoices.invoice", "?columns=document,total_figure")
    assert book[1][:3] == [invoice.number, Decimal("117.81"), "EUR"]
    trail = list(Activity.objects.filter(name="list.exported").order_by("pk"))
    assert [(row.data["format"], row.data["rows"], row.object_id) for row in trail] == [
        ("csv", 1, "invoices.invoice"),
        ("xlsx", 1, "invoices.invoice"),
    ]
    assert "status__exact=finalized" in trail[0].data["query"]
    assert trail[0].actor_kind == "user"


def test_a_list_too_long_for_a_file_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, version = factories.test_clock(), version_with_fee()
    for _ in range(2):
        finalized_invoice(billed_customer(clock=clock, version=version))
    monkeypatch.setitem(exports.ROWS_MAX, "csv", 1)
    found = office().post(address("invoices.invoice", "export.csv"), follow=True)
    assert "Narrow the filter" in found.content.decode()
    assert not Activity.objects.filter(name="list.exported").exists()


def test_totals_that_take_too_long_are_counted_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    finalized_invoice()
    client = office()

    def slow(self: Any, request: Any, rows: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(1)")
        return totals.totals_by_currency(self, rows)

    monkeypatch.setattr(totals, "QUICK", totals.QUICK / 15)
    monkeypatch.setattr("billing.platform.lists.views.QUICK", totals.QUICK)
    monkeypatch.setattr(type(admin_of("invoices.invoice")), "totals", slow)
    assert "Count on demand" in text(client, address("invoices.invoice", "totals/"))
    assert "117.81" in text(client, address("invoices.invoice", "totals/?on_demand=1"))


def test_currencies_have_a_row_of_totals_each() -> None:
    finalized_invoice()
    customer = billed_customer()
    invoice = draft_invoice(customer)
    Invoice.objects.filter(pk=invoice.pk).update(currency="USD")
    foot = text(office(), address("invoices.invoice", "totals/"))
    assert foot.count("<tr>") == 2
    assert "1 invoice, EUR" in foot
    assert "1 invoice, USD" in foot


def test_pages_are_counted_up_to_a_bound() -> None:
    with CaptureQueriesContext(connection) as found:
        assert BoundedPaginator(Customer.objects.order_by("pk"), 50).num_pages == 1
    assert f"LIMIT {COUNTED_MAX + 1}" in found.captured_queries[0]["sql"]


MOST_QUERIES = {"customers.customer": 17}
"""Queries of a list; the most expensive ones by name, every other at most 12."""


def test_a_list_costs_the_same_whatever_its_length() -> None:
    story()
    client = all_seeing()
    before = {name: _price(client, name) for name in LISTS}
    story()
    for name in LISTS:
        assert _price(client, name) <= before[name] or before[name] == 0, name
        assert before[name] <= MOST_QUERIES.get(name, 12), (name, before[name])


def _price(client: Client, name: str) -> int:
    client.get(address(name))
    with CaptureQueriesContext(connection) as found:
        assert client.get(address(name)).status_code == 200
    return len(found)


def test_a_table_tells_what_it_is_to_those_who_do_not_see_it() -> None:
    finalized_invoice()
    shown = text(office(), address("invoices.invoice", "?o=-issued_on"))
    assert 'aria-sort="descending"' in shown
    assert "<caption" in shown
    assert 'scope="col"' in shown
    assert 'scope="row"' in shown
    assert 'class="column-total_figure num"' in shown
    assert 'Total <span class="fin-currency">EUR</span>' in shown


def test_every_list_says_what_would_stand_in_it() -> None:
    client = all_seeing()
    for name in FOREIGN:
        text(client, address(name))
    for name in LISTS:
        if rows_of(name) == 0:
            assert "fin-empty" in text(client, address(name)), name
            assert admin_of(name).empty_state != "Nothing has been recorded here yet.", name
    assert "Clear filters" in text(client, address("invoices.invoice", "?q=nothing"))


def test_a_search_finds_by_number_from_its_start_and_by_name() -> None:
    invoice = finalized_invoice(billed_customer(name="Brightchat GmbH"))
    client = office()
    for query, is_found in (("VV-2023", True), ("chat", True), ("2023", False), (invoice.public_id, True)):
        shown = text(client, address("invoices.invoice", f"?q={query}"))
        assert (f'data-pk="{invoice.pk}"' in shown) is is_found, query
