"""What is done to the catalog from its pages: make meters, products, plans and versions, price them, publish."""

from datetime import datetime
from typing import Any

from django import forms

from billing.catalog import services
from billing.catalog.models import Plan, PlanVersion, Product
from billing.core.late_usage import LateUsagePolicy
from billing.core.money import format_major
from billing.core.periods import Anchor, IntervalUnit
from billing.core.proration import ProrationPolicy
from billing.core.tax import TaxCode
from billing.platform import display
from billing.platform.actors import Actor
from billing.platform.clock import now
from valueverse.backoffice.making import Creation
from valueverse.backoffice.price_forms import PriceForm
from valueverse.backoffice.verbs import Data, Outcome, Verb
from valueverse.backoffice.version_difference import difference, subscribers

CODE_HELP = "Short name for programs, for good: lower case letters, digits, '_', '-' or '.'."


TAX_CODES = [(str(one), str(one).replace("_", " ").capitalize()) for one in TaxCode]


class ProductForm(forms.Form):
    code = forms.CharField(max_length=60, help_text=CODE_HELP)
    name = forms.CharField(max_length=120, help_text="What revenue is reported by.")
    tax_code = forms.ChoiceField(
        choices=TAX_CODES,
        label="Tax code",
        help_text="What tax law sees in it. The rate follows from seller, buyer and day.",
    )

    def __init__(self, data: Any = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["tax_code"].required = False

    def clean_tax_code(self) -> str:
        return self.cleaned_data["tax_code"] or TaxCode.STANDARD.value


class TaxCodeForm(forms.Form):
    tax_code = forms.ChoiceField(
        choices=TAX_CODES, label="Tax code", help_text="For prices without a tax code of their own."
    )


class SetTaxCode(Verb):
    """Tax a product otherwise from now on."""

    def __init__(self) -> None:
        super().__init__(
            "tax",
            "Change tax code",
            "catalog.change_product",
            "Issued documents keep theirs. Drafts made before are refused at issue: delete them and bill again.",
            TaxCodeForm,
            asks_first=True,
        )

    def at(self, row: Any) -> datetime:
        return now()

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.tax_code,)

    def form(self, row: Any, data: Any = None) -> Any:
        return TaxCodeForm(data, initial={"tax_code": row.tax_code})

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [("Tax code now", row.get_tax_code_display()), ("Plans", row.plans.count())]

    def button(self, row: Any, data: Data) -> str:
        return f"Tax it as {data['tax_code']}" if "tax_code" in data else self.label

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.set_product_tax_code(product=row, tax_code=data["tax_code"], actor=actor, at=at)
        return Outcome(f"{made.name} is taxed as {made.get_tax_code_display().lower()} from now on.", made)


class NewProduct(Creation):
    """A product."""

    def __init__(self) -> None:
        super().__init__(
            "new",
            "New product",
            "catalog.add_product",
            "A product's code never changes.",
            ProductForm,
            model=Product,
        )

    def button(self, row: Any, data: Data) -> str:
        return "Create product"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.create_product(**data, actor=actor, at=at)
        return Outcome(f"Created {made.name}. Next: a plan that belongs to it.", made)


class PlanForm(forms.Form):
    code = forms.CharField(max_length=60, help_text=CODE_HELP)
    name = forms.CharField(max_length=120, help_text="What customers subscribe to, like Inference Pro.")
    product = forms.ModelChoiceField(
        Product.objects.order_by("code"),
        empty_label="Choose a product",
        help_text="Revenue is reported by it. None there? Make a product first.",
    )


class NewPlan(Creation):
    """A plan."""

    def __init__(self) -> None:
        super().__init__(
            "new",
            "New plan",
            "catalog.add_plan",
            "A plan begins without a version. Its versions hold the prices.",
            PlanForm,
            model=Plan,
        )

    def button(self, row: Any, data: Data) -> str:
        return "Create plan"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.create_plan(**data, actor=actor, at=at)
        return Outcome(f"Created {made.code}. Next: its first version.", made)


PRORATION = {
    "day": "By days",
    "second": "By seconds",
    "thirty_day_month": "By days, each month having 30",
    "none": "Not at all: the whole fee",
}


LATE_USAGE = {
    LateUsagePolicy.BILL: "Bill it: a line of the next invoice",
    LateUsagePolicy.FORGIVE: "Let small amounts go, bill the others",
    LateUsagePolicy.ASK: "Ask: nothing is billed before somebody decides",
}


