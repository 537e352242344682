"""The form of a price: its model, its figures, and its tiers row by row."""

from decimal import Decimal
from typing import Any

from django import forms

from billing.catalog.models import Meter, Price
from billing.catalog.services import PriceInput
from billing.core.pricing import MODEL_CODES
from billing.core.pricing.tiers import TIERS_MAX
from billing.core.quantity import DECIMALS_MAX, format_quantity
from valueverse.backoffice.fields import FigureField, typed
from valueverse.backoffice.verbs import Data

MODELS = {
    "flat": "Flat: a fee, the same each period",
    "per_unit": "Per unit: every unit costs the same",
    "graduated": "Graduated: each unit costs the price of its tier",
    "volume": "Volume: all units cost the price of the tier they reach together",
    "stairstep": "Stairstep: one amount for everything, by the tier that all units reach together",
    "package": "Package: blocks of units, started ones count in full",
    "percentage": "Percentage: a share of the money that the meter adds up",
    "graduated_percentage": "Graduated percentage: each part of the money at the percentage of its tier",
}
ROWS_MIN = 3
PARTS = ("from", "to", "unit", "flat", "block", "cap")
TIER_KEYS: dict[str, dict[str, str]] = {
    "graduated": {"unit": "unit_amount", "flat": "flat_amount", "block": "block_size", "cap": "max_amount"},
    "volume": {"unit": "unit_amount", "flat": "flat_amount", "block": "block_size", "cap": "max_amount"},
    "stairstep": {"flat": "amount"},
    "graduated_percentage": {"unit": "percent", "flat": "flat_amount"},
}
"""Which columns of the tiers editor a model reads, and how core calls them."""

NEEDED = {
    "graduated": ("unit", "the price of one unit; 0 is a price"),
    "volume": ("unit", "the price of one unit; 0 is a price"),
    "stairstep": ("flat", "an amount; 0 is one"),
    "graduated_percentage": ("unit", "a percentage; 0 is one"),
}
FIGURES = {
    "flat": ("amount",),
    "per_unit": ("unit_amount",),
    "package": ("size", "package_amount", "free_units"),
    "percentage": ("percent", "free_amount"),
}
OPTIONAL = frozenset({"free_units", "free_amount"})
DEFINITION_NAMES = {"package_amount": "amount"}
CONVERSION = ("units_per", "decimals", "rounding")
MODIFIERS = {
    "units_left_free": "free_units",
    "discount_percent": "discount_percent",
    "maximum": "maximum",
    "minimum": "minimum",
}
METERED = " ".join(code for code in MODELS if code != "flat")
TIERED = " ".join(TIER_KEYS)


class TierRow:
    """A row of the tiers editor."""

    def __init__(self, form: forms.Form, index: int) -> None:
        self.number = index + 1
        self.fields = [form[f"tier_{index}_{part}"] for part in PARTS]

    @property
    def columns(self) -> list[tuple[forms.BoundField, str]]:
        """Each field with the models that read it; "" for all that have tiers."""
        return [(field, models_of(part)) for field, part in zip(self.fields, PARTS, strict=True)]


def models_of(part: str) -> str:
    """The models that read a column of the tiers editor."""
    if part in ("from", "to"):
        return TIERED
    return " ".join(code for code, keys in TIER_KEYS.items() if part in keys)


