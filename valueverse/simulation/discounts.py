"""Kind `discount`: coupons over the lines of an invoice, or a discount spread over them."""

from collections.abc import Sequence
from typing import Any

from billing.core.discounts import (
    Coupon,
    CouponPolicy,
    CouponUse,
    DiscountLine,
    Duration,
    apply_coupons,
    spread,
)
from billing.core.errors import InvalidInput
from billing.core.money import Rounding, format_major, parse_major, to_major, to_minor
from valueverse.simulation.reading import Fields, shown


def answer(case: Fields) -> dict[str, Any]:
    """What the coupons of such a case take off, how it is spread and what is left of them. Raises InvalidInput."""
    currency = case.text("currency")
    policy = policy_of(case)
    names, lines = _lines(case, currency)
    if case.has("discount"):
        return _spread(case, lines, currency, policy)
    coupons = [_coupon(row, index, currency) for index, row in enumerate(case.parts("coupons"))]
    uses = apply_coupons(lines, coupons, currency, policy)
    off = sum(use.amount_minor for use in uses)
    shares = [sum(use.shares_minor[index] for use in uses) for index in range(len(lines))]
    amounts = [line.amount_minor for line in lines]
    after = {use.coupon.reference: use for use in uses}
    return {
        "coupons": _shown(off, currency),
        "discount": _shown(off, currency),
        "subtotal": _shown(sum(amounts) - off, currency),
        "coupons_used": len(uses),
        "spread": {name: _shown(share, currency) for name, share in zip(names, shares, strict=True)},
        "taxable": _taxable(amounts, shares, currency),
        "coupon_ended": bool(coupons) and all(_ended(one, after) for one in coupons),
        **_periods_left(coupons, after),
    }


def policy_of(case: Fields) -> CouponPolicy:
    """Which order the case's source applies."""
    is_percent_first = case.text("source", "").startswith("meteroid")
    return CouponPolicy.PERCENT_FIRST if is_percent_first else CouponPolicy.NARROW_FIRST


def _lines(case: Fields, currency: str) -> tuple[list[str], list[DiscountLine]]:
    """The case's lines with their names: objects, amounts alone, or a subtotal as one line."""
    rows = case.data.get("lines")
    if rows is None:
        rows = [case.text("subtotal")]
    if not isinstance(rows, Sequence) or isinstance(rows, str):
        raise InvalidInput("must be a list", field="lines")
    names, lines = [], []
    for index, row in enumerate(rows):
        line = Fields(row if not isinstance(row, str) else {"amount": row}, f"lines[{index}]")
        names.append(line.text("id", str(index + 1)))
        minor = to_minor(line.number("amount"), currency, Rounding.HALF_UP)
        lines.append(DiscountLine(minor, line.text("plan", ""), line.text("meter", "")))
    return names, lines


def _coupon(row: Fields, index: int, currency: str) -> Coupon:
    duration = _duration(row)
    own = row.text("currency", currency)
    periods = row.whole("periods_left", row.whole("periods", 1)) if duration is Duration.REPEATING else None
    is_amount = row.has("amount")
    used = parse_major(row.text("already_used", "0"), own) if is_amount and duration is Duration.ONCE else 0
    return Coupon(
        reference=str(index),
        label=row.text("code", f"coupon {index + 1}"),
        duration=duration,
        amount_minor=parse_major(row.text("amount"), own) if is_amount else None,
        currency=own if is_amount else "",
        percent=None if is_amount else row.number("percent"),
        plans=frozenset(row.data.get("applies_to_plans") or ()),
        meters=frozenset(row.data.get("applies_to_meters") or ()),
        periods_left=periods,
        used_minor=used,
    )


def _duration(row: Fields) -> Duration:
    name = row.text("duration", "once")
    if name not in list(Duration):
        raise InvalidInput(f"must be one of {', '.join(Duration)}", field=f"{row.place}.duration")
    return Duration(name)


def _spread(
    case: Fields, lines: Sequence[DiscountLine], currency: str, policy: CouponPolicy
) -> dict[str, Any]:
    amounts = [line.amount_minor for line in lines]
    discount = min(to_minor(case.number("discount"), currency, Rounding.HALF_UP), sum(amounts))
    shares = spread(discount, amounts, currency, policy)
    return {"discount": _shown(discount, currency), "taxable": _taxable(amounts, shares, currency)}


def _taxable(amounts: Sequence[int], shares: Sequence[int], currency: str) -> list[str]:
    return [format_major(amount - share, currency) for amount, share in zip(amounts, shares, strict=True)]


def _ended(coupon: Coupon, after: dict[str, CouponUse]) -> bool:
    use = after.get(coupon.reference)
    return coupon.is_ended if use is None else use.is_ended


def _periods_left(coupons: Sequence[Coupon], after: dict[str, CouponUse]) -> dict[str, int]:
    """Of the repeating coupon, if there is one."""
    for coupon in coupons:
        if coupon.periods_left is not None:
            use = after.get(coupon.reference)
            left = coupon.periods_left if use is None else use.after.periods_left
            return {"periods_left": left or 0}
    return {}


def _shown(minor: int, currency: str) -> str:
    return shown(to_major(minor, currency))
