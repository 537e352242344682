"""Why an amount is what it is, in the customer's words. Everything is read from the document; nothing is computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from billing.core.money import exponent
from billing.core.pricing import StepKind
from billing.invoices.documents.formatting import (
    format_figure,
    format_money,
    format_percent,
    format_period,
    format_quantity,
    format_unit_amount,
)
from billing.invoices.documents.snapshot import Line, Snapshot, Step
from billing.invoices.models import InvoiceLine
from valueverse.portal.words import say


@dataclass(frozen=True, slots=True)
class ExplainedStep:
    """One step: what, how much times what price, and its share of the line."""

    text: str
    sum: str
    amount: str


@dataclass(frozen=True, slots=True)
class ExplainedLine:
    """A line with its steps and the sentences around them. is_zero: the line costs nothing."""

    name: str
    period: str
    amount: str
    quantity: str
    is_zero: bool
    before: Sequence[str]
    steps: Sequence[ExplainedStep]
    after: Sequence[str]


def explained_lines(
    snapshot: Snapshot, rows: Mapping[str, InvoiceLine], *, language: str
) -> list[ExplainedLine]:
    """The lines of an issued invoice. rows: the stored lines by public id, which hold the working."""
    return [
        _Explainer(snapshot.currency, language).line(line, rows[line.id].working) for line in snapshot.lines
    ]


class _Explainer:
    """Puts one line into words, in one language and currency."""

    def __init__(self, currency: str, language: str) -> None:
        self.currency = currency
        self.language = language

    def line(self, line: Line, working: Mapping[str, object]) -> ExplainedLine:
        period = format_period(line.service_start_on, line.service_last_on, self.language)
        before = [self.say("why_price", version=working.get("price_version", ""), period=period)]
        if line.meter:
            before.append(self.say("why_meter", meter=line.meter))
        if line.kind == "late_usage":
            before.append(self.say("why_late"))
        if line.prorated_days is not None:
            key = "why_prorated_seconds" if line.prorated_unit == "second" else "why_prorated"
            before.append(self.say(key, days=line.prorated_days, of=line.prorated_of_days))
        before.extend(self._packages(line))
        steps = [
            self._step(line, step)
            for step in line.steps
            if step.quantity or step.amount_minor or len(line.steps) == 1
        ]
        return ExplainedLine(
            name=line.description,
            period=period,
            amount=format_figure(line.net_minor, self.currency, self.language),
            quantity=format_quantity(line.quantity, self.language) if line.meter else "",
            is_zero=line.net_minor == 0,
            before=before,
            steps=steps,
            after=[
                self._rounding(line, str(working.get("exact_amount", "")), len(steps)),
                *self._allowances(line),
            ],
        )

    def say(self, key: str, **values: object) -> str:
        return say(self.language, key, **values)

    def _rounding(self, line: Line, exact: str, steps: int) -> str:
        amount = format_money(line.gross_minor, self.currency, self.language)
        if exact and -Decimal(exact).as_tuple().exponent > exponent(self.currency):  # type: ignore[operator]
            shown = format_unit_amount(Decimal(exact), self.currency, self.language)
            return self.say("why_rounded", exact=shown, currency=self.currency, amount=amount)
        return self.say("why_exact", amount=amount) if steps > 1 else ""

    def _allowances(self, line: Line) -> list[str]:
        """What is taken off before tax, and what that leaves."""
        if not line.allowances:
            return []
        net = format_money(line.net_minor, self.currency, self.language)
        taken = [
            self.say(
                "why_less",
                reason=one.reason,
                amount=format_money(one.amount_minor, self.currency, self.language),
            )
            for one in line.allowances
        ]
        return [*taken, self.say("why_net", amount=net)]

    def _packages(self, line: Line) -> list[str]:
        free = next((step.free_units for step in line.steps if step.kind is StepKind.PACKAGE), None)
        if not any(step.kind is StepKind.PACKAGE for step in line.steps):
            return []
        used = format_quantity(line.quantity, self.language)
        if not free:
            return [self.say("why_package_used", used=used)]
        return [self.say("why_package_free", used=used, free=format_quantity(free, self.language))]

    def _step(self, line: Line, step: Step) -> ExplainedStep:
        amount = format_figure(step.amount_minor, self.currency, self.language)
        quantity = format_quantity(step.quantity, self.language)
        total = ""
        if step.kind is StepKind.PERCENTAGE and step.unit_amount is not None:
            total = self.say(
                "times", quantity=quantity, price=format_percent(step.unit_amount * 100, self.language)
            )
        elif step.unit_amount is not None and step.kind is not StepKind.ALREADY_BILLED:
            price = format_unit_amount(step.unit_amount, self.currency, self.language)
            total = self.say("times", quantity=quantity, price=f"{price} {self.currency}")
        if step.flat_amount and total:
            total += f" + {format_unit_amount(step.flat_amount, self.currency, self.language)}"
        return ExplainedStep(self._text(line, step, quantity), total, amount)

    def _text(self, line: Line, step: Step, quantity: str) -> str:
        tier = tier_words(step.from_quantity, step.up_to, language=self.language)
        if step.package_size is not None and step.kind is not StepKind.PACKAGE:
            size = format_quantity(step.package_size, self.language)
            return self.say("why_blocks", count=quantity, size=size, tier=tier)
        match step.kind:
            case StepKind.GRADUATED:
                if not step.from_quantity:
                    return self.say("why_graduated_first", quantity=quantity)
                start = format_quantity(step.from_quantity, self.language)
                return self.say("why_graduated_next", quantity=quantity, start=start)
            case StepKind.VOLUME:
                return self.say("why_volume", quantity=quantity, tier=tier)
            case StepKind.STAIRSTEP:
                used = format_quantity(line.quantity, self.language)
                return self.say("why_stairstep", quantity=used, tier=tier)
            case StepKind.PERCENTAGE:
                if step.free_units:
                    free = format_unit_amount(step.free_units, self.currency, self.language)
                    return self.say("why_percentage_free", free=free)
                return self.say("why_percentage", tier=tier)
            case StepKind.CAP | StepKind.DISCOUNT | StepKind.MINIMUM | StepKind.MAXIMUM:
                return self.say(f"why_{step.kind.value}")
            case StepKind.PACKAGE:
                size = format_quantity(step.package_size or Decimal(1), self.language)
                key = "why_package_one" if step.quantity == 1 else "why_package"
                return self.say(key, count=quantity, size=size)
            case StepKind.ALREADY_BILLED:
                return self.say("why_already")
            case StepKind.UNIT if step.from_quantity:
                start = format_quantity(step.from_quantity, self.language)
                return self.say("why_above", quantity=quantity, start=start)
            case StepKind.UNIT:
                return self.say("why_units", quantity=quantity)
            case StepKind.FLAT if step.up_to is not None:
                return self.say("why_includes", quantity=format_quantity(step.up_to, self.language))
            case StepKind.FLAT:
                return self.say("why_flat" if len(line.steps) == 1 else "why_flat_part")


def tier_words(start: Decimal | None, end: Decimal | None, *, language: str) -> str:
    """Where a tier lies: up to its end, above its start, or both."""
    first = format_quantity(start, language) if start else ""
    last = format_quantity(end, language) if end is not None else ""
    if first and last:
        return say(language, "tier_between", start=first, end=last)
    if first:
        return say(language, "tier_last", start=first)
    return say(language, "tier_first", end=last) if last else say(language, "tier_only")
