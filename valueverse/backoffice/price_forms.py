"""The form of a price: its model, its figures, and its tiers row by row."""

from decimal import Decimal
from typing import Any

from django import forms

from billing.catalog.models import Meter, Price
from billing.catalog.services import PriceInput
from billing.core.pricing import MODEL_CODES, ConversionRounding
from billing.core.pricing.tiers import TIERS_MAX
from billing.core.quantity import format_quantity
from billing.core.tax import TaxCode
from valueverse.backoffice.fields import FigureField, FiltersField, filters_text, typed
from valueverse.backoffice.verbs import Data

MODELS = {
    "flat": "Flat: a fee, the same each period",
    "per_unit": "Per unit: every unit costs the same",
    "graduated": "Graduated: each unit costs the price of its tier",
    "volume": "Volume: all units cost the price of the tier they reach together",
    "stairstep": "Stairstep: one amount for everything, by the tier it reaches",
    "package": "Package: blocks of units, started ones count in full",
    "capacity": "Capacity: a fixed amount that includes a quantity, and a price for each unit above",
    "percentage": "Percentage: a share of the amount the meter sums up",
    "graduated_percentage": "Graduated percentage: each part of the amount at its tier's share",
}
TIERED = {
    "graduated": "unit_amount",
    "volume": "unit_amount",
    "stairstep": "amount",
    "graduated_percentage": "percent",
}
"""What a tier of each model costs, as its definition calls it."""

ROWS_MIN = 3
PARTS = ("from", "to", "unit", "flat", "block", "most")
OPTIONAL = {"flat": "flat_amount", "block": "block_size", "most": "max_amount"}
FIGURES = {
    "flat": ("amount",),
    "per_unit": ("unit_amount",),
    "package": ("size", "package_amount", "free_units"),
    "percentage": ("percent", "free_amount"),
    "capacity": ("capacity_amount", "included", "overage_amount"),
}
DEFINITION_NAMES = {
    "package_amount": "amount",
    "capacity_amount": "amount",
    "overage_amount": "unit_amount",
}
MAY_BE_EMPTY = ("free_units", "free_amount")
MODIFIERS = ("free_units", "discount_percent", "minimum", "maximum")
CONVERSION = ("units_per", "decimals", "rounding")
METERED = "per_unit graduated volume stairstep package percentage graduated_percentage capacity"


