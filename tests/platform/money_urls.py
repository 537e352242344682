"""Two views that stand for every POST that moves money: one in a single transaction, one in several."""

from django.urls import include, path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from billing.approvals import services as approvals
from billing.approvals.models import ApprovalAction
from billing.approvals.services import ApprovalRequired
from billing.catalog.services import create_product
from billing.core.errors import BillingError, Kind
from billing.platform.api.idempotency import Answer, idempotent, request_key
from billing.platform.api.permissions import Needs
from billing.platform.api.serializers import Input
from billing.platform.api.views import ApiView, endpoint
from billing.platform.clock import now
from billing.platform.scopes import Scope

NEEDS = Needs(Scope.PAYMENTS_WRITE, "payments.add_payment", bound_keys=True)


class GatewayAway(BillingError):
    """The gateway does not answer."""

    code = "gateway_away"
    kind = Kind.UNAVAILABLE


class Order(Input):
    code = serializers.CharField()
    outcome = serializers.CharField(default="fine")


def deliver(view: ApiView) -> Answer:
    """The effect: a product of the code given. Then what `outcome` says."""
    order = view.read(Order)
    if order["outcome"] == "approval":
        approvals.require(
            action=ApprovalAction.REFUND,
            object_kind="order",
            object_id=order["code"],
            amount_minor=100_00,
            currency="EUR",
            actor=view.actor,
            at=now(),
        )
    product = create_product(code=order["code"], name="Ordered", actor=view.actor, at=now())
    if order["outcome"] == "declined":
        return Response({"id": product.public_id, "status": "failed"}, status=402)
    if order["outcome"] == "crash":
        raise RuntimeError("the process is at its end")
    if order["outcome"] == "away":
        raise GatewayAway("The gateway does not answer.")
    return Response({"id": product.public_id, "key": request_key(view.request)}, status=201)


class AtomicOrder(ApiView):
    access = {"POST": NEEDS}

    @idempotent(required=True, kept=(ApprovalRequired,))
    def post(self, request: Request) -> Answer:
        return deliver(self)


class RecoverableOrder(ApiView):
    access = {"POST": NEEDS}

    @idempotent(required=True, recoverable=True, kept=(ApprovalRequired,))
    def post(self, request: Request) -> Answer:
        return deliver(self)


urlpatterns = [
    *endpoint("atomic", AtomicOrder, "atomic"),
    *endpoint("recoverable", RecoverableOrder, "recoverable"),
    path("api/v1/", include("valueverse.api_urls")),
]