def to_major_text(version: PlanVersion) -> str:
    """Up to which amount late usage is let go, as a form shows it."""
    amount = version.late_usage_up_to_minor
    return format_major(amount, version.currency) if amount else ""


class VersionForm(forms.Form):
    currency = forms.CharField(
        max_length=3, help_text="ISO code; the currency of the seller's books, like EUR."
    )
    interval_count = forms.IntegerField(min_value=1, max_value=120, initial=1, label="Billed every")
    interval_unit = forms.ChoiceField(
        choices=[(str(one), str(one).capitalize()) for one in IntervalUnit], initial="month", label="Unit"
    )
    anchor = forms.ChoiceField(
        label="Periods",
        choices=[
            (str(Anchor.CALENDAR), "Calendar: from the first of the month, week or year"),
            (str(Anchor.ANNIVERSARY), "Anniversary: from the day of start"),
        ],
    )
    proration = forms.ChoiceField(
        required=False,
        label="A short period",
        choices=[
            ("", "As the installation does"),
            *((str(one), PRORATION[str(one)]) for one in ProrationPolicy),
        ],
        help_text="How the fee is cut when service is shorter than the period.",
    )
    late_usage = forms.ChoiceField(
        required=False,
        label="Late usage",
        choices=[(str(one), LATE_USAGE[one]) for one in LateUsagePolicy],
        help_text="What happens to usage that arrives or is corrected after its period was billed.",
    )
    late_usage_up_to = forms.CharField(
        required=False,
        max_length=30,
        label="Let go up to",
        help_text="For letting go: an amount per price and period, like 5.00. What customers get back always is.",
    )
    copies = forms.BooleanField(
        required=False, initial=True, label="Begin with the prices of the last version"
    )

    def clean_late_usage(self) -> str:
        return self.cleaned_data["late_usage"] or LateUsagePolicy.BILL.value

    def clean_currency(self) -> str:
        return str(self.cleaned_data["currency"]).upper()


class NewVersion(Verb):
    """The next version of a plan, a draft with the last one's terms and prices."""

    def __init__(self) -> None:
        super().__init__(
            "new-version",
            "New version",
            "catalog.add_planversion",
            "A draft: nobody can subscribe to it before it is published. Discarded on its own page.",
            VersionForm,
            rehearses=False,
        )

    def at(self, row: Any) -> datetime:
        return now()

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.versions.count(),)

    def form(self, row: Any, data: Any = None) -> forms.Form:
        last = row.versions.order_by("-version").first()
        if last is None:
            form = VersionForm(data)
            del form.fields["copies"]
            return form
        initial = {
            "currency": last.currency,
            "interval_count": last.interval_count,
            "interval_unit": last.interval_unit,
            "anchor": last.anchor,
            "proration": last.proration,
            "late_usage": last.late_usage,
            "late_usage_up_to": to_major_text(last),
            "copies": True,
        }
        return VersionForm(data, initial=initial)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        last = row.versions.order_by("-version").first()
        return [("Plan", row.name), ("Last version", str(last) if last else "None yet")]

    def button(self, row: Any, data: Data) -> str:
        return "Create draft version"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        given = dict(data)
        last = row.versions.order_by("-version").first()
        copied = services.price_inputs(last) if given.pop("copies", False) and last else []
        made = services.create_plan_version(plan=row, **given, prices=copied, actor=actor, at=at)
        said = f", with {len(copied)} prices of version {last.version}" if copied and last else ""
        return Outcome(f"Version {made.version} is a draft{said}.", made)


class VersionVerb(Verb):
    """What verbs on a draft version share."""

    def at(self, row: Any) -> datetime:
        return now()

    def state(self, row: Any) -> tuple[Any, ...]:
        prices = row.prices.order_by("pk").values_list(
            "pk", "code", "name", "model", "definition", "meter_id"
        )
        return (row.published_at, tuple((*one[:4], str(one[4]), one[5]) for one in prices))

    def is_offered(self, row: Any) -> bool:
        return row.published_at is None


class AddPrice(VersionVerb):
    """One more price."""

    def __init__(self) -> None:
        super().__init__(
            "add-price",
            "Add price",
            "catalog.change_planversion",
            "Prices of a draft can be changed and removed until it is published.",
            PriceForm,
            rehearses=False,
        )

    def form(self, row: Any, data: Any = None) -> forms.Form:
        return PriceForm(data, currency=row.currency)

    def button(self, row: Any, data: Data) -> str:
        return "Add price"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.add_price(plan_version=row, price=data["price"], actor=actor, at=at)
        return Outcome(f"Added {made.code}. Try a quantity below.", row)


