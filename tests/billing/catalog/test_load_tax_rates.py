"""Loading published tax rates: added, followed, never overwritten, and never guessed among several."""

import json
from datetime import date
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from billing.catalog.models import TaxRate
from billing.catalog.selectors import rates_of
from billing.catalog.services.loading import PublishedRate, load_tax_rates
from billing.core.errors import BillingError
from billing.core.tax import TaxCode
from tests import factories

pytestmark = pytest.mark.django_db
JULY, AUGUST = date(2026, 7, 1), date(2026, 8, 1)


def run(*args: str) -> dict[str, str]:
    """What became of each rate: 'DE standard' -> 'added'."""
    out = StringIO()
    call_command("load_tax_rates", *args, "--json", stdout=out)
    rows: list[dict[str, Any]] = json.loads(out.getvalue())["rates"]
    return {f"{row['country']} {row['tax_code']}": row["outcome"] for row in rows}


def stored() -> list[tuple[str, str, str, date, date | None]]:
    return [
        (row.country, row.tax_code, f"{row.percent.normalize():f}", row.valid_from, row.valid_to)
        for row in TaxRate.objects.order_by("country", "tax_code", "valid_from")
    ]


def test_published_rates_are_added_and_a_second_run_changes_nothing() -> None:
    assert run("--from", "2026-07-01", "--country", "DE") == {"DE standard": "added", "DE reduced": "added"}
    expected = [("DE", "reduced", "7", JULY, None), ("DE", "standard", "19", JULY, None)]
    assert stored() == expected
    assert run("--from", "2026-08-01", "--country", "DE") == {"DE standard": "same", "DE reduced": "same"}
    assert stored() == expected


def test_all_of_the_union_has_a_standard_rate() -> None:
    run("--from", "2026-07-01")
    assert len(rates_of(TaxCode.STANDARD, on=JULY)) == 27
    assert rates_of(TaxCode.STANDARD, on=JULY)["GR"] == 24


def test_rate_that_changed_ends_and_the_new_one_follows() -> None:
    old = factories.tax_rate("DE", "16", valid_from=date(2020, 7, 1))
    assert run("--from", "2026-07-01", "--country", "DE")["DE standard"] == "changed"
    assert stored()[1:] == [
        ("DE", "standard", "16", date(2020, 7, 1), JULY),
        ("DE", "standard", "19", JULY, None),
    ]
    assert TaxRate.objects.get(pk=old.pk).percent == 16


def test_change_that_is_known_already_is_left_alone() -> None:
    factories.tax_rate("DE", "16", valid_from=date(2020, 7, 1), valid_to=AUGUST)
    factories.tax_rate("DE", "20", valid_from=AUGUST)
    before = stored()
    assert run("--from", "2026-07-01", "--country", "DE")["DE standard"] == "kept"
    assert [row for row in stored() if row[1] == "standard"] == before


def test_several_reduced_rates_are_named_and_one_is_chosen() -> None:
    assert run("--from", "2026-07-01", "--country", "FR")["FR reduced"] == "ambiguous"
    chosen = run("--from", "2026-07-01", "--country", "FR", "--reduced", "fr=5.5")
    assert chosen["FR reduced"] == "added"
    assert rates_of(TaxCode.REDUCED, on=JULY)["FR"] == Decimal("5.5")
    assert rates_of(TaxCode.SUPER_REDUCED, on=JULY)["FR"] == Decimal("2.1")


def test_dry_run_writes_nothing() -> None:
    assert run("--from", "2026-07-01", "--country", "DE", "--dry-run")["DE standard"] == "added"
    assert stored() == []


@pytest.mark.parametrize(
    ("args", "field"),
    [(("--country", "US"), "country"), (("--country", "DE", "--reduced", "DE=8"), "reduced")],
)
def test_country_or_rate_that_is_not_published_is_refused(args: tuple[str, ...], field: str) -> None:
    with pytest.raises(Exception, match="publishe") as refused:
        call_command("load_tax_rates", *args, "--from", "2026-07-01")
    cause = refused.value.__cause__ or refused.value
    assert not isinstance(cause, BillingError) or list(cause.fields) == [field]
    assert stored() == []


def test_country_without_a_reduced_rate_taxes_at_its_standard_one() -> None:
    rates = [PublishedRate("DK", TaxCode.STANDARD, "moms", (Decimal(25),))]
    load_tax_rates(rates=rates, valid_from=JULY, actor=factories.ACTOR, at=factories.START)
    assert rates_of(TaxCode.REDUCED, on=JULY) == {"DK": 25}
