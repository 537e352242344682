"""`manage.py run_billing`: bill what is due, once."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.db import transaction

from billing.approvals.services import ApprovalRequired
from billing.core.lifecycles import BillRunStatus, InvoiceStatus
from billing.core.money import format_major
from billing.invoices import services
from billing.invoices.models import BillRun, BillRunCustomerStatus
from billing.platform import metrics
from billing.platform.actors import command_actor
from billing.platform.clock import now
from billing.platform.commands import BillingCommand, ExitCode, as_of_instant, day_or_instant, stop_signal
from billing.platform.locks import run_lock
from billing.platform.lookup import get_or_not_found
from customers.models import Customer

ACTOR = command_actor("run_billing")


class Command(BillingCommand):
    help = (
        "Bills every customer with something due: drafts, approves, finalizes. Finishes interrupted runs first. "
        "Running it again bills nothing twice. Mails and payments follow in the worker."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--as-of",
            type=day_or_instant,
            help="Bill what is due by this day (2023-12-01) or instant; now by default.",
        )
        parser.add_argument("--customer", help="Bill only this customer (public id or external id).")
        parser.add_argument(
            "--dry-run", action="store_true", help="Show what would be billed, and change nothing."
        )
        parser.add_argument(
            "--review",
            action="store_true",
            help="Stop after drafting, for a person to approve; sellers that review their runs are billed only so.",
        )
        parser.add_argument(
            "--approve", metavar="RUN", help="Approve a run that waits, and finalize its drafts."
        )
        parser.add_argument(
            "--send", metavar="RUN", help="Queue the mails of a reviewed run that is completed."
        )
        parser.add_argument(
            "--cancel", metavar="RUN", help="Give a run up that waits; everything is due again."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["cancel"]:
            self.cancel(options["cancel"])
            return
        if options["send"]:
            self.send(options["send"])
            return
        customer = self.find_customer(options["customer"])
        dry_run: bool = options["dry_run"]
        as_of = as_of_instant(options["as_of"], at=now(), may_look_ahead=dry_run)
        with (
            run_lock(services.BILLING_LOCK),
            metrics.RUN_DURATION.labels(run="billing").time(),
            stop_signal() as stop,
        ):
            if dry_run:
                parked = self.look_ahead(as_of, customer)
            elif options["approve"]:
                run = services.approve_bill_run(run=self.find_run(options["approve"]), actor=ACTOR, at=now())
                run = services.perform_bill_run(run=run, actor=ACTOR, at=now(), stop=stop)
                parked = self.show([run], dry_run=False)
            else:
                runs = services.bill_due(
                    as_of=as_of,
                    customer=customer,
                    needs_review=options["review"],
                    by_itself=not options["review"],
                    stop=stop,
                    actor=ACTOR,
                    at=now(),
                )
                parked = self.show(runs, dry_run=False)
        if parked:
            raise SystemExit(ExitCode.FAILED)

    def find_customer(self, reference: str | None) -> Customer | None:
        if reference is None:
            return None
        by_external_id = Customer.objects.filter(external_id=reference).first()
        return by_external_id or get_or_not_found(
            Customer.objects.all(), kind="customer", public_id=reference
        )

    def find_run(self, public_id: str) -> BillRun:
        return get_or_not_found(BillRun.objects.all(), kind="bill_run", public_id=public_id)

    def cancel(self, public_id: str) -> None:
        run = services.cancel_bill_run(run=self.find_run(public_id), actor=ACTOR, at=now())
        text = f"Run {run.public_id} is canceled, its drafts are deleted; what they billed is due again."
        self.report(text, {"runs": [{"id": run.public_id, "status": run.status}]})

    def send(self, public_id: str) -> None:
        """Queue each invoice's mails once; sending a run again sends what could not be sent before."""
        run = self.find_run(public_id)
        plan = services.sending_plan(run=run)
        services.request_sending(run=run, actor=ACTOR, at=now())
        sent = services.send_bill_run(run_id=run.public_id, actor=ACTOR, at=now())
        sums = ", ".join(
            f"{format_major(minor, code)} {code}" for code, minor in sorted(plan.totals_minor.items())
        )
        self.report(
            f"Queued the mails of {sent} invoices, {sums}. Skipped: {plan.sent_already} sent before, "
            f"{plan.without_contact} without a billing contact, {plan.voided} voided.",
            {
                "run": run.public_id,
                "sent": sent,
                "sent_before": plan.sent_already,
                "without_contact": plan.without_contact,
                "voided": plan.voided,
            },
        )

    def look_ahead(self, as_of: datetime, customer: Customer | None) -> int:
        """Do all of it, short of what somebody has to approve first, and roll it back."""
        with transaction.atomic():
            run = services.start_bill_run(
                as_of=as_of, customer=customer, may_look_ahead=True, actor=ACTOR, at=now()
            )
            try:
                run = services.perform_bill_run(run=run, actor=ACTOR, at=now())
            except ApprovalRequired:
                run.refresh_from_db()
            parked = self.show([run], dry_run=True)
            transaction.set_rollback(True)
        return parked

    def show(self, runs: list[BillRun], *, dry_run: bool) -> int:
        """Print the outcome; returns how many customers were parked."""
        invoices = [
            {
                "id": invoice.public_id,
                "number": None if dry_run else invoice.number,
                "customer": invoice.customer.name,
                "total": format_major(invoice.total_minor, invoice.currency),
                "currency": invoice.currency,
                "status": invoice.status,
            }
            for run in runs
            for invoice in run.invoices.select_related("customer").order_by("pk")
        ]
        parked = [
            {"customer": row.customer.name, "code": row.error_code, "reason": row.error_message}
            for run in runs
            for row in run.customers.filter(status=BillRunCustomerStatus.PARKED).select_related("customer")
        ]
        lines = [
            f"{invoice['number'] or 'invoice':<18} {invoice['total']:>14} {invoice['currency']}  {invoice['customer']}"
            for invoice in invoices
        ]
        lines += [f"parked: {row['customer']}: {row['reason']} [{row['code']}]" for row in parked]
        lines += [
            f"waits for approval: run_billing --approve {run.public_id} (or --cancel {run.public_id})"
            for run in BillRun.objects.filter(status=BillRunStatus.IN_REVIEW).order_by("pk")
            if not dry_run
        ]
        lines += [
            f"not sent yet: run_billing --send {run.public_id}"
            for run in runs
            if run.status == BillRunStatus.COMPLETED and run.needs_review and not dry_run
        ]
        finalized = sum(invoice["status"] == InvoiceStatus.FINALIZED for invoice in invoices)
        drafts = f", {len(invoices) - finalized} drafts" if len(invoices) > finalized else ""
        outcome = (
            "nothing was changed"
            if dry_run
            else ", ".join(f"run {run.public_id} is {run.status}" for run in runs)
        )
        lines.append(
            f"{'Would bill' if dry_run else 'Billed'} {finalized} invoices{drafts}, {len(parked)} customers parked; "
            f"{outcome or 'nothing was due'}"
        )
        self.report(
            "\n".join(lines),
            {
                "dry_run": dry_run,
                "runs": [{"id": run.public_id, "status": run.status} for run in runs],
                "invoices": invoices,
                "parked": parked,
            },
        )
        return len(parked)