class PriceForm(forms.Form):
    """One price of a plan version. Cleaned, `price` is what the services take."""

    code = forms.CharField(
        max_length=60,
        help_text="Short name of the invoice line for programs: lower case letters, digits, '_', '-', '.'.",
    )
    name = forms.CharField(max_length=120, help_text="Text of the invoice line.")
    model = forms.ChoiceField(choices=[(code, MODELS[code]) for code in MODEL_CODES], label="Price model")
    meter = forms.ModelChoiceField(
        Meter.objects.order_by("code"),
        required=False,
        empty_label="No meter: a fee, billed in advance",
        help_text="What is counted. Usage is billed in arrears.",
    )
    unit_code = forms.CharField(
        required=False,
        max_length=3,
        label="Unit code",
        help_text="UN/ECE code printed in e-invoices; empty takes the meter's. C62 is 'one'.",
    )
    amount = FigureField(required=False, label="Amount of the fee")
    unit_amount = FigureField(required=False, label="Price of one unit", help_text="Up to 12 decimals.")
    size = FigureField(required=False, label="Units in a package")
    package_amount = FigureField(required=False, label="Price of a package")
    free_units = FigureField(required=False, label="Free units", help_text="Not charged; empty for none.")
    percent = FigureField(required=False, label="Percentage", help_text="2.9 means 2.9 % of the money.")
    free_amount = FigureField(
        required=False, label="Free amount", help_text="Money of which nothing is taken."
    )
    flat_at_zero = forms.BooleanField(
        required=False,
        label="The first flat amount is due without usage too",
        help_text="Otherwise a period without usage costs nothing.",
    )
    units_per = FigureField(
        required=False,
        label="Units of the meter in one unit of the price",
        help_text="1,000 when the price is for a thousand. Empty: the price counts as the meter does.",
    )
    decimals = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=DECIMALS_MAX,
        label="Decimals kept",
        help_text="0 for whole units.",
    )
    rounding = forms.ChoiceField(
        required=False,
        choices=[
            ("", "Choose"),
            ("up", "Up: a started unit counts"),
            ("down", "Down: whole units only"),
            ("nearest", "To the nearest"),
        ],
    )
    units_left_free = FigureField(required=False, label="Free units", help_text="Never charged.")
    discount_percent = FigureField(
        required=False, label="Discount in percent", help_text="Off the amount of the price."
    )
    maximum = FigureField(
        required=False, label="Maximum of a period", help_text="The most it costs, after the discount."
    )
    minimum = FigureField(
        required=False,
        label="Minimum of a period",
        help_text="The least it costs, without usage too; never prorated.",
    )
    tiers = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=1, max_value=TIERS_MAX)

    sections = (
        ("", ["code", "name", "model", "meter", "unit_code"]),
        ("Flat", ["amount"], "flat"),
        ("Per unit", ["unit_amount"], "per_unit"),
        ("Package", ["size", "package_amount", "free_units"], "package"),
        ("Percentage", ["percent", "free_amount"], "percentage"),
        ("Without usage", ["flat_at_zero"], TIERED),
        ("Conversion of units", ["units_per", "decimals", "rounding"], METERED),
        ("Modifiers, in this order", list(MODIFIERS), METERED),
    )

    def __init__(self, data: Any = None, *, price: Price | None = None, currency: str = "") -> None:
        super().__init__(
            data, initial=dict(initial_of(price)) if price else {"model": "flat", "tiers": ROWS_MIN}
        )
        self.currency = currency
        self.price = price
        for name in ("amount", "unit_amount", "package_amount", "free_amount", "maximum", "minimum"):
            self.fields[name].label = f"{self.fields[name].label} in {currency}"
        self.rows = self._row_count(data)
        for index in range(self.rows):
            for part in PARTS:
                field = FigureField(required=False, label=f"Tier {index + 1}, {LABELS[part]}")
                field.widget.attrs["aria-label"] = field.label
                self.fields[f"tier_{index}_{part}"] = field
        self.tier_rows = [TierRow(self, index) for index in range(self.rows)]

    def _row_count(self, data: Any) -> int:
        """As many rows as were sent, and one more if the person asked for it."""
        if data is None:
            return int(self.initial["tiers"])
        sent = str(data.get("tiers", ""))
        rows = int(sent) if sent.isdecimal() and len(sent) < 4 else ROWS_MIN
        if data.get("step") == "more":
            rows += 1
        rows = max(1, min(rows, TIERS_MAX))
        self.data = data.copy() if hasattr(data, "copy") else dict(data)
        self.data["tiers"] = str(rows)
        return rows

    def clean(self) -> dict[str, Any]:
        """Read the figures of the chosen model; those of the other models are not looked at."""
        found: dict[str, Any] = self.cleaned_data
        model = found.get("model", "")
        for name in list(self.errors):  # a slip in a field of another model is nobody's business
            if not self._counts(name, model):
                del self.errors[name]
        definition = self._tiers(model) if model in TIER_KEYS else self._figures(model)
        if model != "flat":
            definition |= self._modifiers()
        if not self.errors:
            found["price"] = PriceInput(
                code=found["code"],
                name=found["name"],
                model=model,
                definition=definition,
                meter=found["meter"],
                unit_code=found["unit_code"],
            )
        return found

    @staticmethod
    def _counts(name: str, model: str) -> bool:
        if name.startswith("tier_"):
            part = name.rpartition("_")[2]
            return model in TIER_KEYS and (part in ("from", "to") or part in TIER_KEYS[model])
        if name in MODIFIERS or name in CONVERSION:
            return model != "flat"
        owner = next((code for code, names in FIGURES.items() if name in names), model)
        return owner == model

    def _figures(self, model: str) -> dict[str, object]:
        definition: dict[str, object] = {}
        for name in FIGURES.get(model, ()):
            value = self.cleaned_data.get(name)
            if value is None and name in OPTIONAL:
                continue
            if value is None:
                if name not in self.errors:
                    self.add_error(name, "This figure is needed for this price model.")
                continue
            definition[DEFINITION_NAMES.get(name, name)] = format_quantity(value)
        return definition

    def _modifiers(self) -> dict[str, object]:
        """What goes around the price; nothing if no field of it is filled in."""
        given = self.cleaned_data
        found: dict[str, object] = {
            name: format_quantity(given[field])
            for field, name in MODIFIERS.items()
            if given.get(field) is not None
        }
        conversion = {name: given.get(name) for name in CONVERSION if given.get(name) not in (None, "")}
        for name in CONVERSION if conversion else ():
            if name not in conversion and name not in self.errors:
                self.add_error(name, "A conversion needs all three: units, decimals and rounding.")
        if len(conversion) == len(CONVERSION):
            found["conversion"] = conversion | {"units_per": format_quantity(given["units_per"])}
        return {"modifiers": found} if found else {}

    def _tiers(self, model: str) -> dict[str, object]:
        """The tiers as they are stored, each checked against the one before it: no overlap, no gap."""
        keys, (needed, what) = TIER_KEYS[model], NEEDED[model]
        rows = [index for index in range(self.rows) if self._is_filled(index, model)]
        if not rows:
            self.add_error(f"tier_0_{needed}", "A price with tiers has at least one.")
        tiers: list[dict[str, object]] = []
        end: Decimal | None = Decimal(0)
        self.tier_places = rows
        for place, index in enumerate(rows):
            given = {part: self.cleaned_data.get(f"tier_{index}_{part}") for part in PARTS}
            number, is_last = index + 1, index == rows[-1]
            self._check_start(index, rows[place - 1] + 1 if place else 0, end, given["from"])
            if given[needed] is None and f"tier_{index}_{needed}" not in self.errors:
                self.add_error(f"tier_{index}_{needed}", f"Tier {number} needs {what}.")
            if f"tier_{index}_to" not in self.errors:
                self._check_end(index, end, given["to"], is_last=is_last)
            tier: dict[str, object] = {"up_to": None if given["to"] is None else format_quantity(given["to"])}
            for part, key in keys.items():
                if part == needed or given[part] is not None:
                    tier[key] = format_quantity(given[part] or Decimal(0))
            tiers.append(tier)
            end = given["to"]
        return {"tiers": tiers} | ({"flat_at_zero": True} if self.cleaned_data.get("flat_at_zero") else {})

    def _is_filled(self, index: int, model: str) -> bool:
        names = [f"tier_{index}_{part}" for part in ("from", "to", *TIER_KEYS[model])]
        return any(self.cleaned_data.get(name) is not None or name in self.errors for name in names)

    def _check_start(self, index: int, before: int, end: Decimal | None, start: Decimal | None) -> None:
        if start is None or end is None:
            return
        if not before:
            if start not in (0, 1):
                self.add_error(f"tier_{index}_from", f"Tier 1 starts at {typed(start)}. Start it at 1.")
            return
        wanted = end + 1
        if start != wanted:
            self.add_error(
                f"tier_{index}_from",
                f"Tier {before} ends at {typed(end)}, tier {index + 1} starts at {typed(start)}. "
                f"Start it at {typed(wanted)}.",
            )

    def _check_end(self, index: int, end: Decimal | None, to: Decimal | None, *, is_last: bool) -> None:
        name, number = f"tier_{index}_to", index + 1
        if to is not None and is_last:
            self.add_error(
                name, f"Tier {number} is the last: leave its end empty, or add a tier above {typed(to)}."
            )
        elif to is None and not is_last:
            self.add_error(
                name, f"Tier {number} has no end, but more tiers follow. Only the last goes on without end."
            )
        elif to is not None and end is not None and to <= end:
            self.add_error(name, f"Tier {number} ends at {typed(to)}. It must end above {typed(end)}.")

    def place(self, name: str) -> str:
        """The field that core knows as `definition.tiers[1].up_to` or `definition.amount`."""
        part = name.removeprefix("definition.")
        if part.startswith("tiers["):
            index, _, column = part.removeprefix("tiers[").partition("].")
            rows = getattr(self, "tier_places", [])
            if index.isdecimal() and int(index) < len(rows):
                keys = TIER_KEYS.get(self.cleaned_data.get("model", ""), {})
                columns = {key: part for part, key in keys.items()}
                return f"tier_{rows[int(index)]}_{columns.get(column, 'to')}"
        if part.startswith("modifiers."):
            name = part.rpartition(".")[2]
            return {key: field for field, key in MODIFIERS.items()}.get(name, name)
        if part == "amount" and self.cleaned_data.get("model") == "package":
            return "package_amount"
        return part


