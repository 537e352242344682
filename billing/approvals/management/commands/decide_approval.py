"""`manage.py decide_approval`: list what waits for approval, approve or reject it."""

from argparse import ArgumentParser
from typing import Any

from billing.approvals.models import ApprovalRequest
from billing.approvals.services import decide_approval
from billing.core.lifecycles import ApprovalStatus
from billing.core.money import format_major
from billing.platform.actors import command_actor
from billing.platform.clock import now
from billing.platform.commands import BillingCommand
from billing.platform.lookup import get_or_not_found


class Command(BillingCommand):
    help = "Lists the requests that wait for approval, or decides one. The action goes through when it is repeated."

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "approval", nargs="?", metavar="ID", help="The request to decide; without it, the list."
        )
        decision = parser.add_mutually_exclusive_group()
        decision.add_argument("--approve", action="store_true")
        decision.add_argument("--reject", action="store_true")
        parser.add_argument("--reason", default="", help="Why; needed to reject.")

    def handle(self, *args: Any, **options: Any) -> None:
        waiting = ApprovalRequest.objects.filter(status=ApprovalStatus.REQUESTED).order_by("pk")
        if options["approval"] and (options["approve"] or options["reject"]):
            request = get_or_not_found(
                ApprovalRequest.objects.all(), kind="approval", public_id=options["approval"]
            )
            request = decide_approval(
                approval_id=request.public_id,
                approve=options["approve"],
                reason=options["reason"],
                actor=command_actor("decide_approval"),
                at=now(),
            )
            self.report(f"{request.public_id} is {request.status}.", {"approvals": [_shown(request)]})
            return
        rows = [_shown(request) for request in waiting]
        lines = [
            f"{row['id']}  {row['action']} {row['object']}  {row['amount']} {row['currency']}  by {row['requested_by']}"
            for row in rows
        ]
        self.report("\n".join(lines) or "Nothing waits for approval.", {"approvals": rows})


def _shown(request: ApprovalRequest) -> dict[str, str]:
    return {
        "id": request.public_id,
        "action": request.action,
        "object": request.object_id,
        "amount": format_major(request.amount_minor, request.currency),
        "currency": request.currency,
        "status": request.status,
        "requested_by": request.requested_by_label,
    }
