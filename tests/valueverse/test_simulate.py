"""`manage.py simulate`: published figures, a seller's own, and cases that are wrong."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

PUBLISHED = Path(__file__).parents[1] / "golden/cases/published.jsonl"
PRICE = {
    "model": "volume",
    "tiers": [{"up_to": "100", "unit_price": "2"}, {"up_to": None, "unit_price": "1.5"}],
}
STUB = {"kind": "proration", "interval": "month", "start": "2023-11-01", "target_date": "2023-11-01"}
CASE: dict[str, Any] = {"id": "own", "source": "own", "kind": "rating", "price": PRICE, "units": "150"}


def simulate(tmp_path: Path, *cases: object, check: bool = False) -> tuple[list[dict[str, Any]], str]:
    """The answers to cases, and what was said on standard error."""
    file, output, said = tmp_path / "cases.jsonl", tmp_path / "answers.jsonl", io.StringIO()
    file.write_text("\n".join(case if isinstance(case, str) else json.dumps(case) for case in cases))
    call_command("simulate", str(file), output=output.open("w"), check=check, stderr=said)
    return [json.loads(line) for line in output.read_text().splitlines()], said.getvalue()


def test_published_figures_hold(tmp_path: Path) -> None:
    cases = PUBLISHED.read_text().splitlines()
    answers, said = simulate(tmp_path, *cases, check=True)
    assert len(answers) == len(cases) > 100
    assert f"{len(cases)} of {len(cases)} pass" in said


def test_own_price_list_that_no_longer_holds_is_a_finding(tmp_path: Path) -> None:
    answers, _ = simulate(tmp_path, CASE | {"expect": {"amount": "225.00", "unit_amount": "1.5"}}, check=True)
    assert answers[0]["result"]["amount"] == "225"
    said = io.StringIO()
    file = tmp_path / "wrong.jsonl"
    file.write_text(json.dumps(CASE | {"expect": {"amount": "226"}}))
    with pytest.raises(SystemExit) as ended:
        call_command("simulate", str(file), output=io.StringIO(), check=True, stderr=said)
    assert ended.value.code == 3
    assert "own: result.amount: '225' where '226' was expected" in said.getvalue()


def test_expected_fields_are_never_read_to_answer(tmp_path: Path) -> None:
    with_it, _ = simulate(tmp_path, CASE | {"expect": {"amount": "1"}})
    without, _ = simulate(tmp_path, CASE)
    assert with_it == without


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"units": "many"}, "units"),
        ({"units": 1.5}, "units"),
        ({"units": "-1"}, "quantity"),
        ({"price": "free"}, "price"),
        ({"price": {"model": "volume", "tiers": "x"}}, "price.tiers"),
        ({"price": {"model": "auction"}}, "price.model"),
        ({"price": {**PRICE, "tiers": [{"up_to": "9", "unit_price": "2"}] * 3}}, "tiers[1].up_to"),
        ({"kind": 7}, "kind"),
        (
            {
                "kind": "proration",
                "interval": "fortnight",
                "start": "2023-11-01",
                "target_date": "2023-11-01",
            },
            "interval",
        ),
        ({"kind": "proration", "interval": "month", "start": "soon", "target_date": "2023-11-01"}, "start"),
        (
            {"kind": "proration", "interval": "month", "start": "2023-11-02", "target_date": "2023-11-01"},
            "target_date",
        ),
        (
            {"kind": "billing_dates", "interval": "month", "anchor_day": 32, "start": "2023-11-02"},
            "anchor_day",
        ),
        ({"kind": "rounding", "currency": "XXY", "value": "1"}, "currency"),
        ({"kind": "tax", "currency": "EUR", "lines": "none"}, "lines"),
        ({"kind": "discount", "currency": "EUR", "lines": "none"}, "lines"),
        (
            {"kind": "discount", "currency": "EUR", "subtotal": "9", "coupons": [{"duration": "weekly"}]},
            "coupons[0].duration",
        ),
    ],
)
def test_wrong_case_is_answered_with_the_field_that_is_wrong(
    tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    (answer,), _ = simulate(tmp_path, CASE | changes)
    assert answer["id"] == "own"
    assert field in answer["error"]["message"]


def test_what_is_not_answered_says_why(tmp_path: Path) -> None:
    answers, _ = simulate(tmp_path, CASE | {"kind": "scenario"}, CASE | {"kind": "dunning"})
    assert [set(answer) for answer in answers] == [{"id", "unsupported"}] * 2


@pytest.mark.parametrize("line", ["{", "[]", '"text"', "[" * 100_000, "1" * 5000])
def test_file_that_holds_no_case_is_refused_naming_the_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(CommandError, match="line 2"):
        simulate(tmp_path, CASE, line)


def test_coupons_over_an_invoice(tmp_path: Path) -> None:
    """A repeating coupon limited to a plan, then a tenth of what is left; the source says which comes first."""
    coupons = [
        {"percent": "10", "duration": "forever"},
        {"amount": "5.00", "duration": "repeating", "periods": 2, "applies_to_plans": ["pro"]},
    ]
    case = {"id": "own", "source": "own", "kind": "discount", "currency": "EUR", "coupons": coupons}
    lines = [{"id": "fee", "amount": "20.00", "plan": "pro"}, {"id": "calls", "amount": "10.00"}]
    answers, _ = simulate(tmp_path, case | {"lines": lines}, case | {"lines": lines, "source": "meteroid x"})
    own, percent_first = (answer["result"] for answer in answers)
    assert (own["coupons"], own["subtotal"], own["spread"]) == ("7.5", "22.5", {"fee": "6.5", "calls": "1"})
    assert (own["coupons_used"], own["coupon_ended"], own["periods_left"]) == (2, False, 1)
    assert (percent_first["discount"], percent_first["taxable"]) == ("8", ["13.00", "9.00"])


def test_credits_on_lines(tmp_path: Path) -> None:
    """150 x 1.50 = 225.00: the first credit is used up, the second pays the rest and keeps 25.00."""
    case = CASE | {"currency": "EUR", "credits_applied": [{"amount": "100"}, {"amount": "150.00"}]}
    (answer,), _ = simulate(tmp_path, case)
    (line,) = answer["result"]["lines"]
    assert (line["amount"], line["credits"], line["total"]) == ("225", "225", "0")
    assert line["credits_applied"] == ["100", "125"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"credits_applied": [{"amount": "-1"}]}, "remaining"),
        ({"credits_applied": [{"amount": "much"}]}, "credits_applied[0].amount"),
        ({"credits_applied": [{"amount": "1"}], "currency": "XXY"}, "currency"),
        ({"credits_applied": "all"}, "credits_applied"),
    ],
)
def test_wrong_credits_on_lines_are_refused(tmp_path: Path, changes: dict[str, Any], field: str) -> None:
    (answer,), _ = simulate(tmp_path, CASE | {"currency": "EUR"} | changes)
    assert field in answer["error"]["message"]


TERMINATION: dict[str, Any] = {
    "id": "end",
    "source": "own",
    "kind": "termination_credit",
    "currency": "EUR",
    "interval": "month",
    "fee": "30",
    "started_at": "2022-11-10T10:00:00+00:00",
    "terminated_at": "2022-11-20T10:00:00+00:00",
}


@pytest.mark.parametrize(
    ("change", "credit"),
    [
        ({}, "10"),  # 21 to 30 November
        ({"reason": "upgrade"}, "11"),
        ({"billing": "anniversary"}, "19"),  # to 9 December
        ({"interval": "quarter"}, "13.37"),  # 41 of the 92 days from October to December
    ],
)
def test_credit_for_unused_time(tmp_path: Path, change: dict[str, Any], credit: str) -> None:
    answers, _ = simulate(tmp_path, TERMINATION | change)
    assert answers[0]["result"]["credit"] == credit


@pytest.mark.parametrize("change", [{"timing": "in_arrears"}, {"fee": "0"}, {"trial_days": 60}])
def test_no_credit_for_unused_time(tmp_path: Path, change: dict[str, Any]) -> None:
    assert simulate(tmp_path, TERMINATION | change)[0][0]["result"] == {"none": True}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"unused": "keep"}, "unused"),
        ({"reason": "anger"}, "reason"),
        ({"billing": "whenever"}, "billing"),
        ({"timing": "later"}, "timing"),
        ({"timezone": "Europe/Nowhere"}, "timezone"),
        ({"timezone": "Europe"}, "timezone"),
        ({"terminated_at": "2022-11-01T10:00:00+00:00"}, "terminated_at"),
        ({"trial_days": 10**12}, "trial_days"),
        ({"started_at": "9999-12-31", "terminated_at": "9999-12-31"}, "period"),
        ({"started_at": "9990-01-01", "terminated_at": "9990-01-15", "trial_days": 3_660}, "trial_days"),
        ({"paid": "-1"}, "paid"),
        ({"coupon_on_fee": "31"}, "coupon"),
    ],
)
def test_terminations_that_cannot_be_are_refused(tmp_path: Path, change: dict[str, Any], field: str) -> None:
    answers, _ = simulate(tmp_path, TERMINATION | change)
    assert field in answers[0]["error"]["message"]
