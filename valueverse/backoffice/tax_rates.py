"""Tax rates in the back office: dated rows that are added and ended."""

from datetime import date, datetime, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from billing.activity.selectors import activity_of
from billing.catalog import services
from billing.catalog.admin import TaxRateAdmin
from billing.catalog.models import TaxRate
from billing.catalog.services.tax_rates import RATED
from billing.core.tax import TaxCategory
from billing.platform import display
from billing.platform.actors import Actor
from billing.platform.clock import now
from customers.models import LegalEntity
from valueverse.backoffice.fields import CountryChoice, FigureField
from valueverse.backoffice.making import Creation
from valueverse.backoffice.pages import ObjectPage
from valueverse.backoffice.verbs import Data, Outcome, Verb

CATEGORIES = {
    "S": "S: standard or reduced rate",
    "Z": "Z: zero rate",
    "E": "E: exempt",
    "AE": "AE: reverse charge",
    "O": "O: outside the scope of tax",
    "G": "G: export outside the EU",
    "K": "K: goods to a business in the EU",
    "L": "L: tax of the Canary Islands",
    "M": "M: tax of Ceuta and Melilla",
    "B": "B: split payment (Italy)",
}


class TaxRateForm(forms.Form):
    """A rate and the days on which it holds; the last day is typed, the day after it is stored."""

    country = CountryChoice()
    category = forms.ChoiceField(
        choices=[(str(one), CATEGORIES.get(str(one), str(one))) for one in TaxCategory]
    )
    tax_code = forms.ChoiceField(
        label="Products",
        choices=[(str(one), str(one).replace("_", " ").capitalize()) for one in RATED],
        initial=RATED[0],
        required=False,
        help_text="For products of this tax code. A country without a reduced rate taxes those at its standard rate.",
    )
    name = forms.CharField(
        max_length=60, initial="VAT", help_text="How documents call the tax, like VAT or USt."
    )
    percent = FigureField(label="Percent", help_text="19 for 19 %.")
    valid_from = forms.DateField(
        label="Holds from", input_formats=["%Y-%m-%d"], help_text="First day, like 2024-01-01."
    )
    last_on = forms.DateField(
        required=False,
        label="Last day",
        input_formats=["%Y-%m-%d"],
        help_text="Empty: until another rate follows.",
    )

    def clean(self) -> dict[str, Any]:
        found: dict[str, Any] = self.cleaned_data
        first, last = found.get("valid_from"), found.get("last_on")
        if first and last and last < first:
            self.add_error("last_on", f"The rate starts on {first}: its last day is {first} or later.")
        if last == date.max:
            self.add_error("last_on", "Leave this empty for a rate without an end.")
        return found

    def place(self, name: str) -> str:
        """The field that services know as `valid_to`."""
        return {"valid_to": "last_on"}.get(name, name)


class NewTaxRate(Creation):
    """A rate from a day on; the one in force ends the day before."""

    def __init__(self) -> None:
        super().__init__(
            "new",
            "New tax rate",
            "catalog.add_taxrate",
            "Rates are never overwritten: issued documents keep theirs, drafts made from now on take this one.",
            TaxRateForm,
            asks_first=True,
            model=TaxRate,
        )

    def initial(self, request: HttpRequest) -> Data:
        entity = LegalEntity.objects.order_by("pk").first()
        return {"country": entity.country} if entity else {}

    def button(self, row: Any, data: Data) -> str:
        if "percent" not in data:
            return self.label
        return f"Add {display.percent(data['percent'])} for {data['country']} from {data['valid_from']}"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        given = dict(data)
        last_on = given.pop("last_on")
        given["tax_code"] = given.get("tax_code") or RATED[0]
        made = services.create_tax_rate(
            **given,
            valid_to=last_on + timedelta(days=1) if last_on else None,
            follows=True,
            actor=actor,
            at=at,
        )
        return Outcome(
            f"Added {display.percent(made.percent)} for {made.country} from {made.valid_from}.", made
        )

    def result(self, row: Any, made: Outcome) -> list[tuple[str, Any]]:
        rate: Any = made.row
        before = (
            TaxRate.objects.filter(
                country=rate.country,
                category=rate.category,
                tax_code=rate.tax_code,
                valid_from__lt=rate.valid_from,
            )
            .order_by("-valid_from")
            .first()
        )
        return [("Before it", _spelled(before) if before else "No rate")]


def _spelled(rate: TaxRate) -> str:
    until = f"to {display.last_day(rate.valid_to)}" if rate.valid_to else "without an end"
    return f"{display.percent(rate.percent)} from {rate.valid_from} {until}"


class EndForm(forms.Form):
    last_on = forms.DateField(
        label="Last day", input_formats=["%Y-%m-%d"], help_text="The last day on which the rate holds."
    )

    place = staticmethod(lambda name: {"valid_to": "last_on"}.get(name, name))


class EndTaxRate(Verb):
    """No longer from a day on."""

    def __init__(self) -> None:
        super().__init__(
            "end",
            "End",
            "catalog.change_taxrate",
            "The end stays. Without a following rate, customers in this country are parked from then on.",
            EndForm,
            asks_first=True,
        )

    def at(self, row: Any) -> datetime:
        return now()

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.valid_to,)

    def is_offered(self, row: Any) -> bool:
        return row.valid_to is None

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        following = (
            TaxRate.objects.filter(
                country=row.country,
                category=row.category,
                tax_code=row.tax_code,
                valid_from__gt=row.valid_from,
            )
            .order_by("valid_from")
            .first()
        )
        return [("Rate", _spelled(row)), ("Follows", _spelled(following) if following else "Nothing yet")]

    def button(self, row: Any, data: Data) -> str:
        return f"End after {data['last_on']}" if "last_on" in data else self.label

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.end_tax_rate(
            tax_rate=row, valid_to=data["last_on"] + timedelta(days=1), actor=actor, at=at
        )
        return Outcome(f"{made.country} {display.percent(made.percent)} holds until {data['last_on']}.", made)


@admin.register(TaxRate)
class TaxRatePage(ObjectPage, TaxRateAdmin):
    """A rate, beside the others of its country."""

    page_template = "backoffice/tax_rate.html"
    create = NewTaxRate()
    verbs = (EndTaxRate(),)

    def page_context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        others = TaxRate.objects.filter(
            country=row.country, category=row.category, tax_code=row.tax_code
        ).order_by("-valid_from")
        return {
            "title": str(row),
            "category": CATEGORIES.get(row.category, row.category),
            "rates": [(one, display.last_day(one.valid_to) if one.valid_to else None) for one in others[:50]],
            "activity": list(activity_of(object_id=row.public_id)[:20]),
        }