LABELS = {
    "from": "from unit",
    "to": "to unit",
    "unit": "price of one unit, or percent",
    "flat": "flat, once",
    "block": "block size",
    "cap": "largest amount",
}


def initial_of(price: Price) -> Data:
    """What the form shows of a stored price."""
    definition = price.definition
    shown: dict[str, Any] = {
        "code": price.code,
        "name": price.name,
        "model": price.model,
        "meter": price.meter_id,
        "unit_code": price.unit_code,
        "tiers": max(ROWS_MIN, len(definition.get("tiers", ()))),
        "flat_at_zero": definition.get("flat_at_zero", False),
    }
    modifiers = definition.get("modifiers", {})
    shown |= {field: typed(modifiers.get(name)) for field, name in MODIFIERS.items()}
    if "conversion" in modifiers:
        shown |= modifiers["conversion"] | {"units_per": typed(modifiers["conversion"]["units_per"])}
    for name in FIGURES.get(price.model, ()):
        shown[name] = typed(definition.get(DEFINITION_NAMES.get(name, name)))
    start = Decimal(1)
    for index, tier in enumerate(definition.get("tiers", ())):
        shown[f"tier_{index}_from"] = typed(start) if start == int(start) else ""
        shown[f"tier_{index}_to"] = typed(tier["up_to"])
        for part, key in TIER_KEYS.get(price.model, {}).items():
            shown[f"tier_{index}_{part}"] = typed(tier.get(key))
        if tier["up_to"] is not None:
            start = Decimal(tier["up_to"]) + 1
    return shown
