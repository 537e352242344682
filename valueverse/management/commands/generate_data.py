"""`manage.py generate_data`: an installation of size, to measure and to look at."""

import os
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from billing.platform.commands import BillingCommand
from valueverse.generator.run import prepare, refresh_statistics, run
from valueverse.generator.sizes import Size

CUSTOMERS, INVOICES = 100_000, 1_000_000


class Command(BillingCommand):
    help = (
        "Fills an installation without live data: customers with subscriptions, and invoices that are numbered, "
        "booked, mailed and mostly paid, under test entities of their own. An interrupted run goes on; a complete one "
        "is not repeated."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--customers", type=int, default=CUSTOMERS, help=f"How many ({CUSTOMERS:,}).")
        parser.add_argument("--invoices", type=int, default=INVOICES, help=f"How many ({INVOICES:,}).")
        parser.add_argument("--scale", type=float, default=1.0, help="Both times this, for example 0.01.")
        parser.add_argument("--seed", type=int, default=1, help="The same seed gives the same ids (1).")
        parser.add_argument("--sessions", type=int, default=os.cpu_count() or 1, help="Sellers at a time.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 0 < options["scale"] <= 10:
            raise CommandError("--scale is above 0 and at most 10.", returncode=2)
        if not 1 <= options["sessions"] <= 16:
            raise CommandError("--sessions is 1 to 16.", returncode=2)
        size = Size(
            customers=max(1, round(options["customers"] * options["scale"])),
            invoices=max(1, round(options["invoices"] * options["scale"])),
            seed=options["seed"],
        )
        started = time.monotonic()
        jobs = prepare(size)
        console = Console(file=sys.stderr)
        columns = (
            TextColumn("{task.description:9}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, disable=not console.is_terminal) as shown:
            tasks = {
                "customers": shown.add_task("customers", total=size.customers),
                "invoices": shown.add_task("invoices", total=size.invoices),
            }
            run(jobs, sessions=options["sessions"], progress=lambda what, n: shown.advance(tasks[what], n))
        self.note("Vacuuming ...")
        refresh_statistics()
        seconds = round(time.monotonic() - started, 1)
        self.report(
            f"{size.customers:,} customers and {size.invoices:,} invoices in {seconds:,} s.",
            {"customers": size.customers, "invoices": size.invoices, "seed": size.seed, "seconds": seconds},
        )
