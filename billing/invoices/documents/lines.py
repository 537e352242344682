"""The printed line table: every line as one row, or as a heading and one row per price step.

Rows hold ready-made text. Where a line has several steps its heading carries no amount, so that the amounts of the
column add up to the net total and every row's quantity times unit price is the amount beside it.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple, TypedDict

from billing.core.money import Rounding, to_minor
from billing.core.pricing import StepKind
from billing.invoices.documents.formatting import (
    EN_DASH,
    decimals_of,
    format_figure,
    format_money,
    format_percent,
    format_period,
    format_quantity,
    format_unit_amount,
)
from billing.invoices.documents.snapshot import Line, Snapshot, Step
from billing.invoices.documents.text import wrapping
from billing.invoices.documents.wording import words

CLOSING_ROWS = 2  # rows with an amount that stand on the page of the totals
KEEP_TOGETHER_ROWS_MAX = 6  # a group of this many rows or fewer never breaks over pages
NOT_TAXED = frozenset({"O"})
FIXED = frozenset({StepKind.FLAT, StepKind.STAIRSTEP})
AMOUNT_ONLY = frozenset({StepKind.CAP, StepKind.DISCOUNT, StepKind.MINIMUM, StepKind.MAXIMUM})


class Row(TypedDict):
    """One printed row; `carried` is the sum of all amounts down to and including this row."""

    text: str
    details: list[str]
    quantity: str
    price: str
    tax: str
    net: str
    carried: str


class Group(TypedDict):
    """The rows of one line, or a heading or subtotal (then `position` is empty)."""

    kind: str  # line | heading | subtotal
    position: str
    rows: list[Row]
    keep: bool


def line_groups(snapshot: Snapshot) -> list[Group]:
    """All groups of the document in order, with headings and subtotals if several subscriptions share it."""
    writer = _Writer(snapshot)
    names = {line.subscription for line in snapshot.lines}
    groups: list[Group] = []
    for name, members in groupby(snapshot.lines, key=lambda line: line.subscription):
        lines = list(members)
        if len(names) > 1 and name:
            groups.append(writer.heading(name))
        groups.extend(writer.group(line) for line in lines)
        if len(names) > 1 and name:
            groups.append(writer.subtotal(name, sum(line.net_minor for line in lines)))
    return groups


def row_spans(groups: Sequence[Group]) -> list[int]:
    """How many rows, from each row on, stay on one page; 0 inside such a span.

    A heading stays with the row below it, a subtotal with the row above it. The last span is kept with the totals and
    holds the last two rows that have an amount.
    """
    kinds = [group["kind"] for group in groups for _ in group["rows"]]
    priced = [index for index, kind in enumerate(kinds) if kind == "line"]
    closing = priced[-min(CLOSING_ROWS, len(priced))] if priced else 0
    starts = [
        index
        for index in range(closing + 1)
        if index == 0 or not (kinds[index - 1] == "heading" or kinds[index] == "subtotal")
    ]
    ends = [*starts[1:], len(kinds)]
    spans = [0] * len(kinds)
    for start, end in zip(starts, ends, strict=True):
        spans[start] = end - start
    return spans


def tax_label(category: str, percent: Decimal, language: str) -> str:
    """The rate of a line or tax row; an en dash where VAT does not apply."""
    return EN_DASH if category in NOT_TAXED else format_percent(percent, language)


class _Writer:
    """Turns lines into rows in one language and currency, and keeps the running sum."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.currency = snapshot.currency
        self.language = snapshot.language
        self.words = words(snapshot.language)
        self.sum_minor = 0

    def group(self, line: Line) -> Group:
        steps = [
            part for step in line.steps if step.quantity or step.amount_minor for part in self._parts(step)
        ]
        if len(steps) > 1:
            altogether = self.words["altogether"].format(
                quantity=format_quantity(line.quantity, self.language),
                amount=format_money(line.gross_minor, self.currency, self.language),
            )
            head = self._row(text=line.description, details=[*self._details(line), altogether])
            rows = [head, *(self._step_row(line, step) for step in steps)]
        elif steps:
            rows = [self._single_row(line, steps[0])]
        else:
            rows = [self._plain_row(line)]
        rows.extend(self._allowance_rows(line))
        keep = len(rows) <= KEEP_TOGETHER_ROWS_MAX
        return Group(kind="line", position=str(line.position), rows=rows, keep=keep)

    def _allowance_rows(self, line: Line) -> list[Row]:
        """What is taken off, each with its reason; the last says what is left of the line."""
        net = format_money(line.net_minor, self.currency, self.language)
        rows, last = [], len(line.allowances) - 1
        for index, one in enumerate(line.allowances):
            text = self.words["less" if index < last else "less_leaves"].format(reason=one.reason, amount=net)
            rows.append(self._priced_row(line, _Charge(None, None, -one.amount_minor), text=text))
        return rows

    def heading(self, name: str) -> Group:
        return Group(kind="heading", position="", rows=[self._row(text=name)], keep=True)

    def subtotal(self, name: str, net_minor: int) -> Group:
        text = self.words["subtotal_of"].format(name=name)
        net = format_figure(net_minor, self.currency, self.language)
        return Group(kind="subtotal", position="", rows=[self._row(text=text, net=net)], keep=True)

    def _parts(self, step: Step) -> Sequence[Step]:
        """A tier with a fixed amount prints as two rows: its units, and the fixed amount."""
        if not step.flat_amount or step.kind in FIXED:
            return (step,)
        flat_minor = to_minor(step.flat_amount, self.currency, Rounding.HALF_UP)
        units = replace(step, amount_minor=step.amount_minor - flat_minor, flat_amount=None)
        flat = Step(
            kind=StepKind.FLAT, amount_minor=flat_minor, quantity=Decimal(1), flat_amount=step.flat_amount
        )
        return (units, flat) if units.amount_minor or units.unit_amount else (flat,)

    def _row(self, *, text: str, details: Sequence[str] = (), net: str = "") -> Row:
        return Row(
            text=wrapping(text),
            details=[wrapping(detail) for detail in details if detail],
            quantity="",
            price="",
            tax="",
            net=net,
            carried=format_figure(self.sum_minor, self.currency, self.language),
        )

    def _priced_row(self, line: Line, charge: "_Charge", *, text: str, details: Sequence[str] = ()) -> Row:
        """A row with figures; the unit prices of one line share their number of decimals."""
        self.sum_minor += charge.net_minor
        row = self._row(
            text=text, details=details, net=format_figure(charge.net_minor, self.currency, self.language)
        )
        row["quantity"] = (
            EN_DASH if charge.quantity is None else format_quantity(charge.quantity, self.language)
        )
        row["price"] = EN_DASH
        if charge.price is not None:
            prices = [step.unit_amount for step in line.steps if step.unit_amount is not None]
            decimals = max(map(decimals_of, prices), default=0) if charge.price in prices else 0
            row["price"] = format_unit_amount(charge.price, self.currency, self.language, decimals=decimals)
        row["tax"] = tax_label(line.tax_category, line.tax_percent, self.language)
        return row

    def _plain_row(self, line: Line) -> Row:
        charge = _Charge(line.quantity, line.unit_amount, line.gross_minor)
        return self._priced_row(line, charge, text=line.description, details=self._details(line))

    def _single_row(self, line: Line, step: Step) -> Row:
        details = [*self._details(line), *self._step_texts(line, step)]
        return self._priced_row(line, _charge(step), text=line.description, details=details)

    def _step_row(self, line: Line, step: Step) -> Row:
        text, *details = self._step_texts(line, step) or [line.description]
        return self._priced_row(line, _charge(step), text=text, details=details)

    def _details(self, line: Line) -> list[str]:
        """Period, meter and what else explains the line, printed in grey under its description."""
        parts = [format_period(line.service_start_on, line.service_last_on, self.language)]
        if line.meter:
            parts.append(self.words["meter"].format(meter=line.meter))
        details = [", ".join(parts)]
        if line.kind == "late_usage":
            details.append(self.words["late_usage"])
        if line.prorated_days is not None and line.prorated_of_days is not None:
            key = "prorated_seconds" if line.prorated_unit == "second" else "prorated"
            details.append(self.words[key].format(days=line.prorated_days, of=line.prorated_of_days))
        return details

    def _step_texts(self, line: Line, step: Step) -> list[str]:
        """How the step's amount came about, if the figures alone do not say it."""
        match step.kind:
            case StepKind.GRADUATED | StepKind.VOLUME:
                tier = self.words[step.kind.value].format(tier=self._tier(step))
                return [tier, *self._blocks(step)]
            case StepKind.STAIRSTEP:
                used = self.words["used"].format(used=format_quantity(line.quantity, self.language))
                return [self.words["stairstep"].format(tier=self._tier(step)), used]
            case StepKind.PERCENTAGE:
                return self._percentage(step)
            case StepKind.CAP | StepKind.DISCOUNT | StepKind.MINIMUM | StepKind.MAXIMUM:
                return [self.words[step.kind.value]]
            case StepKind.PACKAGE:
                return self._packages(line, step)
            case StepKind.FLAT if step.up_to is not None:
                return [self.words["includes"].format(quantity=format_quantity(step.up_to, self.language))]
            case StepKind.FLAT:
                return [self.words["flat_part"]] if step not in line.steps else []
            case StepKind.ALREADY_BILLED:
                return [self.words["already_billed"]]
            case StepKind.UNIT if step.from_quantity:
                return [self._tier(step)]
            case StepKind.UNIT:
                return []

    def _tier(self, step: Step) -> str:
        start = format_quantity(step.from_quantity, self.language) if step.from_quantity else ""
        end = format_quantity(step.up_to, self.language) if step.up_to is not None else ""
        match bool(start), bool(end):
            case True, True:
                key = "tier_between"
            case True, False:
                key = "tier_last"
            case False, True:
                key = "tier_first"
            case _:
                key = "tier_only"
        return self.words[key].format(start=start, end=end)

    def _blocks(self, step: Step) -> list[str]:
        if step.package_size is None:
            return []
        size = format_quantity(step.package_size, self.language)
        return [self.words["blocks"].format(count=format_quantity(step.quantity, self.language), size=size)]

    def _percentage(self, step: Step) -> list[str]:
        percent = format_percent((step.unit_amount or Decimal(0)) * 100, self.language)
        if step.free_units:
            free = format_unit_amount(step.free_units, self.currency, self.language)
            return [self.words["percentage_free"].format(percent=percent, free=free)]
        tiered = step.up_to is not None or bool(step.from_quantity)
        key = "percentage_tier" if tiered else "percentage"
        return [self.words[key].format(percent=percent, tier=self._tier(step) if tiered else "")]

    def _packages(self, line: Line, step: Step) -> list[str]:
        packages = self.words["package" if step.quantity == 1 else "packages"].format(
            count=format_quantity(step.quantity, self.language),
            size=format_quantity(step.package_size or Decimal(1), self.language),
        )
        used = self.words["used_free" if step.free_units else "used"].format(
            used=format_quantity(line.quantity, self.language),
            free=format_quantity(step.free_units or Decimal(0), self.language),
        )
        return [packages, used]


class _Charge(NamedTuple):
    """The figures of one row: `quantity` times `price` is the amount, unless no price applies to the whole.

    No quantity where only the amount moves: a discount, a minimum.
    """

    quantity: Decimal | None
    price: Decimal | None
    net_minor: int


def _charge(step: Step) -> _Charge:
    if step.kind in AMOUNT_ONLY:
        return _Charge(None, None, step.amount_minor)
    if step.kind is StepKind.PERCENTAGE:
        return _Charge(step.quantity, None, step.amount_minor)
    price = step.flat_amount if step.kind in FIXED and step.flat_amount is not None else step.unit_amount
    return _Charge(step.quantity, price, step.amount_minor)
