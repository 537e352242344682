"""The invoice as an ordered list of named steps: reading STEPS is reading the policy.

Pure: prices, quantities, periods and the tax treatment are handed in, lines with their working come back.
Preview, draft, billing run and "why this amount" call the same function. When a rule changes its meaning,
RULES_VERSION goes up and documents already issued keep the version they name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from billing.core.allowances import Allowance, AllowanceKind, allowances_minor
from billing.core.discounts import Coupon, CouponPolicy, CouponUse, DiscountLine, apply_coupons
from billing.core.errors import BillingError, InvalidInput, Kind, require_invariant
from billing.core.money import Rounding, round_shares, to_minor
from billing.core.periods import Period
from billing.core.pricing import Flat, PriceModel, Rated, Step, StepKind, definition_of, model_code, rate
from billing.core.pricing.rated import adjustment
from billing.core.proration import Share, prorate
from billing.core.quantity import EXACT, format_quantity
from billing.core.tax import TaxableLine, TaxCategory, TaxRounding, TaxSubtotal, TaxTreatment, summarize

RULES_VERSION = "1"
LINES_MAX = 10_000


class NegativeTotal(BillingError):
    """Corrections of late usage outweigh everything else: that is a credit note, not an invoice."""

    code = "negative_total"
    kind = Kind.CONFLICT


class ChargeKind(StrEnum):
    """recurring: a fee. usage: metered. late_usage: usage of a period that was already billed."""

    RECURRING = "recurring"
    USAGE = "usage"
    LATE_USAGE = "late_usage"


class Timing(StrEnum):
    """in_advance: service to come (deferred revenue). in_arrears: service delivered (unbilled receivable)."""

    IN_ADVANCE = "in_advance"
    IN_ARREARS = "in_arrears"


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """One line to be: what is charged, for which quantity and service period, at which price.

    quantity_before (late_usage only): the quantity already billed for the period; the line is the rounded
    price of both less the rounded price of that. share (recurring only): the part of the period that is
    charged, None for all of it. treatment: how this charge is taxed, None for the invoice's own.
    plan_code: the plan whose price it is, which coupons may be limited to.
    cutoff: usage received until then is in, received_after: but only what came after that (late usage). group: the
    values of the properties by which the meter parts its usage, a line each. corrects (late_usage
    only): public id of the invoice that billed the period last. unit_code: UN/ECE Recommendation 20.
    Raises InvalidInput if these do not fit together.
    """

    code: str
    description: str
    kind: ChargeKind
    model: PriceModel
    price_id: str
    price_version: str
    quantity: Decimal
    unit_code: str
    period: Period
    timing: Timing
    item_id: str
    quantity_before: Decimal | None = None
    share: Share | None = None
    meter_code: str | None = None
    cutoff: datetime | None = None
    received_after: datetime | None = None
    group: tuple[tuple[str, str | None], ...] = ()
    corrects: str | None = None
    treatment: TaxTreatment | None = None
    plan_code: str = ""

    def __post_init__(self) -> None:
        if (self.quantity_before is not None) != (self.kind is ChargeKind.LATE_USAGE):
            raise InvalidInput("late usage, and only it, names the quantity before", field="quantity_before")
        if self.share is not None and self.kind is not ChargeKind.RECURRING:
            raise InvalidInput("only a recurring fee is prorated", field="share")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLine(Charge):
    """A charge with its amount in minor units and its working (plain JSON, numbers as decimal strings).

    unit_amount: exact price per unit in major units if one price applies to the whole quantity, else None.
    gross_minor: what the working adds up to. amount_minor: net, the gross amount less the allowances.
    """

    gross_minor: int
    amount_minor: int
    unit_amount: Decimal | None
    working: dict[str, Any]
    allowances: tuple[Allowance, ...] = ()


@dataclass(frozen=True, slots=True)
class InvoiceInput:
    """Everything an invoice is computed from; one currency.

    treatment: of every charge without one of its own. coupons: what the customer redeemed, in that order.
    """

    currency: str
    charges: tuple[Charge, ...]
    treatment: TaxTreatment
    tax_rounding: TaxRounding = TaxRounding.DOCUMENT
    coupons: tuple[Coupon, ...] = ()
    coupon_policy: CouponPolicy = CouponPolicy.NARROW_FIRST

    def treatment_of(self, charge: Charge) -> TaxTreatment:
        """How a charge is taxed."""
        return charge.treatment or self.treatment


@dataclass(frozen=True, slots=True)
class InvoiceResult:
    """The computed invoice in minor units: lines in the order of the charges, VAT breakdown, totals."""

    lines: tuple[ResultLine, ...]
    taxes: tuple[TaxSubtotal, ...]
    subtotal_minor: int
    tax_minor: int
    total_minor: int
    coupons: tuple[CouponUse, ...] = ()

    def treatment_of(self, row: TaxSubtotal) -> TaxTreatment:
        """The treatment behind a row of the breakdown: that of its first line."""
        return next(
            line.treatment
            for line in self.lines
            if line.treatment is not None
            and (line.treatment.category, line.treatment.percent) == (row.category, row.percent)
        )


@dataclass(frozen=True, slots=True)
class LineDraft:
    """A line while it is computed: `rated` prices the whole quantity, `before` what was billed already."""

    charge: Charge
    rated: Rated | None = None
    before: Rated | None = None
    steps: tuple[Step, ...] = ()
    exact: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Working:
    """What one step hands to the next."""

    given: InvoiceInput
    drafts: tuple[LineDraft, ...]
    lines: tuple[ResultLine, ...] = ()
    taxes: tuple[TaxSubtotal, ...] = ()
    subtotal_minor: int = 0
    tax_minor: int = 0
    total_minor: int = 0
    coupons: tuple[CouponUse, ...] = ()


def rate_charges(working: Working) -> Working:
    """Price every charge exactly; late usage as the price of everything less what was billed before."""
    return replace(working, drafts=tuple(_rated(draft.charge) for draft in working.drafts))


def _rated(charge: Charge) -> LineDraft:
    if charge.quantity_before is None:
        rated = rate(charge.model, charge.quantity)
        return LineDraft(charge, rated, None, rated.steps, rated.amount)
    rated = rate(charge.model, EXACT.add(charge.quantity_before, charge.quantity))
    before = rate(charge.model, charge.quantity_before)
    return LineDraft(charge, rated, before, rated.steps, EXACT.subtract(rated.amount, before.amount))


def prorate_lines(working: Working) -> Working:
    """Take the share of the period from the lines that have one, step by step."""
    return replace(working, drafts=tuple(_prorated(draft) for draft in working.drafts))


def _prorated(draft: LineDraft) -> LineDraft:
    if draft.charge.share is None:
        return draft
    fraction = draft.charge.share.fraction
    steps = tuple(replace(step, amount=prorate(step.amount, fraction)) for step in draft.steps)
    return replace(draft, steps=steps, exact=prorate(draft.exact, fraction))


def round_lines(working: Working) -> Working:
    """Round each line once, half up, to minor units; the shares of its steps add up to it."""
    given = working.given
    lines = (
        _rounded(
            replace(draft, charge=replace(draft.charge, treatment=given.treatment_of(draft.charge))),
            given.currency,
        )
        for draft in working.drafts
    )
    return replace(working, lines=tuple(lines))


def _rounded(draft: LineDraft, currency: str) -> ResultLine:
    charge = draft.charge
    if draft.rated is None:
        raise ValueError("lines are rated before they are rounded")
    before_minor = 0
    if draft.before is not None:
        before_minor = to_minor(draft.before.amount, currency, Rounding.HALF_UP)
        whole_minor = to_minor(draft.rated.amount, currency, Rounding.HALF_UP)
    else:
        whole_minor = to_minor(draft.exact, currency, Rounding.HALF_UP)
    shares = round_shares([step.amount for step in draft.steps], whole_minor, currency)
    amount_minor = whole_minor - before_minor
    steps = [_step_json(step, share) for step, share in zip(draft.steps, shares, strict=True)]
    if draft.before is not None:
        billed = adjustment(StepKind.ALREADY_BILLED, "already billed", -draft.before.amount)
        billed = replace(billed, quantity=draft.before.quantity)
        steps.append(_step_json(billed, -before_minor))
    trace: dict[str, Any] = {
        "rules_version": RULES_VERSION,
        "price_id": charge.price_id,
        "price_version": charge.price_version,
        "model": model_code(charge.model),
        "definition": definition_of(charge.model),
        "quantity": format_quantity(charge.quantity),
        "quantity_before": _text(charge.quantity_before),
        "billed_quantity": format_quantity(draft.rated.billed_quantity),
        "steps": steps,
        "fraction": _share_json(charge.share),
        "exact_amount": format_quantity(draft.exact),
        "rounding": Rounding.HALF_UP.value,
        "amount_minor": amount_minor,
    }
    if charge.group:
        trace["group"] = {
            "values": dict(charge.group),
            "received_after": _instant(charge.received_after),
            "received_until": _instant(charge.cutoff),
        }
    if charge.corrects is not None:
        trace["corrects"] = charge.corrects
    own = {field.name: getattr(charge, field.name) for field in fields(charge)}
    return ResultLine(
        **own,
        gross_minor=amount_minor,
        amount_minor=amount_minor,
        unit_amount=_one_price(charge, draft.steps),
        working=trace,
    )


def _step_json(step: Step, amount_minor: int) -> dict[str, str | int | None]:
    return {
        "kind": step.kind.value,
        "label": step.label,
        "quantity": format_quantity(step.quantity),
        "unit_amount": _text(step.unit_amount),
        "flat_amount": _text(step.flat_amount),
        "from_quantity": _text(step.from_quantity),
        "up_to": _text(step.up_to),
        "block_size": _text(step.block_size),
        "amount": format_quantity(step.amount),
        "amount_minor": amount_minor,
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format_quantity(value)


def _instant(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def _share_json(share: Share | None) -> dict[str, int] | None:
    """`days` of `of`, or `seconds` of `of`, as the policy counts."""
    return None if share is None else {f"{share.unit}s": share.count, "of": share.of}


def _one_price(charge: Charge, steps: tuple[Step, ...]) -> Decimal | None:
    """The unit price if quantity x unit price is the line: no tiers, flat amounts, packages, shares of an
    amount, proration.
    """
    if charge.share is not None or charge.quantity_before is not None or len(steps) != 1:
        return None
    if isinstance(charge.model, Flat):
        return charge.model.amount if charge.quantity == 1 else None
    (only,) = steps
    if only.quantity != charge.quantity or only.flat_amount or only.block_size is not None:
        return None
    return None if only.kind is StepKind.PERCENTAGE else only.unit_amount


def take_off(line: ResultLine, allowance: Allowance) -> ResultLine:
    """The line with one more allowance."""
    return replace(
        line,
        allowances=(*line.allowances, allowance),
        amount_minor=line.amount_minor - allowance.amount_minor,
    )


def coupons(working: Working) -> Working:
    """Take the coupons off what the lines still charge, each line with its share as an allowance."""
    given = working.given
    seen = [DiscountLine(line.amount_minor, line.plan_code, line.meter_code or "") for line in working.lines]
    uses = apply_coupons(seen, given.coupons, given.currency, given.coupon_policy)
    lines = list(working.lines)
    for use in uses:
        for index, share in enumerate(use.shares_minor):
            if share:
                granted = Allowance(
                    kind=AllowanceKind.COUPON,
                    reference=use.coupon.reference,
                    label=use.coupon.label,
                    amount_minor=share,
                )
                lines[index] = take_off(lines[index], granted)
    return replace(working, lines=tuple(lines), coupons=uses)


def tax(working: Working) -> Working:
    """Tax the rounded lines: once per category and rate, on their sum, or line by line as the seller rounds.

    Raises InvalidInput if one category and rate would belong to two countries: they are two invoices.
    """
    taxable: list[TaxableLine] = []
    countries: dict[tuple[TaxCategory, Decimal], str] = {}
    for line in working.lines:
        treatment = working.given.treatment_of(line)
        key = (treatment.category, treatment.percent)
        if countries.setdefault(key, treatment.country) != treatment.country:
            raise InvalidInput("one rate of two countries on one invoice: bill them apart", field="charges")
        taxable.append(TaxableLine(line.amount_minor, *key))
    rows = summarize(taxable, working.given.currency, working.given.tax_rounding)
    return replace(working, taxes=rows)


def totals(working: Working) -> Working:
    """Add up. Raises NegativeTotal if corrections outweigh the charges."""
    subtotal_minor = sum(line.amount_minor for line in working.lines)
    if subtotal_minor < 0:
        raise NegativeTotal("the corrections outweigh the charges: issue a credit note", field="lines")
    tax_minor = sum(subtotal.tax_minor for subtotal in working.taxes)
    return replace(
        working, subtotal_minor=subtotal_minor, tax_minor=tax_minor, total_minor=subtotal_minor + tax_minor
    )


STEPS: tuple[tuple[str, Callable[[Working], Working]], ...] = (
    ("rate_charges", rate_charges),
    ("prorate", prorate_lines),
    ("round_lines", round_lines),
    ("coupons", coupons),
    ("tax", tax),
    ("totals", totals),
)


def calculate(given: InvoiceInput) -> InvoiceResult:
    """Compute the invoice by running STEPS in order. Amounts in minor units of the currency.

    Raises InvalidInput without charges or with more than 10,000; InvalidQuantity, InvalidMoney,
    NegativeTotal.
    Source: EN 16931 (line net amounts, VAT breakdown, document totals: BR-CO-10, BR-CO-14, BR-CO-15).
    """
    if not 1 <= len(given.charges) <= LINES_MAX:
        raise InvalidInput(f"an invoice has 1 to {LINES_MAX} charges", field="charges")
    working = Working(given, tuple(LineDraft(charge) for charge in given.charges))
    for _name, step in STEPS:
        working = step(working)
    _check(working)
    return InvoiceResult(
        working.lines,
        working.taxes,
        working.subtotal_minor,
        working.tax_minor,
        working.total_minor,
        working.coupons,
    )


def _check(working: Working) -> None:
    """The invariants, asserted on exit; the database checks them again on what is stored."""
    lines: tuple[Mapping[str, Any], ...] = tuple(line.working for line in working.lines)
    require_invariant(len(lines) == len(working.given.charges), "a charge was lost")
    require_invariant(
        all(sum(s["amount_minor"] for s in w["steps"]) == w["amount_minor"] for w in lines),
        "steps lost money",
    )
    require_invariant(
        all(
            line.gross_minor == line.working["amount_minor"]
            and line.gross_minor - allowances_minor(line.allowances) == line.amount_minor
            for line in working.lines
        ),
        "allowances lost money",
    )
    require_invariant(
        sum(line.amount_minor for line in working.lines) == working.subtotal_minor, "lines lost money"
    )
    require_invariant(
        sum(t.base_minor for t in working.taxes) == working.subtotal_minor, "the tax base is not the subtotal"
    )
    require_invariant(
        working.subtotal_minor + working.tax_minor == working.total_minor >= 0, "the totals do not add up"
    )
