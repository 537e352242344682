"""The sidebar's live figure: how many approvals wait for somebody."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing.approvals.models import ApprovalRequest
from billing.core.lifecycles import ApprovalStatus

COUNTED_MAX = 99
VIEW = "approvals.view_approvalrequest"


def approvals_badge(request: HttpRequest) -> SafeString:
    """The badge beside "Approvals", which reads itself again when a request is made or decided."""
    return format_html(
        '<span id="badge-approvals" data-live-badge data-live-group="approvals" data-live-refresh="{}">{}</span>',
        reverse("live-approvals"),
        waiting_approvals(),
    )


def approvals_part(request: HttpRequest) -> HttpResponse:
    """What the badge says now. Raises PermissionDenied for whoever may not see the requests."""
    if not request.user.has_perm(VIEW):
        raise PermissionDenied
    return HttpResponse(waiting_approvals(), headers={"Cache-Control": "no-store"})


def waiting_approvals() -> str:
    """How many requests wait: empty for none, "99+" for more than anybody would count."""
    waiting = ApprovalRequest.objects.filter(status=ApprovalStatus.REQUESTED).order_by()
    count = waiting[: COUNTED_MAX + 1].count()
    return f"{COUNTED_MAX}+" if count > COUNTED_MAX else str(count or "")
