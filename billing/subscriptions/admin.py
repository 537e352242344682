"""Back office lists of this app; a subscription's page and verbs are in `valueverse.backoffice`."""

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.db.models import DateTimeField, ExpressionWrapper, F, Max, Q, Value
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.safestring import SafeString

from billing.core.lifecycles import SubscriptionStatus
from billing.platform import display
from billing.platform.admin import ReadOnlyAdmin
from billing.platform.clock import now
from billing.platform.lists.filters import Control, CurrencyFilter, ListFilter, instant_range, states
from billing.subscriptions.models import BilledPeriod


def _day_before(end_at: datetime, time_zone: str) -> date:
    """The inclusive last day of what ends at an instant."""
    return (end_at - timedelta(microseconds=1)).astimezone(ZoneInfo(time_zone)).date()


class EndsInFilter(ListFilter):
    """Subscriptions with an end in the next so many days, by the clock of the customer."""

    title = "Ends in the next days"
    parameters = ("ends_in",)

    def understand(self) -> None:
        text = self.given.get("ends_in", "1").strip()
        if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) <= 3650):
            self.problems["ends_in"] = f"“{text[:20]}” is not a number of days from 1 to 3650."

    def condition(self) -> Q:
        days = timedelta(days=int(self.given["ends_in"]))
        here = Coalesce(F("customer__test_clock__now_at"), Value(now(), output_field=DateTimeField()))
        until = ExpressionWrapper(here + Value(days), output_field=DateTimeField())
        return ~Q(status=SubscriptionStatus.CANCELED) & Q(cancel_at__lte=until)

    def controls(self) -> list[Control]:
        value, problem = self.given.get("ends_in", ""), self.problems.get("ends_in", "")
        return [Control("ends_in", self.title, value, (), problem, "Like 30.")]

    def in_words(self) -> str:
        return f"Ends in the next {self.given['ends_in']} days"


class SubscriptionAdmin(ReadOnlyAdmin):
    list_display = [
        "customer_name",
        "plan_version",
        "status_pill",
        "next_change",
        "charged_through",
        "next_billing_at",
        "started_at",
        "external_id",
        "public_id",
    ]
    list_filter = [
        states(SubscriptionStatus),
        "plan_version__plan",
        "plan_version",
        EndsInFilter,
        "legal_entity",
        CurrencyFilter,
        instant_range("started_at", "Started"),
    ]
    list_help = "Charged through is the last day that an invoice covers."
    ordering = ("-pk",)
    empty_state = "Nobody has subscribed yet. New subscription starts one."
    list_select_related = ["customer", "plan_version__plan", "legal_entity"]
    search_fields = ["=public_id", "=external_id", "customer__name"]
    search_help_text = "Customer or id"
    sortable_by = ("next_billing_at",)

    def prepare_rows(self, request: HttpRequest, rows: list[Any]) -> None:
        keys = [row.pk for row in rows]
        billed = BilledPeriod.objects.filter(item__subscription__in=keys, released_at=None).order_by()
        ends = dict(billed.values_list("item__subscription").annotate(end=Max("end_at")))
        for row in rows:
            row.listed_end = ends.get(row.pk)

    @admin.display(description="Customer")
    def customer_name(self, row: Any) -> str:
        return str(row.customer)

    @admin.display(description="Next change")
    def next_change(self, row: Any) -> Any:
        """A scheduled end; what else may be scheduled is not known yet."""
        if row.status == SubscriptionStatus.CANCELED or row.cancel_at is None:
            return display.NONE
        return f"Ends {_day_before(row.cancel_at, row.time_zone)}"

    @admin.display(description="Charged through")
    def charged_through(self, row: Any) -> SafeString:
        end = getattr(row, "listed_end", None)
        return display.NONE if end is None else display.day(_day_before(end, row.time_zone))

    @admin.display(description="State", ordering="status")
    def status_pill(self, row: Any) -> SafeString:
        return display.pill(row.status)


@admin.register(BilledPeriod)
class BilledPeriodAdmin(ReadOnlyAdmin):
    list_display = ["item", "reason", "start_at", "end_at", "received_until", "invoice_id", "released_at"]
    list_select_related = ["item__price"]
    list_filter = ["reason", instant_range("start_at", "Starts"), instant_range("end_at", "Ends")]
    list_help = "What has been billed already, so that nothing is billed twice."
    search_fields = ["=invoice_id", "=line_id"]
    search_help_text = "Id of an invoice or line"
    sortable_by = ()
    ordering = ("-pk",)
    empty_state = "Nothing has been billed yet. Each line of an invoice leaves its period here."
