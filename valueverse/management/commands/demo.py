"""`manage.py demo`: the main job from end to end, on real usage."""

import json
import secrets
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from rich.console import Console
from rich.progress import Progress

from billing.platform.clock import now
from billing.platform.commands import BillingCommand
from customers import services as customers
from customers.models import Customer, LegalEntity, User
from valueverse.database import CannotRecreate, recreate_database
from valueverse.demo import steps, summary
from valueverse.demo.sender import SendingFailed
from valueverse.demo.story import (
    ACTOR,
    BUYERS,
    DECEMBER,
    DECEMBER_FIRST,
    NOVEMBER_END,
    RETRY,
    SELLER,
    USAGE_DAY_END,
    Story,
    ensure_sign_ins,
    ensure_story,
)

OTHER_DATA = "This database holds other data. Use another database, or --reset to drop this one."
ADMIN_EMAIL = "admin@valueverse.example"


class Command(BillingCommand):
    help = (
        "Plays the demo story: real usage through the API, two billing days, a closed month, paid invoices. "
        "The last line of standard output is one JSON object."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--limit", type=int, help="Send only the first N requests of each file.")
        parser.add_argument("--reset", action="store_true", help="Drop and recreate the database first.")

    def handle(self, *args: Any, **options: Any) -> None:
        limit: int | None = options["limit"]
        if limit is not None and limit < 0:
            raise CommandError("--limit is a number of requests, 0 or more.", returncode=2)
        self.seconds: dict[str, float] = {}
        if options["reset"]:
            with self.step("reset", "Dropping and recreating the database"):
                self.reset()
        if steps.is_migrated():
            self.refuse_other_data(limit)
        elif steps.holds_tables():
            raise CommandError(OTHER_DATA)
        with self.step("migrate", "Migrating"):
            call_command("migrate", verbosity=0, interactive=False)
        with self.step("story", "Seller, catalog, customers, subscriptions"):
            story = ensure_story()
            password = self.ensure_admin()
            sign_ins = ensure_sign_ins()
            secret = steps.make_api_key()
        sent = self.play(story, secret, limit)
        self.show(story, sent, password, sign_ins, secret)

    @contextmanager
    def step(self, name: str, text: str) -> Iterator[None]:
        self.note(f"{text} ...")
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 2)

    def reset(self) -> None:
        try:
            recreate_database()
        except CannotRecreate as error:
            raise CommandError(str(error)) from error

    def refuse_other_data(self, limit: int | None) -> None:
        """Only an empty database, or one with this story and no more usage than asked for, is played on."""
        others = (
            Customer.objects.exclude(external_id__in=[buyer.external_id for buyer in BUYERS]).exists()
            or LegalEntity.objects.exclude(name=SELLER).exists()
        )
        if others:
            raise CommandError(OTHER_DATA)
        wanted, stored = steps.wanted_events(limit), steps.stored_events()
        if stored > wanted or (stored < wanted and steps.november_is_closed()):
            raise CommandError(
                f"The demo was played here with {stored:,} requests, not {wanted:,}. Add --reset to start over."
            )

    def ensure_admin(self) -> str | None:
        """The demo's administrator; the generated password is returned when it is made, and never again."""
        if User.objects.filter(email=ADMIN_EMAIL).exists():
            return None
        password = secrets.token_urlsafe(18)
        customers.create_superuser(
            email=ADMIN_EMAIL, password=password, name="Demo administrator", actor=ACTOR, at=now()
        )
        return password

    def play(self, story: Story, secret: str, limit: int | None) -> Counter[str]:
        with self.step("bill_november", "1 November 2023: billing the fees, collecting"):
            steps.bill()
        with self.step("retry", "1 November 2023, later: trying the declined card again"):
            steps.advance_clock(story, RETRY)
            steps.collect_again()
        with self.step("usage", "16 November 2023: sending usage through the API"):
            steps.advance_clock(story, USAGE_DAY_END)
            sent = self.send(secret, limit)
        with self.step("close_november", "1 December 2023: closing November"):
            steps.advance_clock(story, DECEMBER)
            steps.close_november(story.seller)
        with self.step("bill_december", "1 December 2023: billing usage and fees, collecting"):
            steps.bill()
        return sent

    def send(self, secret: str, limit: int | None) -> Counter[str]:
        console = Console(file=sys.stderr)
        try:
            with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
                task = progress.add_task("usage events", total=None)
                return steps.send_usage(
                    secret=secret, limit=limit, progress=lambda count: progress.advance(task, count)
                )
        except SendingFailed as error:
            raise CommandError(str(error)) from error

    def show(
        self,
        story: Story,
        sent: Counter[str],
        password: str | None,
        sign_ins: dict[str, str | None],
        secret: str,
    ) -> None:
        invoices = summary.demo_invoices(story.seller)
        paths = summary.write_documents(invoices, Path(settings.VAR_DIR) / "demo")
        days = {"30 Nov, closed": NOVEMBER_END, "1 Dec, all paid": DECEMBER_FIRST}
        if not self.as_json:
            self.stdout.write(
                "\n".join(self.text(story, invoices, paths, days, sent, password, sign_ins, secret))
            )
        self.stdout.write(
            json.dumps(
                {
                    "events": steps.stored_events(),
                    "duplicates": sent["duplicate"],
                    "invoices": [summary.invoice_json(invoice) for invoice in invoices],
                    "total": summary.total_text(invoices, story.seller.accounting_currency),
                    "currency": story.seller.accounting_currency,
                    "trial_balance": {
                        day.isoformat(): summary.books_json(story.seller, day) for day in days.values()
                    },
                    "seconds": self.seconds,
                }
            )
        )

    def text(
        self,
        story: Story,
        invoices: list[Any],
        paths: dict[str, Path],
        days: dict[str, Any],
        sent: Counter[str],
        password: str | None,
        sign_ins: dict[str, str | None],
        secret: str,
    ) -> Iterator[str]:
        verdicts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(sent.items()) if count)
        yield f"\nUsage sent: {verdicts or 'nothing'}\n"
        for invoice in invoices:
            yield summary.invoice_text(invoice, paths.get(invoice.number or "")) + "\n"
        yield summary.books_text(story.seller, days) + "\n"
        yield f"To look around: make run, then {settings.SITE_URL}"
        yield f"    back office   {settings.SITE_URL}/admin/   {ADMIN_EMAIL}"
        yield f"    password      {password or 'as printed by the first run'}"
        yield f"    portal        {settings.SITE_URL}/portal/"
        for email, one in sign_ins.items():
            yield f"                  {email}   {one or 'as printed by the first run'}"
        yield f"    API           {settings.SITE_URL}/api/v1/docs"
        yield f"    API key       {secret}   (shown once)"
        yield f"    mails         {Path(settings.VAR_DIR) / 'mail'}\n"
