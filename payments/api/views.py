"""Payments over HTTP. Every POST here moves money or leads to it, so each needs an Idempotency-Key."""

from typing import Any

from django.db.models import Prefetch
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.approvals.services import ApprovalRequired
from billing.core.lifecycles import InvoiceStatus, PaymentStatus
from billing.core.money import parse_major
from billing.invoices.models import CreditNote, Invoice
from billing.invoices.selectors import invoices_visible_to
from billing.platform.api.idempotency import idempotent, request_key
from billing.platform.api.permissions import Needs
from billing.platform.api.problems import problem
from billing.platform.api.schema import page_of
from billing.platform.api.views import ApiView, only
from billing.platform.lookup import get_or_not_found
from billing.platform.scopes import Scope
from customers.selectors import customers_visible_to, now_for
from payments import services
from payments.api.serializers import (
    ManualPaymentInput,
    PaymentDetailOutput,
    PaymentMethodInput,
    PaymentMethodOutput,
    PaymentMethodQuery,
    PaymentOutput,
    PaymentQuery,
    RefundInput,
    RefundOutput,
)
from payments.models import Payment, PaymentAllocation, PaymentMethod, Refund
from payments.selectors import payments_visible_to

_READ = Needs(Scope.PAYMENTS_READ, "payments.view_payment", bound_keys=True)
_FAILED = frozenset({PaymentStatus.FAILED, PaymentStatus.CANCELED})


