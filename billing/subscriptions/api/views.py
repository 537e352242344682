"""Subscriptions over HTTP."""

from datetime import datetime
from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.catalog import selectors as catalog
from billing.catalog.models import PlanVersion
from billing.core.errors import InvalidInput
from billing.platform.api.idempotency import idempotent
from billing.platform.api.permissions import Needs
from billing.platform.api.schema import page_of
from billing.platform.api.views import ApiView, only
from billing.platform.lookup import NotFound, get_or_not_found
from billing.platform.scopes import Scope
from billing.subscriptions import services
from billing.subscriptions.api.serializers import (
    CancelInput,
    SubscriptionInput,
    SubscriptionOutput,
    SubscriptionQuery,
)
from billing.subscriptions.models import Subscription, SubscriptionItem
from billing.subscriptions.selectors import subscriptions_visible_to
from customers.selectors import customers_visible_to, legal_entities, now_for

_CANCEL = {
    "period_end": services.cancel_subscription_at_period_end,
    "now": services.cancel_subscription_now,
}


class SubscriptionList(ApiView):
    access = {
        "GET": Needs(Scope.SUBSCRIPTIONS_READ, "subscriptions.view_subscription", bound_keys=True),
        "POST": Needs(Scope.SUBSCRIPTIONS_WRITE, "subscriptions.add_subscription", bound_keys=True),
    }

    @extend_schema(
        operation_id="list_subscriptions",
        summary="List subscriptions",
        tags=["subscriptions"],
        parameters=[SubscriptionQuery],
        responses=page_of(SubscriptionOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        wanted = only(
            self.query(SubscriptionQuery),
            customer="customer__public_id",
            plan="plan_version__plan__code",
            external_id="external_id",
            status="status",
        )
        return self.page(_visible(self.visible_to).filter(**wanted), SubscriptionOutput)

    @extend_schema(
        operation_id="start_subscription",
        summary="Start a subscription",
        tags=["subscriptions"],
        request=SubscriptionInput,
        responses={201: SubscriptionOutput},
    )
    @idempotent()
    def post(self, request: Request) -> Any:
        """Now, in the past (the next run bills what is due since) or in the future.

        Name the plan, for its newest published version, or the version itself.
        """
        given = self.read(SubscriptionInput)
        customer = get_or_not_found(
            customers_visible_to(self.visible_to),
            kind="customer",
            field="customer",
            public_id=given.pop("customer"),
        )
        version = _plan_version(given.pop("plan", None), given.pop("plan_version", None))
        if "legal_entity" in given:
            given["legal_entity"] = get_or_not_found(
                legal_entities(), kind="legal_entity", field="legal_entity", public_id=given["legal_entity"]
            )
        at: datetime = now_for(customer)
        started = services.start_subscription(
            customer=customer, plan_version=version, actor=self.actor, at=at, **given
        )
        return self.answer(
            SubscriptionOutput, subscription_of(started.public_id, self.visible_to), status=201
        )


class SubscriptionDetail(ApiView):
    access = {"GET": Needs(Scope.SUBSCRIPTIONS_READ, "subscriptions.view_subscription", bound_keys=True)}

    @extend_schema(
        operation_id="get_subscription",
        summary="Get a subscription",
        tags=["subscriptions"],
        responses=SubscriptionOutput,
    )
    def get(self, request: Request, subscription_id: str) -> Response:
        return self.answer(SubscriptionOutput, subscription_of(subscription_id, self.visible_to))


class CancelSubscription(ApiView):
    access = {"POST": Needs(Scope.SUBSCRIPTIONS_WRITE, "subscriptions.change_subscription", bound_keys=True)}

    @extend_schema(
        operation_id="cancel_subscription",
        summary="Cancel a subscription",
        tags=["subscriptions"],
        request=CancelInput,
        responses=SubscriptionOutput,
    )
    @idempotent()
    def post(self, request: Request, subscription_id: str) -> Any:
        """At the end of the period it stays active, with `cancel_at` set. Fees billed already are not credited."""
        subscription = subscription_of(subscription_id, self.visible_to)
        cancel = _CANCEL[self.read(CancelInput)["when"]]
        cancel(subscription_id=subscription_id, actor=self.actor, at=now_for(subscription.customer))
        return self.answer(SubscriptionOutput, subscription_of(subscription_id, self.visible_to))


def subscription_of(subscription_id: str, visible_to: int | None) -> Subscription:
    """One subscription with its items, if the caller may see it. Raises NotFound."""
    return get_or_not_found(_visible(visible_to), kind="subscription", public_id=subscription_id)


def _visible(visible_to: int | None) -> QuerySet[Subscription]:
    items = SubscriptionItem.objects.select_related("price").order_by("price__position")
    return (
        subscriptions_visible_to(customer_id=visible_to)
        .select_related("customer__test_clock")
        .prefetch_related(Prefetch("items", items))
    )


def _plan_version(plan_code: str | None, version_id: str | None) -> PlanVersion:
    if (plan_code is None) == (version_id is None):
        raise InvalidInput("Name either the plan or the plan version.", field="plan")
    if version_id is not None:
        return get_or_not_found(
            catalog.plan_versions(), kind="plan_version", field="plan_version", public_id=version_id
        )
    version = catalog.latest_published_version(plan_code=str(plan_code))
    if version is None:
        raise NotFound("published_plan", field="plan")
    return version
