"""Paying an open invoice, and the payments made so far.

The button carries a key of its own and the amount that was shown. The same key never begins a second attempt, and an
amount that has changed meanwhile is shown again instead of being charged.
"""

import secrets

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from billing.core.errors import BillingError
from billing.core.lifecycles import PaymentStatus
from billing.platform.lookup import get_or_not_found
from customers.selectors import now_for
from payments import services
from payments.models import LIVE_PAYMENT_STATUSES, CollectionSchedule, Payment
from payments.selectors import payments_visible_to
from valueverse.portal.access import Member, for_managers, for_members, note_seen, show
from valueverse.portal.states import payment_state
from valueverse.portal.views.invoices import issued_invoice, ways_to_pay
from valueverse.portal.words import WORDS, refusal

PAGE = 50
KEY_MAX = 64


@require_http_methods(["GET", "HEAD", "POST"])
@for_members
@for_managers
def pay(request: HttpRequest, member: Member, invoice_id: str) -> HttpResponse:
    """Show what will be charged, then charge it once."""
    invoice = issued_invoice(member, invoice_id)
    if request.method == "POST":
        return _charge(request, member, invoice_id)
    ways = ways_to_pay(invoice, member)
    if ways is None or ways.method is None or ways.live is not None:
        return redirect("portal:invoice", invoice_id=invoice_id)
    note_seen(member, [invoice])
    content = {
        "invoice": invoice,
        "ways": ways,
        "key": secrets.token_urlsafe(24),
        "section": "invoices",
    }
    return show(request, "pay", content, member=member)


def _charge(request: HttpRequest, member: Member, invoice_id: str) -> HttpResponse:
    invoice = issued_invoice(member, invoice_id)
    key = f"portal:{invoice.public_id}:{request.POST.get('key', '')[:KEY_MAX]}"
    begun = Payment.objects.filter(idempotency_key=services.attempt_key(key)).first()
    if begun is None and request.POST.get("amount") != f"{invoice.open_minor} {invoice.currency}":
        messages.error(request, member.say("pay_changed"))
        return redirect("portal:invoice", invoice_id=invoice_id)
    if invoice.payer_id != member.customer.pk:
        messages.error(request, member.say("error_no_payment_method"))
        return redirect("portal:invoice", invoice_id=invoice_id)
    try:
        payment = services.collect_invoice(
            invoice_id=invoice_id, actor=member.actor, at=now_for(member.customer), request_key=key
        )
    except BillingError as error:
        messages.error(request, refusal(member.language, error.code, error.message))
        return redirect("portal:invoice", invoice_id=invoice_id)
    return redirect("portal:payment", payment_id=payment.public_id)


@require_safe
@for_members
def payments(request: HttpRequest, member: Member) -> HttpResponse:
    """Every payment and attempt, newest first."""
    page = Paginator(payments_visible_to(customer_id=member.customer.pk), PAGE).get_page(
        request.GET.get("page")
    )
    rows = [(one, payment_state(one, language=member.language)) for one in page]
    return show(request, "payments", {"page": page, "rows": rows}, member=member)


@require_safe
@for_members
def payment(request: HttpRequest, member: Member, payment_id: str) -> HttpResponse:
    """What became of one payment. An attempt without an answer is asked after each time the page is opened."""
    found = get_or_not_found(
        payments_visible_to(customer_id=member.customer.pk), kind="payment", public_id=payment_id
    )
    may_ask = member.visit is None and found.status != PaymentStatus.INITIATED
    if found.status in LIVE_PAYMENT_STATUSES and may_ask:
        services.check_payment(payment_id=payment_id, actor=member.actor, at=member.at)
        found.refresh_from_db()
    is_live = found.status in LIVE_PAYMENT_STATUSES
    schedule = CollectionSchedule.objects.filter(invoice=found.invoice).first() if found.invoice else None
    content = {
        "payment": found,
        "state": payment_state(found, language=member.language),
        "is_live": is_live,
        "reason": WORDS[member.language].get(f"declined_{found.failure_code}", found.failure_message),
        "is_failed": found.status == PaymentStatus.FAILED,
        "is_received": found.status == PaymentStatus.SUCCEEDED,
        "next_attempt": schedule.next_attempt_at if schedule else None,
        "section": "payments",
    }
    return show(request, "payment", content, member=member)