class TierRow:
    """A row of the tiers editor."""

    def __init__(self, form: forms.Form, index: int) -> None:
        self.number = index + 1
        self.fields = [form[f"tier_{index}_{part}"] for part in PARTS]


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
    tax_code = forms.ChoiceField(
        required=False,
        choices=[
            ("", "That of the product"),
            *((str(o), str(o).replace("_", " ").capitalize()) for o in TaxCode),
        ],
        label="Tax code",
    )
    tax_percent = FigureField(
        required=False, label="Own tax rate in percent", help_text="Whoever buys; empty: as the rules say."
    )
    filters = FiltersField(
        label="Only events with",
        help_text="To price parts of one meter differently, one property a line: model: large, xlarge. Prices on a "
        "meter may not overlap; one without filters takes the rest.",
    )
    amount = FigureField(required=False, label="Amount of the fee")
    unit_amount = FigureField(required=False, label="Price of one unit", help_text="Up to 12 decimals.")
    size = FigureField(required=False, label="Units in a package")
    package_amount = FigureField(required=False, label="Price of a package")
    free_units = FigureField(required=False, label="Free units", help_text="Not charged; empty for none.")
    capacity_amount = FigureField(
        required=False, label="Fixed amount", help_text="Due in every period, with and without usage."
    )
    included = FigureField(required=False, label="Units that it includes")
    overage_amount = FigureField(
        required=False, label="Price of each unit above", help_text="Up to 12 decimals."
    )
    percent = FigureField(required=False, label="Percent of the amount")
    free_amount = FigureField(required=False, label="Free amount", help_text="Empty for none.")
    flat_at_zero = forms.BooleanField(
        required=False, label="Charge the first tier's fixed amount without usage too"
    )
    mod_free_units = FigureField(required=False, label="Units that cost nothing")
    mod_discount_percent = FigureField(required=False, label="Discount in percent")
    mod_minimum = FigureField(required=False, label="At least, a period")
    mod_maximum = FigureField(required=False, label="At most, a period")
    mod_units_per = FigureField(
        required=False, label="Units that make one", help_text="1000 prices thousands of units."
    )
    mod_decimals = forms.IntegerField(
        required=False, min_value=0, max_value=12, label="Decimals kept", help_text="Empty is 0."
    )
    mod_rounding = forms.ChoiceField(
        required=False,
        label="Rounded",
        choices=[(str(one), str(one).capitalize()) for one in ConversionRounding],
    )
    tiers = forms.IntegerField(widget=forms.HiddenInput, required=False, min_value=1, max_value=TIERS_MAX)

    tiers_before = "Tiers without usage"
    sections = (
        ("", ["code", "name", "model", "meter", "filters", "unit_code"]),
        ("Tax", ["tax_code", "tax_percent"]),
        ("Flat", ["amount"], "flat"),
        ("Per unit", ["unit_amount"], "per_unit"),
        ("Package", ["size", "package_amount", "free_units"], "package"),
        ("Percentage", ["percent", "free_amount"], "percentage"),
        ("Capacity", ["capacity_amount", "included", "overage_amount"], "capacity"),
        ("Tiers without usage", ["flat_at_zero"], " ".join(TIERED)),
        (
            "Modifiers",
            [f"mod_{name}" for name in (*CONVERSION, *MODIFIERS)],
            METERED,
            "Around any price of usage, in this order: convert, take free units off, discount, cap. Empty for none.",
        ),
    )

    def __init__(self, data: Any = None, *, price: Price | None = None, currency: str = "") -> None:
        super().__init__(
            data, initial=dict(initial_of(price)) if price else {"model": "flat", "tiers": ROWS_MIN}
        )
        self.currency = currency
        self.price = price
        for name in ("amount", "unit_amount", "package_amount"):
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
        definition = self._tiers(model) if model in TIERED else self._figures(model)
        modifiers = self._modifiers() if model != "flat" else {}
        if modifiers:
            definition["modifiers"] = modifiers
        if not self.errors:
            found["price"] = PriceInput(
                code=found["code"],
                name=found["name"],
                model=model,
                definition=definition,
                meter=found["meter"],
                unit_code=found["unit_code"],
                filters=found.get("filters") or {},
                tax_code=found.get("tax_code") or "",
                tax_percent=found.get("tax_percent"),
            )
        return found

    @staticmethod
    def _counts(name: str, model: str) -> bool:
        if name.startswith("tier_"):
            return model in TIERED
        if name.startswith("mod_"):
            return model != "flat"
        owner = next((code for code, names in FIGURES.items() if name in names), model)
        return owner == model

    def _figures(self, model: str) -> dict[str, object]:
        definition: dict[str, object] = {}
        for name in FIGURES.get(model, ()):
            value = self.cleaned_data.get(name)
            if value is None and name in MAY_BE_EMPTY:
                continue
            if value is None:
                if name not in self.errors:
                    self.add_error(name, "This figure is needed for this price model.")
                continue
            definition[DEFINITION_NAMES.get(name, name)] = format_quantity(value)
        return definition

    def _modifiers(self) -> dict[str, object]:
        """The modifiers that have a figure."""
        given: dict[str, Any] = {
            name: self.cleaned_data.get(f"mod_{name}") for name in (*CONVERSION, *MODIFIERS)
        }
        found: dict[str, object] = {}
        if given["units_per"] is not None:
            found["conversion"] = {
                "units_per": format_quantity(given["units_per"]),
                "decimals": given["decimals"] or 0,
                "rounding": given["rounding"],
            }
        found |= {name: format_quantity(value) for name in MODIFIERS if (value := given[name]) is not None}
        return found

    def _tiers(self, model: str) -> dict[str, object]:
        """The tiers as they are stored, each checked against the one before it: no overlap, no gap."""
        rows = [index for index in range(self.rows) if self._is_filled(index)]
        if not rows:
            self.add_error("tier_0_unit", "A price with tiers has at least one.")
        tiers: list[dict[str, object]] = []
        end: Decimal | None = Decimal(0)
        self.tier_places = rows
        for place, index in enumerate(rows):
            start, to, unit = (self.cleaned_data.get(f"tier_{index}_{part}") for part in PARTS[:3])
            number, is_last = index + 1, index == rows[-1]
            self._check_start(index, rows[place - 1] + 1 if place else 0, end, start)
            if unit is None and f"tier_{index}_unit" not in self.errors:
                self.add_error(f"tier_{index}_unit", f"Tier {number} needs {NEEDS[model]}; 0 is one.")
            if f"tier_{index}_to" not in self.errors:
                self._check_end(index, end, to, is_last=is_last)
            tier: dict[str, object] = {
                "up_to": None if to is None else format_quantity(to),
                TIERED[model]: format_quantity(unit or Decimal(0)),
            }
            tier |= self._optional_parts(index, model)
            tiers.append(tier)
            end = to
        definition: dict[str, object] = {"tiers": tiers}
        if self.cleaned_data.get("flat_at_zero"):
            definition["flat_at_zero"] = True
        return definition

    def _optional_parts(self, index: int, model: str) -> dict[str, object]:
        """Fixed amount, block and cap of a tier, where its model has them."""
        found: dict[str, object] = {}
        for part, key in OPTIONAL.items():
            value = self.cleaned_data.get(f"tier_{index}_{part}")
            if not value:
                continue
            if model == "stairstep" or (part != "flat" and model == "graduated_percentage"):
                self.add_error(
                    f"tier_{index}_{part}", f"A {model.replace('_', ' ')} price has none: leave it empty."
                )
            found[key] = format_quantity(value)
        return found

    def _is_filled(self, index: int) -> bool:
        names = [f"tier_{index}_{part}" for part in PARTS]
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
                columns = {"up_to": "to", "unit_amount": "unit", "amount": "unit", "percent": "unit"}
                columns |= {key: name for name, key in OPTIONAL.items()}
                return f"tier_{rows[int(index)]}_{columns.get(column, 'to')}"
        if part.startswith("modifiers."):
            return f"mod_{part.rpartition('.')[2]}"
        names = FIGURES.get(self.cleaned_data.get("model", ""), ())
        for own in names:
            if DEFINITION_NAMES.get(own) == part:
                return own
        return part


