"""Customers."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.core.errors import BillingError, Kind
from billing.platform.api.idempotency import idempotent
from billing.platform.api.permissions import Needs
from billing.platform.api.schema import page_of
from billing.platform.api.views import ApiView
from billing.platform.clock import now
from billing.platform.lookup import get_or_not_found
from billing.platform.scopes import Scope
from customers import selectors, services
from customers.api.serializers.customers import (
    CustomerChange,
    CustomerInput,
    CustomerOutput,
    CustomerQuery,
    VatCheckOutput,
)
from customers.models import Customer, VatCheck

_OWN_FIELDS = frozenset(
    {"name", "legal_name", "address", "language", "contacts", "buyer_reference", "purchase_order"}
)
"""What a key bound to a customer may change of it; the rest is agreed with the seller."""


class FieldForbidden(BillingError):
    """The caller may change this object, but not this field of it."""

    code = "field_forbidden"
    kind = Kind.FORBIDDEN


class CustomerList(ApiView):
    access = {
        "GET": Needs(Scope.CUSTOMERS_READ, "customers.view_customer", bound_keys=True),
        "POST": Needs(Scope.CUSTOMERS_WRITE, "customers.add_customer"),
    }

    @extend_schema(
        operation_id="list_customers",
        summary="List customers",
        tags=["customers"],
        parameters=[CustomerQuery],
        responses=page_of(CustomerOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        asked = self.query(CustomerQuery)
        found = selectors.customers_visible_to(self.visible_to)
        if "external_id" in asked:
            found = found.filter(external_id=asked["external_id"])
        if "test_clock" in asked:
            found = found.filter(test_clock__public_id=asked["test_clock"])
        return self.page(found, CustomerOutput)

    @extend_schema(
        operation_id="create_customer",
        summary="Create a customer",
        tags=["customers"],
        request=CustomerInput,
        responses={201: CustomerOutput},
    )
    @idempotent()
    def post(self, request: Request) -> Any:
        """On a test clock, the customer is created at the clock's time, and stays on it for good."""
        given = _with_rows(self.read(CustomerInput), self.visible_to)
        clock = given.pop("test_clock", None)
        at = clock.now_at if clock else now()
        customer = services.create_customer(test_clock=clock, actor=self.actor, at=at, **given)
        return self.answer(CustomerOutput, customer, status=201)


class CustomerDetail(ApiView):
    access = {
        "GET": Needs(Scope.CUSTOMERS_READ, "customers.view_customer", bound_keys=True),
        "PATCH": Needs(Scope.CUSTOMERS_WRITE, "customers.change_customer", bound_keys=True),
    }

    @extend_schema(
        operation_id="get_customer", summary="Get a customer", tags=["customers"], responses=CustomerOutput
    )
    def get(self, request: Request, customer_id: str) -> Response:
        return self.answer(CustomerOutput, _customer(customer_id, self.visible_to))

    @extend_schema(
        operation_id="update_customer",
        summary="Change a customer",
        tags=["customers"],
        request=CustomerChange,
        responses=CustomerOutput,
    )
    @idempotent()
    def patch(self, request: Request, customer_id: str) -> Any:
        """What is left out stays. Running subscriptions keep the terms they started with."""
        customer = _customer(customer_id, self.visible_to)
        given = self.read(CustomerChange)
        if self.visible_to is not None and not given.keys() <= _OWN_FIELDS:
            texts = ["Only the seller changes this field."]
            raise FieldForbidden(
                "Some of these fields are not yours to change.",
                fields=dict.fromkeys(sorted(given.keys() - _OWN_FIELDS), texts),
            )
        changed = services.update_customer(
            customer=customer,
            actor=self.actor,
            at=selectors.now_for(customer),
            **_with_rows(given, self.visible_to),
        )
        return self.answer(CustomerOutput, _customer(changed.public_id, self.visible_to))


class VatCheckList(ApiView):
    access = {
        "GET": Needs(Scope.CUSTOMERS_READ, "customers.view_customer", bound_keys=True),
        "POST": Needs(Scope.CUSTOMERS_WRITE, "customers.change_customer"),
    }

    @extend_schema(
        operation_id="list_vat_checks",
        summary="List VAT number checks",
        tags=["customers"],
        responses=page_of(VatCheckOutput),
    )
    def get(self, request: Request, customer_id: str) -> Response:
        """What VIES answered about the customer's VAT numbers, newest first."""
        customer = _customer(customer_id, self.visible_to)
        return self.page(
            VatCheck.objects.filter(customer=customer).select_related("customer"), VatCheckOutput
        )

    @extend_schema(
        operation_id="request_vat_check",
        summary="Check the VAT number now",
        tags=["customers"],
        request=None,
        responses={202: None},
    )
    @idempotent()
    def post(self, request: Request, customer_id: str) -> Any:
        """VIES is asked within seconds; its answer is then in the list."""
        customer = _customer(customer_id, self.visible_to)
        services.request_vat_check(customer=customer, actor=self.actor, at=now())
        return Response(status=202)


def _customer(customer_id: str, visible_to: int | None) -> Customer:
    return get_or_not_found(
        selectors.customers_visible_to(visible_to), kind="customer", public_id=customer_id
    )


def _with_rows(given: dict[str, Any], visible_to: int | None) -> dict[str, Any]:
    """The input with rows in the place of their ids."""
    if given.get("legal_entity") is not None:
        given["legal_entity"] = get_or_not_found(
            selectors.legal_entities(),
            kind="legal_entity",
            field="legal_entity",
            public_id=given["legal_entity"],
        )
    if given.get("payer") is not None:
        given["payer"] = get_or_not_found(
            selectors.customers_visible_to(visible_to),
            kind="customer",
            field="payer",
            public_id=given["payer"],
        )
    if given.get("test_clock") is not None:
        given["test_clock"] = get_or_not_found(
            selectors.test_clocks(), kind="test_clock", field="test_clock", public_id=given["test_clock"]
        )
    return given