class PaymentList(ApiView):
    access = {"GET": _READ, "POST": Needs(Scope.PAYMENTS_WRITE, "payments.add_payment")}

    @extend_schema(
        operation_id="list_payments",
        summary="List payments",
        tags=["payments"],
        parameters=[PaymentQuery],
        responses=page_of(PaymentOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first: attempts of gateways and receipts recorded by hand."""
        wanted = only(
            self.query(PaymentQuery),
            customer="customer__public_id",
            invoice="invoice__public_id",
            status="status",
        )
        return self.page(payments_visible_to(customer_id=self.visible_to).filter(**wanted), PaymentOutput)

    @extend_schema(
        operation_id="record_payment",
        summary="Record a payment by hand",
        tags=["payments"],
        request=ManualPaymentInput,
        responses={201: PaymentDetailOutput},
    )
    @idempotent(required=True, kept=(ApprovalRequired,))
    def post(self, request: Request) -> Any:
        """For an invoice, as much as is open of it is settled at once; what is left stays unapplied."""
        given = self.read(ManualPaymentInput)
        customer = get_or_not_found(
            customers_visible_to(self.visible_to),
            kind="customer",
            field="customer",
            public_id=given.pop("customer"),
        )
        amount_minor = parse_major(given.pop("amount"), given["currency"], field="amount")
        invoice = (
            _invoice(given.pop("invoice"), self.visible_to, field="invoice") if "invoice" in given else None
        )
        payment = services.record_manual_payment(
            customer=customer,
            amount_minor=amount_minor,
            invoice=invoice,
            actor=self.actor,
            at=now_for(customer),
            **given,
        )
        return self.answer(PaymentDetailOutput, _payment(payment.public_id, self.visible_to), status=201)


class PaymentDetail(ApiView):
    access = {"GET": _READ}

    @extend_schema(
        operation_id="get_payment", summary="Get a payment", tags=["payments"], responses=PaymentDetailOutput
    )
    def get(self, request: Request, payment_id: str) -> Response:
        """With its allocations and refunds."""
        return self.answer(PaymentDetailOutput, _payment(payment_id, self.visible_to))


class PayInvoice(ApiView):
    access = {"POST": Needs(Scope.PAYMENTS_WRITE, "payments.add_payment", bound_keys=True)}

    @extend_schema(
        operation_id="pay_invoice",
        summary="Collect an invoice",
        tags=["payments"],
        request=None,
        responses={201: PaymentDetailOutput, 202: PaymentDetailOutput},
    )
    @idempotent(required=True, recoverable=True)
    def post(self, request: Request, invoice_id: str) -> Any:
        """Charges what is open of it by the payer's default method.

        201: paid. 202: the gateway has not answered finally; the payment is asked after until it has. 402
        `payment_failed`: declined, `details` says why and names the payment.
        """
        invoice = _invoice(invoice_id, self.visible_to)
        at = now_for(invoice.customer)
        payment = services.collect_invoice(
            invoice_id=invoice_id, actor=self.actor, at=at, request_key=request_key(request)
        )
        if payment.status in _FAILED:
            return problem(
                402,
                "payment_failed",
                payment.failure_message or "The payment failed.",
                path=request.path,
                details={"payment": payment.public_id, "failure_code": payment.failure_code},
            )
        status = 201 if payment.status == PaymentStatus.SUCCEEDED else 202
        return self.answer(PaymentDetailOutput, _payment(payment.public_id, None), status=status)


class RefundPayment(ApiView):
    access = {"POST": Needs(Scope.PAYMENTS_WRITE, "payments.add_refund")}

    @extend_schema(
        operation_id="refund_payment",
        summary="Refund a payment",
        tags=["payments"],
        request=RefundInput,
        responses={201: RefundOutput, 202: RefundOutput},
    )
    @idempotent(required=True, recoverable=True, kept=(ApprovalRequired,))
    def post(self, request: Request, payment_id: str) -> Any:
        """By the way the money came: what a credit note owes, or the payment's unapplied cash.

        202: the gateway has not answered; the refund stays pending until it has.
        """
        payment = _payment(payment_id, self.visible_to)
        given = self.read(RefundInput)
        note_id = given.get("credit_note")
        if note_id is not None:
            get_or_not_found(
                CreditNote.objects.all(), kind="credit_note", field="credit_note", public_id=note_id
            )
        made = services.refund_payment(
            payment_id=payment_id,
            amount_minor=parse_major(given["amount"], payment.currency, field="amount"),
            reason=given["reason"],
            credit_note_id=note_id,
            actor=self.actor,
            at=now_for(payment.customer),
            request_key=request_key(request),
        )
        refund = Refund.objects.select_related("payment", "credit_note").get(pk=made.pk)
        return self.answer(RefundOutput, refund, status=202 if made.finished_at is None else 201)


class PaymentMethodList(ApiView):
    access = {
        "GET": Needs(Scope.PAYMENTS_READ, "payments.view_paymentmethod", bound_keys=True),
        "POST": Needs(Scope.PAYMENTS_WRITE, "payments.add_paymentmethod", bound_keys=True),
    }

    @extend_schema(
        operation_id="list_payment_methods",
        summary="List payment methods",
        tags=["payments"],
        parameters=[PaymentMethodQuery],
        responses=page_of(PaymentMethodOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        found = PaymentMethod.objects.select_related("customer").filter(detached_at=None)
        if self.visible_to is not None:
            found = found.filter(customer_id=self.visible_to)
        wanted = only(self.query(PaymentMethodQuery), customer="customer__public_id")
        return self.page(found.filter(**wanted), PaymentMethodOutput)

    @extend_schema(
        operation_id="add_payment_method",
        summary="Add a payment method",
        tags=["payments"],
        request=PaymentMethodInput,
        responses={201: PaymentMethodOutput},
    )
    @idempotent(required=True)
    def post(self, request: Request) -> Any:
        """It becomes the customer's default: invoices are collected by it from now on."""
        given = self.read(PaymentMethodInput)
        customer = get_or_not_found(
            customers_visible_to(self.visible_to),
            kind="customer",
            field="customer",
            public_id=given["customer"],
        )
        method = services.add_payment_method(
            customer=customer,
            gateway_code=given["gateway"],
            gateway_ref=given["gateway_ref"],
            label=given["label"],
            actor=self.actor,
            at=now_for(customer),
        )
        return self.answer(PaymentMethodOutput, method, status=201)


def _payment(payment_id: str, visible_to: int | None) -> Payment:
    allocations = PaymentAllocation.objects.select_related("invoice").order_by("pk")
    refunds = Refund.objects.select_related("credit_note").order_by("pk")
    found = payments_visible_to(customer_id=visible_to).prefetch_related(
        Prefetch("allocations", allocations), Prefetch("refunds", refunds)
    )
    return get_or_not_found(found, kind="payment", public_id=payment_id)


def _invoice(invoice_id: str, visible_to: int | None, *, field: str | None = None) -> Invoice:
    found = invoices_visible_to(customer_id=visible_to)
    if visible_to is not None:
        found = found.exclude(status=InvoiceStatus.DRAFT)
    return get_or_not_found(found, kind="invoice", field=field, public_id=invoice_id)