LABELS = {
    "from": "from unit",
    "to": "to unit",
    "unit": "price",
    "flat": "flat, once",
    "block": "units in a block",
    "most": "at most",
}
NEEDS = {
    "graduated": "the price of one unit",
    "volume": "the price of one unit",
    "stairstep": "its amount",
    "graduated_percentage": "its percentage",
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
        "filters": filters_text(price.filters),
        "tax_code": price.tax_code,
        "tax_percent": typed(price.tax_percent),
        "tiers": max(ROWS_MIN, len(definition.get("tiers", ()))),
    }
    for name in FIGURES.get(price.model, ()):
        shown[name] = typed(definition.get(DEFINITION_NAMES.get(name, name)))
    start = Decimal(1)
    for index, tier in enumerate(definition.get("tiers", ())):
        shown[f"tier_{index}_from"] = typed(start) if start == int(start) else ""
        shown[f"tier_{index}_to"] = typed(tier["up_to"])
        shown[f"tier_{index}_unit"] = typed(tier[TIERED[price.model]])
        for part, key in OPTIONAL.items():
            shown[f"tier_{index}_{part}"] = typed(tier.get(key))
        if tier["up_to"] is not None:
            start = Decimal(tier["up_to"]) + 1
    shown["flat_at_zero"] = bool(definition.get("flat_at_zero"))
    modifiers = definition.get("modifiers", {})
    shown |= {f"mod_{name}": typed(modifiers.get(name)) for name in MODIFIERS}
    if conversion := modifiers.get("conversion"):
        shown |= {f"mod_{name}": conversion[name] for name in CONVERSION}
    return shown
