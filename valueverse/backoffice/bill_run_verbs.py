"""The decisions on a whole run, each with its figures before it acts."""

from datetime import datetime
from typing import Any

from django.db.models import Sum

from billing.activity.selectors import activity_of
from billing.approvals.models import ApprovalAction, ApprovalPolicy
from billing.core.errors import BillingError
from billing.core.invoice import Timing
from billing.core.lifecycles import BillRunStatus, InvoiceStatus
from billing.core.postings import Role
from billing.invoices import services
from billing.invoices.models import BillRunCustomerStatus, InvoiceLine
from billing.ledger.selectors import EffectRow
from billing.platform import display
from billing.platform.actors import Actor
from billing.platform.clock import now
from valueverse.backoffice.verbs import Data, Outcome, Verb

LARGEST = 3
NAMES_MAX = 5
NOT_A_CHANGE = ("bill_run.progressed", "bill_run.draft_looked_at", "bill_run.drafted")
"""What happens to a run without changing what somebody decides about."""


def counted(count: int, noun: str = "invoice") -> str:
    """1 invoice, 36 invoices."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def sums(totals_minor: dict[str, int]) -> str:
    """Amounts per currency, never added: 12,430.00 EUR, 90.00 USD."""
    return ", ".join(display.amount(minor, code) for code, minor in sorted(totals_minor.items()))


def with_sums(text: str, totals_minor: dict[str, int]) -> str:
    """A text with its figures behind a comma, if there are any."""
    return ", ".join(part for part in (text, sums(totals_minor)) if part)


class RunVerb(Verb):
    """A verb on a run. An older page is refused with who changed what, and the new figures."""

    goal = ""
    """What the person wanted, for the refusal: "Look again, then approve."."""

    def at(self, row: Any) -> datetime:
        return now()

    def subject(self, row: Any) -> str:
        return f"bill run as of {row.as_of:%Y-%m-%d}"

    def state(self, row: Any) -> tuple[Any, ...]:
        return (row.status, row.review_version)

    def changed(self, row: Any) -> str:
        last = activity_of(object_id=row.public_id).exclude(name__in=NOT_A_CHANGE).first()
        if last is None:
            return ""
        when = f"{last.recorded_at:%H:%M} UTC"
        if not self.is_offered(row):
            word = row.status.replace("_", " ")
            return f"Nothing was done: this run is {word} already. Last by {last.actor_label}, {when}."
        totals = services.run_totals(run=row)
        figures = with_sums(counted(totals.invoices), totals.totals_minor)
        goal = f" Look again, then {self.goal}." if self.goal else " Look again."
        return f"{last.actor_label} changed this run at {when}: now {figures}.{goal}"

    def shows_again(self, row: Any) -> bool:
        return self.is_offered(row)

    def entry(self, row: Any) -> str:
        """The text of the link to this verb."""
        return f"{self.label}…"


class Approve(RunVerb):
    """What was reviewed may be finalized."""

    goal = "approve"

    def __init__(self) -> None:
        super().__init__(
            "approve",
            "Approve run",
            "invoices.approve_bill_run",
            "Approving issues nothing yet: finalizing is the next step. Until it starts, the approval can be "
            "withdrawn.",
            rehearses=False,
        )

    def is_offered(self, row: Any) -> bool:
        return bool(row.status == BillRunStatus.IN_REVIEW) and not services.open_requests(row)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        totals = services.run_totals(run=row)
        customers = totals.customers
        unseen = row.customers.filter(status=BillRunCustomerStatus.DRAFTED, looked_at=None).exclude(flags=[])
        largest = row.customers.filter(status=BillRunCustomerStatus.DRAFTED).select_related("customer")
        facts: list[tuple[str, Any]] = [
            ("Drafts", f"{totals.invoices:,}"),
            *(
                (f"Total {code}", display.amount(minor, code))
                for code, minor in sorted(totals.totals_minor.items())
            ),
            *(
                (f"Tax in it, {code}", display.amount(minor, code))
                for code, minor in sorted(totals.taxes_minor.items())
            ),
            ("Flagged, not looked at", f"{unseen.count():,}"),
            ("Held, left out", f"{customers.get(BillRunCustomerStatus.HELD, 0):,}"),
            ("Excluded, left out", f"{customers.get(BillRunCustomerStatus.EXCLUDED, 0):,}"),
            ("Failed, left out", f"{customers.get(BillRunCustomerStatus.PARKED, 0):,}"),
            *(
                (f"Largest: {one.customer}", display.amount(one.total_minor, one.currency))
                for one in largest.order_by("-total_minor", "pk")[:LARGEST]
                if one.currency
            ),
        ]
        over = over_the_limit(totals.totals_minor)
        if over:
            facts.append(("Second person", f"needed: above {over}"))
        return facts

    def expected(self, row: Any, data: Data) -> list[EffectRow]:
        return effect_of_issue(row)

    def button(self, row: Any, data: Data) -> str:
        totals = services.run_totals(run=row)
        if over_the_limit(totals.totals_minor):
            return with_sums("Ask for approval", totals.totals_minor)
        return with_sums(f"Approve {counted(totals.invoices)}", totals.totals_minor)

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.approve_bill_run(run=row, actor=actor, at=at)
        return Outcome(
            "Approved. Finalize it when you are ready; until then the approval can be withdrawn.", made
        )


def over_the_limit(totals_minor: dict[str, int]) -> str:
    """The limit above which the policy wants a second person; empty if none is exceeded."""
    policies = ApprovalPolicy.objects.filter(action=ApprovalAction.BILL_RUN, currency__in=list(totals_minor))
    over = [policy for policy in policies if totals_minor[policy.currency] > policy.limit_minor]
    return ", ".join(display.amount(policy.limit_minor, policy.currency) for policy in over)


def effect_of_issue(row: Any) -> list[EffectRow]:
    """The entries of the issues, summed; the accruals of usage depend on what was accrued by then."""
    invoices = services.issuing(row).filter(status=InvoiceStatus.DRAFT)
    taxed = invoices.values_list("currency").annotate(total=Sum("total_minor"), tax=Sum("tax_minor"))
    lines = InvoiceLine.objects.filter(invoice__in=invoices).order_by()
    net = {
        timing: dict(
            lines.filter(timing=timing).values_list("invoice__currency").annotate(net=Sum("amount_minor"))
        )
        for timing in (Timing.IN_ARREARS, Timing.IN_ADVANCE)
    }
    rows = []
    for currency, total, tax in sorted(taxed):
        rows += [
            EffectRow(Role.RECEIVABLE.value, currency, int(total), 0),
            EffectRow(Role.UNBILLED.value, currency, 0, int(net[Timing.IN_ARREARS].get(currency) or 0)),
            EffectRow(Role.DEFERRED.value, currency, 0, int(net[Timing.IN_ADVANCE].get(currency) or 0)),
            EffectRow(Role.VAT.value, currency, 0, int(tax)),
        ]
    return [row for row in rows if row.debit_minor or row.credit_minor]


class ApproveAsSecond(Approve):
    """Somebody asked; whoever else may decide approves the run with it."""

    def __init__(self) -> None:
        super().__init__()
        self.slug, self.label = "second", "Approve as second person"
        self.permission = "approvals.decide_approval"
        self.before = (
            "Your decision stands, and the run is approved with it. Nothing is issued before it is finalized."
        )

    def is_offered(self, row: Any) -> bool:
        return bool(row.status == BillRunStatus.IN_REVIEW and services.open_requests(row))

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        asked = [
            ("Asked by", f"{request.requested_by_label}, {display.instant(request.requested_at)} UTC")
            for request in services.open_requests(row)[:1]
        ]
        return [*asked, *super().facts(row)]

    def button(self, row: Any, data: Data) -> str:
        totals = services.run_totals(run=row)
        return with_sums(f"Approve {counted(totals.invoices)}", totals.totals_minor)

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.approve_bill_run_as_second(run=row, actor=actor, at=at)
        return Outcome("Approved by a second person. Finalize it when you are ready.", made)


class FinalizeRun(Approve):
    """Every approved draft gets its number and is booked; in the background."""

    goal = "finalize"

    def __init__(self) -> None:
        super().__init__()
        self.slug, self.label, self.permission = "finalize", "Finalize", "invoices.finalize_bill_run"
        self.before = (
            "Every draft gets its number and is booked; usage not accrued yet is accrued; cards are charged. Nothing "
            "is mailed yet. Only credit notes, or a void before it is sent, correct a finalized invoice."
        )

    def is_offered(self, row: Any) -> bool:
        return bool(row.status == BillRunStatus.APPROVED)

    def button(self, row: Any, data: Data) -> str:
        totals = services.run_totals(run=row)
        return with_sums(f"Finalize {counted(totals.invoices)}", totals.totals_minor)

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.finalize_bill_run(run=row, actor=actor, at=at)
        return Outcome(
            "Finalizing goes on in the background; you may leave this page. Sending is the last step.", made
        )


class SendRun(RunVerb):
    """The invoices leave by mail: what was mailed before is left alone."""

    goal = "send"

    def __init__(self) -> None:
        super().__init__(
            "send",
            "Send",
            "invoices.send_bill_run",
            "A mail is not taken back, and a sent invoice is no longer voided: a credit note corrects it.",
            rehearses=False,
        )

    def is_offered(self, row: Any) -> bool:
        if row.status != BillRunStatus.COMPLETED or (row.send_asked_at and not row.send_done_at):
            return False
        return services.something_to_send(run=row)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        plan = services.sending_plan(run=row)
        nobody = [str(invoice.customer) for invoice in services.without_contact(run=row)[:NAMES_MAX]]
        more = plan.without_contact - len(nobody)
        names = ", ".join(nobody) + (f" and {more:,} more" if more > 0 else "")
        return [
            ("Will be sent", f"{plan.invoices:,}"),
            *(
                (f"Total {code}", display.amount(minor, code))
                for code, minor in sorted(plan.totals_minor.items())
            ),
            ("Sent before, skipped", f"{plan.sent_already:,}"),
            ("No contact with the mail role billing, skipped", names or "0"),
            ("Voided, skipped", f"{plan.voided:,}"),
        ]

    def button(self, row: Any, data: Data) -> str:
        plan = services.sending_plan(run=row)
        return with_sums(f"Send {counted(plan.invoices)} by mail", plan.totals_minor)

    def changed(self, row: Any) -> str:
        if self.is_offered(row):
            return super().changed(row)
        return "Nothing was done: the mails of this run were queued already."

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.request_sending(run=row, actor=actor, at=at)
        return Outcome("Sending goes on in the background; you may leave this page.", made)


class RetryFailed(RunVerb):
    """Everybody who failed is tried again, in the background."""

    goal = "retry"

    def __init__(self) -> None:
        super().__init__(
            "retry",
            "Retry failed",
            "invoices.retry_bill_run",
            "Nobody is billed twice. Who fails again stays in the list with the reason.",
            rehearses=False,
        )

    def is_offered(self, row: Any) -> bool:
        return bool(services.retriable_count(run=row))

    def entry(self, row: Any) -> str:
        return f"Retry failed ({services.retriable_count(run=row):,})…"

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        failed = (
            row.customers.filter(status=BillRunCustomerStatus.PARKED)
            .select_related("customer")
            .order_by("pk")
        )
        return [
            ("Tried again", f"{services.retriable_count(run=row):,}"),
            *((str(one.customer), one.error_message) for one in failed[:NAMES_MAX]),
        ]

    def button(self, row: Any, data: Data) -> str:
        return f"Retry {counted(services.retriable_count(run=row), 'customer')}"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        count = services.retry_failed(run_id=row.public_id, actor=actor, at=at)
        return Outcome(f"{counted(count, 'customer')} are tried again in the background.", row)


class WithdrawApproval(RunVerb):
    """The run is in review again."""

    goal = "withdraw"

    def __init__(self) -> None:
        super().__init__(
            "withdraw",
            "Withdraw approval",
            "invoices.withdraw_bill_run",
            "The run is in review again; it has to be approved anew.",
        )

    def is_offered(self, row: Any) -> bool:
        return bool(row.status == BillRunStatus.APPROVED)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        totals = services.run_totals(run=row)
        return [("Approved", with_sums(counted(totals.invoices), totals.totals_minor))]

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.withdraw_bill_run(run=row, actor=actor, at=at)
        return Outcome("The approval is withdrawn; the run is in review again.", made)


class CancelRun(RunVerb):
    """The drafts are deleted; what they billed is due again."""

    goal = "cancel"

    def __init__(self) -> None:
        super().__init__(
            "cancel",
            "Cancel run",
            "invoices.cancel_bill_run",
            "The drafts are deleted and everything is due again; start another run to bill it. Holds stay.",
            rehearses=False,
        )

    def is_offered(self, row: Any) -> bool:
        return row.status in (BillRunStatus.IN_REVIEW, BillRunStatus.APPROVED)

    def facts(self, row: Any) -> list[tuple[str, Any]]:
        drafts = row.invoices.filter(status=InvoiceStatus.DRAFT).order_by()
        totals = {
            code: int(total)
            for code, total in drafts.values_list("currency").annotate(total=Sum("total_minor"))
        }
        return [("Drafts deleted", with_sums(f"{drafts.count():,}", totals))]

    def check(self, row: Any, data: Data) -> None:
        if not self.is_offered(row) and row.status != BillRunStatus.CANCELED:
            raise BillingError("A run that is finalizing or completed is not canceled.")

    def button(self, row: Any, data: Data) -> str:
        drafts = row.invoices.filter(status=InvoiceStatus.DRAFT).count()
        return f"Cancel and delete {counted(drafts, 'draft')}"

    def perform(self, row: Any, data: Data, actor: Actor, at: datetime) -> Outcome:
        made = services.cancel_bill_run(run=row, actor=actor, at=at)
        return Outcome("Canceled. The drafts are deleted and everything is due again.", made)
