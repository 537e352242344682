"""Form fields that read figures as finance types them, and say what is wrong with one."""

import re
from decimal import Decimal
from typing import Any

from django import forms

from billing.core.errors import InvalidQuantity
from billing.core.quantity import DECIMALS_MAX, format_quantity, parse_quantity
from billing.platform.countries import COUNTRIES

_GROUPED = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")
DAY = {"input_formats": ["%Y-%m-%d"], "help_text": "Like 2024-01-01."}


class FigureField(forms.CharField):
    """A quantity, price or percentage that is not negative: 1,000,000 and 1000000 are the same."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=60, **kwargs)
        self.widget.attrs.update({"inputmode": "decimal", "autocomplete": "off"})

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return read_figure(text) if text else None


def read_figure(text: str) -> Decimal:
    """The figure that a person typed. Raises ValidationError that says what is wrong with it.

    >>> read_figure("22,361,870")
    Decimal('22361870')
    """
    plain = text.strip()
    if _GROUPED.fullmatch(plain):
        plain = plain.replace(",", "")
    try:
        return parse_quantity(plain, allow_negative=False)
    except InvalidQuantity as error:
        decimals = len(plain.rstrip("0").partition(".")[2])
        if plain.startswith("-"):
            says = f"{text} is negative. Use 0 or more."
        elif decimals > DECIMALS_MAX and plain.replace(".", "", 1).isdigit():
            says = f"{text} has {decimals} decimals. At most {DECIMALS_MAX} are kept; round it yourself."
        elif plain.replace(".", "", 1).isdigit():
            says = f"{text[:20]}... is too large."
        else:
            says = f"'{text}' is not a figure. Write it like 1,000,000 or 0.0000025."
        raise forms.ValidationError(says) from error


def typed(value: Decimal | str | None) -> str:
    """A figure as a field shows it: thousands separated, no trailing zeros; "" for none."""
    if value is None:
        return ""
    text = format_quantity(Decimal(value))
    whole, point, decimals = text.partition(".")
    return f"{int(whole):,}{point}{decimals}"


class CountryChoice(forms.CharField):
    """A country by its two letters; small ones are taken as capitals."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("help_text", "Two letters, like DE, FR or US.")
        super().__init__(max_length=2, **kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value).upper()
        if text and text not in COUNTRIES:
            raise forms.ValidationError(f"There is no country {text}. Use its ISO 3166 code, like DE.")
        return text


class FiltersField(forms.CharField):
    """Filters as lines of `property: value, value`."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault(
            "help_text", "One property a line, with the values that count: region: eu, uk. Empty for all."
        )
        super().__init__(required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 2}), **kwargs)

    def clean(self, value: Any) -> Any:
        found: dict[str, list[str]] = {}
        for line in super().clean(value).splitlines():
            if not line.strip():
                continue
            name, colon, values = line.partition(":")
            allowed = [one.strip() for one in values.split(",") if one.strip()]
            if not colon or not name.strip() or not allowed:
                raise forms.ValidationError("A line is a property, a colon and its values: region: eu, uk.")
            if name.strip() in found:
                raise forms.ValidationError(f"'{name.strip()}' has two lines; put its values in one.")
            found[name.strip()] = allowed
        return found


def filters_text(filters: dict[str, list[str]]) -> str:
    """Filters as the form shows them."""
    return "\n".join(f"{name}: {', '.join(values)}" for name, values in filters.items())
