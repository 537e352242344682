"""Filters of a list: each reads its own parameters of the address, says what it understood, and refuses the rest.

A filter never fails while the rows are read: what it cannot use is a `problem`, shown at the field, and the list
shows nothing until it is corrected, so that nobody takes the unfiltered list for the filtered one.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import BooleanField, Field, ForeignKey, Model, Q, QuerySet
from django.http import HttpRequest

from billing.core.currencies import EXPONENTS
from billing.platform import display

Option = tuple[str, str]
"""A value as the address has it, and how it reads."""

OPTIONS_MAX = 200
"""Most rows of another table that a filter offers."""


@dataclass(frozen=True, slots=True)
class Control:
    """One field of the filter form. options: what can be chosen; none for a text."""

    parameter: str
    label: str
    value: str = ""
    options: Sequence[Option] = ()
    problem: str = ""
    hint: str = ""


class ListFilter(admin.ListFilter):
    """A filter with parameters of its own. Subclasses set `title`, `parameters`, and understand their values."""

    title = ""
    parameters: tuple[str, ...] = ()

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: Any):
        super().__init__(request, params, model, model_admin)
        self.model = model
        self.problems: dict[str, str] = {}
        self.given: dict[str, str] = {}
        for name in self.parameters:
            texts = [text for text in params.pop(name, []) if text != ""]
            if len(texts) > 1:
                self.problems[name] = "Given more than once."
            if texts:
                self.given[name] = texts[0]
        for name, text in self.given.items():
            if "\x00" in text or len(text) > 1000:
                self.problems[name] = "This text cannot be searched for."
        if not self.problems:
            self.understand()

    def understand(self) -> None:
        """Read `given`; what is not understood goes to `problems`, by parameter."""

    def condition(self) -> Q:
        """What the rows have to fulfil."""
        raise NotImplementedError

    def controls(self) -> list[Control]:
        """The fields in the filter form."""
        raise NotImplementedError

    def in_words(self) -> str:
        """What is filtered, for the chip."""
        raise NotImplementedError

    # What Django's list asks of a filter
    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str | None]:
        return list(self.parameters)

    def choices(self, changelist: Any) -> Iterator[Any]:
        return iter(())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(self.condition()) if self.given and not self.problems else queryset


class ChoiceFilter(ListFilter):
    """One of several values of a column."""

    column = ""
    options: Sequence[Option] = ()

    def understand(self) -> None:
        text = self.given.get(self.parameters[0])
        if text is not None and text not in dict(self.options):
            known = ", ".join(value for value, _ in self.options[:12]) or "none yet"
            self.problems[self.parameters[0]] = f"“{text[:60]}” is not one of: {known}."

    def condition(self) -> Q:
        return Q(**{self.column: self.given[self.parameters[0]]})

    def controls(self) -> list[Control]:
        name = self.parameters[0]
        return [
            Control(name, self.title, self.given.get(name, ""), self.options, self.problems.get(name, ""))
        ]

    def in_words(self) -> str:
        text = self.given[self.parameters[0]]
        return f"{self.title}: {dict(self.options).get(text, text)}"


class TextFilter(ListFilter):
    """Rows whose column is exactly this text."""

    column = ""
    hint = ""

    def condition(self) -> Q:
        return Q(**{self.column: self.given[self.parameters[0]].strip()})

    def controls(self) -> list[Control]:
        name = self.parameters[0]
        value, problem = self.given.get(name, ""), self.problems.get(name, "")
        return [Control(name, self.title, value, problem=problem, hint=self.hint)]

    def in_words(self) -> str:
        return f"{self.title}: {self.given[self.parameters[0]]}"


class CurrencyFilter(TextFilter):
    """Rows in one currency."""

    title = "Currency"
    parameters = ("currency__exact",)
    column = "currency"
    hint = "Like EUR."

    def understand(self) -> None:
        name = self.parameters[0]
        if name in self.given:
            self.given[name] = self.given[name].strip().upper()
            if self.given[name] not in {row.code for row in EXPONENTS}:
                self.problems[name] = (
                    f"“{self.given[name][:20]}” is not a currency. Write its code, like EUR."
                )


class DateRange(ListFilter):
    """Days from and to, both inclusive."""

    column = ""

    def understand(self) -> None:
        self.days: dict[str, date] = {}
        for name, text in self.given.items():
            try:
                self.days[name] = datetime.strptime(text.strip(), "%Y-%m-%d").date()  # noqa: DTZ007  # a day
                if not 1900 <= self.days[name].year <= 2999:
                    raise ValueError("not a year of billing")
            except ValueError:
                self.problems[name] = f"“{text[:40]}” is not a day. Write it like 2023-12-31."
        if len(self.days) == 2 and self.days[self.parameters[0]] > self.days[self.parameters[1]]:
            self.problems[self.parameters[1]] = "Ends before it starts."

    def condition(self) -> Q:
        return Q(**self.days)

    def controls(self) -> list[Control]:
        labels = (f"{self.title} from", f"{self.title} to")
        return [
            Control(
                name, label, self.given.get(name, ""), (), self.problems.get(name, ""), "Like 2023-12-31."
            )
            for name, label in zip(self.parameters, labels, strict=True)
        ]

    def in_words(self) -> str:
        first, last = (self.days.get(name) for name in self.parameters)
        if first and last:
            return f"{self.title} {display.days(first, last)}"
        return f"{self.title} from {first}" if first else f"{self.title} to {last}"


class InstantRange(DateRange):
    """Days in UTC from and to, both inclusive, over a column of instants."""

    def condition(self) -> Q:
        found = Q()
        for name, day in self.days.items():
            midnight = datetime.combine(day, time.min, UTC)
            if name == self.parameters[0]:
                found &= Q(**{f"{self.column}__gte": midnight})
            else:
                found &= Q(**{f"{self.column}__lt": midnight + timedelta(days=1)})
        return found


_BY_PLACES: dict[int, list[str]] = {}
for _row in EXPONENTS:
    _BY_PLACES.setdefault(_row.exponent, []).append(_row.code)


class AmountRange(ListFilter):
    """Amounts from and to, both inclusive, in major units of whatever currency a row has."""

    column = ""
    currency_column = "currency"

    def understand(self) -> None:
        self.amounts: dict[str, tuple[int, int]] = {}
        for name, text in self.given.items():
            try:
                self.amounts[name] = read_amount(text)
            except ValueError as error:
                self.problems[name] = str(error)
        if len(self.amounts) == 2 and _larger(*(self.amounts[name] for name in self.parameters)):
            self.problems[self.parameters[1]] = "Less than the smallest amount."

    def condition(self) -> Q:
        found = Q(pk__in=[])
        for places, codes in _BY_PLACES.items():
            part = Q(**{f"{self.currency_column}__in": codes})
            for name, (digits, decimals) in self.amounts.items():
                is_least = name == self.parameters[0]
                scaled, rest = divmod(digits * 10**places, 10**decimals)
                minor = scaled + 1 if rest and is_least else scaled
                part &= Q(**{f"{self.column}__{'gte' if is_least else 'lte'}": minor})
            found |= part
        return found

    def controls(self) -> list[Control]:
        labels = (f"{self.title} from", f"{self.title} to")
        return [
            Control(name, label, self.given.get(name, ""), (), self.problems.get(name, ""), self._echo(name))
            for name, label in zip(self.parameters, labels, strict=True)
        ]

    def _echo(self, name: str) -> str:
        return f"= {_written(self.amounts[name])}" if name in self.amounts else "Like 1234.56."

    def in_words(self) -> str:
        least, most = (
            _written(self.amounts[name]) if name in self.amounts else "" for name in self.parameters
        )
        if least and most:
            return f"{self.title} {least} to {most}"
        return f"{self.title} from {least}" if least else f"{self.title} up to {most}"


def read_amount(text: str) -> tuple[int, int]:
    """An amount as digits and how many of them are decimals; grouped as the format that holds here, or not at all.

    Raises ValueError, in words for the person, for anything that could be misread.

    >>> read_amount("1,234.50"), read_amount("-7")
    ((123450, 2), (-7, 0))
    """
    thousands, point = display.SEPARATORS[display.current_format()]
    plain = re.sub(r"[\u202f\u00a0]", " ", text.strip().replace(display.MINUS, "-").replace("\u2019", "'"))
    between = {"\u202f": " ", "\u2019": "'"}.get(thousands, thousands)
    group, dot = re.escape(between), re.escape(point)
    own = rf"(-?)([0-9]{{1,3}}(?:{group}[0-9]{{3}})+|[0-9]+)(?:{dot}([0-9]{{1,4}}))?"
    found = re.fullmatch(own, plain) or re.fullmatch(r"(-?)([0-9]+)(?:\.([0-9]{1,4}))?", plain)
    if found is None:
        raise ValueError(f"“{text[:40]}” is not an amount. Write it like 1234{point}56.")
    sign, whole, decimals = found[1], found[2], found[3] or ""
    if len(decimals) == 3 and len(whole) <= 3:
        raise ValueError(f"“{text[:40]}” can be read in two ways. Write it like 1234{point}56.")
    digits = whole.replace(between, "") + decimals
    if len(digits) > 18:
        raise ValueError("An amount has at most 18 digits.")
    return int(sign + digits), len(decimals)


def _larger(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return bool(one[0] * 10 ** other[1] > other[0] * 10 ** one[1])


def _written(amount: tuple[int, int]) -> str:
    digits, decimals = amount
    text = str(abs(digits)).rjust(decimals + 1, "0")
    whole, rest = (text[:-decimals], text[-decimals:]) if decimals else (text, "")
    return display.separated(display.MINUS if digits < 0 else "", whole, rest)


LOOKUPS = {
    "exact": "",
    "gte": "from",
    "gt": "after",
    "lte": "to",
    "lt": "before",
    "in": "one of",
    "isnull": "none",
}


class LinkedFilter(ListFilter):
    """A condition on a column that a link from another page set: `received_on__gte=2023-12-01`, `meter__id__exact=3`.

    Made for what no declared filter of the list reads; a chip shows it, and it can be removed.
    """

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: Any, *, name: str
    ):
        self.parameters = (name,)
        self.title = name
        super().__init__(request, params, model, model_admin)

    def understand(self) -> None:
        (name,) = self.parameters
        path, _, lookup = name.rpartition("__")
        if lookup not in LOOKUPS:
            path, lookup = name, "exact"
        field = _column(self.model, path)
        if field is None:
            self.problems[name] = "This list has no such filter."
            return
        self.field, self.path, self.lookup = field, path, lookup
        self.title = str(field.verbose_name)
        text = self.given.get(name, "")
        try:
            self.value = self._read(text)
        except (ValidationError, LookupError, ValueError, OverflowError, TypeError):
            self.problems[name] = f"“{text[:60]}” cannot be compared with {self.title}."

    def _read(self, text: str) -> Any:
        if self.lookup == "isnull":
            return {"1": True, "true": True, "0": False, "false": False}[text.lower()] if text else True
        if self.lookup == "in":
            return [self._one(part) for part in text.split(",")[:100]]
        return self._one(text)

    def _one(self, text: str) -> Any:
        field = self.field.target_field if isinstance(self.field, ForeignKey) else self.field
        value = field.to_python(text)
        field.run_validators(value)
        if value is None:
            raise ValueError("nothing to compare with")
        return value

    def condition(self) -> Q:
        return Q(**{f"{self.path}__{self.lookup}": self.value})

    def controls(self) -> list[Control]:
        return []

    def in_words(self) -> str:
        text = self.given[self.parameters[0]]
        if isinstance(self.field, ForeignKey) and self.lookup == "exact":
            row = self.field.related_model._default_manager.filter(pk=self.value).first()
            text = str(row) if row is not None else text
        elif getattr(self.field, "choices", None):
            text = str(dict(self.field.flatchoices).get(self.value, text))
        elif self.lookup == "in":
            text = ", ".join(display.word_of(part) for part in text.split(","))
        how = LOOKUPS[self.lookup]
        return f"{self.title.capitalize()}: {how + ' ' if how else ''}{text}"


def _column(model: type[Model], path: str) -> Field[Any, Any] | None:
    """A column of the row itself; of a relation only its key."""
    name = path.removesuffix("__id").removesuffix("__pk")
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    if not isinstance(field, Field) or (name != path and not isinstance(field, ForeignKey)):
        return None
    return field if field.concrete and not field.many_to_many else None


def choices(column: str, title: str, options: Sequence[Option], *, parameter: str = "") -> type[ChoiceFilter]:
    """A filter by one of several values of a column."""
    made = {
        "column": column,
        "title": title,
        "options": options,
        "parameters": (parameter or f"{column}__exact",),
    }
    return type("ChoiceFilter", (ChoiceFilter,), made)


def states(values: Any, *, column: str = "status", title: str = "State") -> type[ChoiceFilter]:
    """A filter by a state, in the words that the list shows."""
    return choices(column, title, [(str(value), display.word_of(str(value))) for value in values])


def text_is(column: str, title: str, hint: str = "") -> type[TextFilter]:
    """A filter by the exact text of a column."""
    made = {"column": column, "title": title, "hint": hint, "parameters": (f"{column}__exact",)}
    return type("TextFilter", (TextFilter,), made)


def date_range(column: str, title: str) -> type[DateRange]:
    """A filter by a day."""
    parameters = (f"{column}__gte", f"{column}__lte")
    return type("DateRange", (DateRange,), {"column": column, "title": title, "parameters": parameters})


def instant_range(column: str, title: str) -> type[InstantRange]:
    """A filter by the day, in UTC, of an instant."""
    parameters = (f"{column}_from", f"{column}_to")
    return type("InstantRange", (InstantRange,), {"column": column, "title": title, "parameters": parameters})


def amount_range(column: str, title: str, parameter: str) -> type[AmountRange]:
    """A filter by an amount in minor units; parameters `<parameter>_min` and `<parameter>_max`."""
    parameters = (f"{parameter}_min", f"{parameter}_max")
    return type("AmountRange", (AmountRange,), {"column": column, "title": title, "parameters": parameters})


def of_field(model: type[Model], path: str) -> type[ListFilter]:
    """The filter for a column that a list names: by its choices, yes or no, the rows it refers to, or its text."""
    field: Any = model
    for part in path.split("__"):
        field = field._meta.get_field(part)
        if part != path.rpartition("__")[2]:
            field = field.related_model
    title = str(field.verbose_name).capitalize()
    if field.choices:
        options = [(str(value), str(name)) for value, name in field.flatchoices]
        return choices(path, title, options)
    if isinstance(field, BooleanField):
        return choices(path, title, [("1", "Yes"), ("0", "No")])
    if isinstance(field, ForeignKey):
        made = {
            "column": path,
            "title": title,
            "to": field.related_model,
            "parameters": (f"{path}__id__exact",),
        }
        return type("RelatedFilter", (RelatedFilter,), made)
    return text_is(path, title)


def filter_of(model: type[Model], declared: Any) -> type[ListFilter]:
    """The filter that a list declares: one of ours, one in Django's way, or a column's name."""
    if isinstance(declared, type) and issubclass(declared, ListFilter):
        return declared
    if isinstance(declared, type) and issubclass(declared, admin.SimpleListFilter):
        made = {"simple": declared, "title": str(declared.title).capitalize()}
        return type("AdoptedFilter", (AdoptedFilter,), {**made, "parameters": (declared.parameter_name,)})
    return of_field(model, declared if isinstance(declared, str) else declared[0])


class AdoptedFilter(ChoiceFilter):
    """A filter written in Django's way: its lookups are the options, its queryset the condition."""

    simple: type[admin.SimpleListFilter]

    def __init__(self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: Any):
        self.adopted = self.simple(request, dict(params), model, model_admin)
        self.options = [(str(value), str(word)) for value, word in self.adopted.lookup_choices]
        super().__init__(request, params, model, model_admin)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.given or self.problems:
            return queryset
        found: QuerySet[Any] | None = self.adopted.queryset(request, queryset)
        return queryset if found is None else found


class RelatedFilter(ChoiceFilter):
    """One of the rows that a column refers to; beyond `OPTIONS_MAX` of them, by link only."""

    to: type[Model]

    def understand(self) -> None:
        named = [one.name for one in self.to._meta.fields if isinstance(one, ForeignKey) and not one.null]
        rows = list(self.to._default_manager.select_related(*named).order_by("pk")[:OPTIONS_MAX])
        self.options = [(str(row.pk), str(row)) for row in rows]
        text = self.given.get(self.parameters[0], "")
        if len(rows) == OPTIONS_MAX and text.isascii() and text.isdigit() and len(text) < 18:
            return
        super().understand()