CHANGES_MAX = 20
"""Changed figures named before publishing; the version's page has all."""


class Publish(VersionVerb):
    """Close it for changes, open it for subscriptions."""

    def __init__(self) -> None:
        super().__init__(
            "publish",
            "Publish",
            "catalog.publish_planversion",
            "Cannot be edited afterwards: new terms are a new version. Subscribers of other versions keep theirs.",
        )

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        published = row.plan.versions.filter(version__lt=row.version, published_at__isnull=False)
        other = published.order_by("-version").first()
        changed = [one for one in difference(other, row) if one.change != "same"] if other else []
        facts: list[tuple[str, Any]] = [
            ("Prices", f"{row.prices.count()}"),
            ("Subscribers who are moved by publishing", "0"),
        ]
        if other:
            facts.append(
                (f"Subscribers who stay on version {other.version}", f"{subscribers(other).count():,}")
            )
            facts.append((f"Changes against version {other.version}", f"{len(changed)}"))
            for word in ("added", "removed"):
                codes = dict.fromkeys(one.code for one in changed if one.change == word)
                facts += [(f"Prices {word}", ", ".join(codes))] if codes else []
            facts += [
                (f"{one.code}: {one.what}", f"{one.before} → {one.after}" + _percent(one.percent))
                for one in changed
                if one.change == "changed"
            ][:CHANGES_MAX]
        return facts

    def button(self, row: Any, data: Data) -> str:
        return f"Publish {row}"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.publish_plan_version(plan_version=row, actor=actor, at=at)
        return Outcome(f"{made} is published: customers can subscribe to it.", made)


def _percent(percent: int | None) -> str:
    return "" if percent is None else f" ({'+' if percent > 0 else display.MINUS}{abs(percent)} %)"


class Discard(VersionVerb):
    """A draft that is not wanted."""

    def __init__(self) -> None:
        super().__init__(
            "discard",
            "Discard draft",
            "catalog.change_planversion",
            "The draft and its prices are deleted; nobody could subscribe to it yet.",
            rehearses=False,
        )

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        return [("Prices", f"{row.prices.count()}")]

    def back(self, row: Any) -> str:
        return (
            display.page_of(row)
            if PlanVersion.objects.filter(pk=row.pk).exists()
            else display.page_of(row.plan)
        )

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        services.discard_plan_version(plan_version=row, actor=actor, at=at)
        return Outcome(f"Version {row.version} is discarded.", row.plan)


class PriceVerb(Verb):
    """What verbs on a price of a draft share."""

    def at(self, row: Any) -> datetime:
        return now()

    def state(self, row: Any) -> tuple[Any, ...]:
        return (
            row.plan_version.published_at,
            row.code,
            row.name,
            row.model,
            str(row.definition),
            row.meter_id,
        )

    def is_offered(self, row: Any) -> bool:
        return row.plan_version.published_at is None

    def subject(self, row: Any) -> str:
        return f"{row.code} of {row.plan_version}"

    def back(self, row: Any) -> str:
        return display.page_of(row.plan_version)


class EditPrice(PriceVerb):
    """Other figures."""

    def __init__(self) -> None:
        super().__init__(
            "edit",
            "Edit price",
            "catalog.change_planversion",
            "The version is a draft: nobody is billed by it yet.",
            PriceForm,
            rehearses=False,
            edits=True,
        )

    def form(self, row: Any, data: Any = None) -> forms.Form:
        return PriceForm(data, price=row, currency=row.plan_version.currency)

    def button(self, row: Any, data: Data) -> str:
        return "Save price"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.update_price(price=row, given=data["price"], actor=actor, at=at)
        return Outcome(f"Saved {made.code}.", made.plan_version)


class RemovePrice(PriceVerb):
    """Out of the draft."""

    def __init__(self) -> None:
        super().__init__(
            "remove",
            "Remove price",
            "catalog.change_planversion",
            "The price is deleted from the draft. Add it again to have it back.",
            rehearses=False,
        )

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        version = services.remove_price(price=row, actor=actor, at=at)
        return Outcome(f"Removed {row.code}.", version)


EDIT_PRICE, REMOVE_PRICE = EditPrice(), RemovePrice()
PRICE_VERBS: tuple[Verb, ...] = (EDIT_PRICE, REMOVE_PRICE)
VERSION_VERBS: tuple[Verb, ...] = (Publish(), AddPrice(), Discard())
