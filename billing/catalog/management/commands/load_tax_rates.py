"""`manage.py load_tax_rates`: the published rates of the EU into the dated table."""

from argparse import ArgumentParser, ArgumentTypeError
from contextlib import nullcontext
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import transaction

from billing.catalog.services.loading import Loaded, LoadedRate, load_tax_rates, published_rates
from billing.core.errors import InvalidInput
from billing.core.quantity import format_quantity, parse_quantity
from billing.platform.actors import command_actor
from billing.platform.clock import now
from billing.platform.commands import BillingCommand, day


def _chosen(text: str) -> tuple[str, Decimal]:
    country, _, percent = text.partition("=")
    try:
        return country.upper(), parse_quantity(percent, field="reduced")
    except InvalidInput as error:
        raise ArgumentTypeError(f"'{text}' is not like FR=5.5") from error


class Command(BillingCommand):
    help = (
        "Adds the tax rates that the European Commission publishes (library eu-vat-rates-data). A rate that changed "
        "ends, and the new one follows; nothing is overwritten. Running it again changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--from",
            dest="valid_from",
            type=day,
            metavar="DAY",
            help="First day on which they hold; today by default. The source has no history.",
        )
        parser.add_argument(
            "--country",
            action="append",
            default=[],
            metavar="DE",
            help="Only these; all of the EU by default.",
        )
        parser.add_argument(
            "--reduced",
            action="append",
            type=_chosen,
            default=[],
            metavar="FR=5.5",
            help="Which reduced rate is meant where a country has several.",
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="Show what would change, and change nothing."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        valid_from: date = options["valid_from"] or now().date()
        with transaction.atomic() if options["dry_run"] else nullcontext():
            found = load_tax_rates(
                rates=published_rates([country.upper() for country in options["country"]]),
                valid_from=valid_from,
                chosen=dict(options["reduced"]),
                actor=command_actor("load_tax_rates"),
                at=now(),
            )
            if options["dry_run"]:
                transaction.set_rollback(True)
        told = [one for one in found if one.outcome is not Loaded.SAME]
        same = len(found) - len(told)
        lines = [_line(one) for one in told] + [f"{same} known already. Holds from {valid_from}."]
        if options["dry_run"]:
            lines.append("Nothing was changed: this was a dry run.")
        self.report(
            "\n".join(lines), {"valid_from": valid_from.isoformat(), "rates": [_row(one) for one in found]}
        )


def _line(one: LoadedRate) -> str:
    percents = ", ".join(f"{format_quantity(percent)} %" for percent in one.rate.percents)
    before = "" if one.before is None else f" (now {format_quantity(one.before)} %)"
    hint = {
        Loaded.AMBIGUOUS: f": choose with --reduced {one.rate.country}=...",
        Loaded.KEPT: ": the dated rates know a change on or after this day, nothing is touched",
    }.get(one.outcome, "")
    return f"{one.outcome.value:9}  {one.rate.country} {one.rate.tax_code.value} {percents}{before}{hint}"


def _row(one: LoadedRate) -> dict[str, Any]:
    return {
        "country": one.rate.country,
        "tax_code": one.rate.tax_code.value,
        "percents": [format_quantity(percent) for percent in one.rate.percents],
        "outcome": one.outcome.value,
        "before": None if one.before is None else format_quantity(one.before),
    }
