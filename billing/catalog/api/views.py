"""The catalog over HTTP. Codes name things of the catalog in inputs; ids name them in addresses."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.catalog import selectors, services
from billing.catalog.api.serializers import (
    CodeQuery,
    MeterInput,
    MeterOutput,
    PlanInput,
    PlanOutput,
    PlanVersionInput,
    PlanVersionOutput,
    PriceDetailOutput,
    PriceQuery,
    ProductInput,
    ProductOutput,
    TaxRateInput,
    TaxRateOutput,
    TaxRateQuery,
)
from billing.catalog.models import Meter, Plan, PlanVersion
from billing.catalog.services import PriceInput
from billing.platform.api.idempotency import idempotent
from billing.platform.api.permissions import Needs
from billing.platform.api.schema import page_of
from billing.platform.api.views import ApiView, only
from billing.platform.clock import now
from billing.platform.lookup import get_or_not_found
from billing.platform.scopes import Scope


def _reads(model: str) -> Needs:
    """Everybody who may read the catalog sees all of it: it holds nothing of any customer."""
    return Needs(Scope.CATALOG_READ, f"catalog.view_{model}", bound_keys=True)


def _writes(permission: str) -> Needs:
    return Needs(Scope.CATALOG_WRITE, f"catalog.{permission}")


class MeterList(ApiView):
    access = {"GET": _reads("meter"), "POST": _writes("add_meter")}

    @extend_schema(
        operation_id="list_meters",
        summary="List meters",
        tags=["catalog"],
        parameters=[CodeQuery],
        responses=page_of(MeterOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        return self.page(selectors.meters().filter(**only(self.query(CodeQuery), code="code")), MeterOutput)

    @extend_schema(
        operation_id="create_meter",
        summary="Create a meter",
        tags=["catalog"],
        request=MeterInput,
        responses={201: MeterOutput},
    )
    @idempotent()
    def post(self, request: Request) -> Any:
        """It reads the events that arrive from now on; one event feeds every meter of its type."""
        meter = services.create_meter(**self.read(MeterInput), actor=self.actor, at=now())
        return self.answer(MeterOutput, meter, status=201)


class MeterDetail(ApiView):
    access = {"GET": _reads("meter")}

    @extend_schema(operation_id="get_meter", summary="Get a meter", tags=["catalog"], responses=MeterOutput)
    def get(self, request: Request, meter_id: str) -> Response:
        return self.answer(
            MeterOutput, get_or_not_found(selectors.meters(), kind="meter", public_id=meter_id)
        )


class ProductList(ApiView):
    access = {"GET": _reads("product"), "POST": _writes("add_product")}

    @extend_schema(
        operation_id="list_products",
        summary="List products",
        tags=["catalog"],
        parameters=[CodeQuery],
        responses=page_of(ProductOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        return self.page(
            selectors.products().filter(**only(self.query(CodeQuery), code="code")), ProductOutput
        )

    @extend_schema(
        operation_id="create_product",
        summary="Create a product",
        tags=["catalog"],
        request=ProductInput,
        responses={201: ProductOutput},
    )
    @idempotent()
    def post(self, request: Request) -> Any:
        """Plans belong to a product; revenue is reported by it."""
        product = services.create_product(**self.read(ProductInput), actor=self.actor, at=now())
        return self.answer(ProductOutput, product, status=201)


class ProductDetail(ApiView):
    access = {"GET": _reads("product")}

    @extend_schema(
        operation_id="get_product", summary="Get a product", tags=["catalog"], responses=ProductOutput
    )
    def get(self, request: Request, product_id: str) -> Response:
        product = get_or_not_found(selectors.products(), kind="product", public_id=product_id)
        return self.answer(ProductOutput, product)


class PlanList(ApiView):
    access = {"GET": _reads("plan"), "POST": _writes("add_plan")}

    @extend_schema(
        operation_id="list_plans",
        summary="List plans",
        tags=["catalog"],
        parameters=[CodeQuery],
        responses=page_of(PlanOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first, each with all its versions and their prices."""
        return self.page(selectors.plans().filter(**only(self.query(CodeQuery), code="code")), PlanOutput)

    @extend_schema(
        operation_id="create_plan",
        summary="Create a plan",
        tags=["catalog"],
        request=PlanInput,
        responses={201: PlanOutput},
    )
    @idempotent()
    def post(self, request: Request) -> Any:
        """Without versions yet: add one, with its prices, and publish it."""
        given = self.read(PlanInput)
        given["product"] = get_or_not_found(
            selectors.products(), kind="product", field="product", code=given["product"]
        )
        plan = services.create_plan(**given, actor=self.actor, at=now())
        return self.answer(PlanOutput, _plan(plan.public_id), status=201)


class PlanDetail(ApiView):
    access = {"GET": _reads("plan")}

    @extend_schema(operation_id="get_plan", summary="Get a plan", tags=["catalog"], responses=PlanOutput)
    def get(self, request: Request, plan_id: str) -> Response:
        return self.answer(PlanOutput, _plan(plan_id))


class PlanVersionList(ApiView):
    access = {"POST": _writes("add_planversion")}

    @extend_schema(
        operation_id="create_plan_version",
        summary="Create a plan version",
        tags=["catalog"],
        request=PlanVersionInput,
        responses={201: PlanVersionOutput},
    )
    @idempotent()
    def post(self, request: Request, plan_id: str) -> Any:
        """The next version, with its prices in the order of the invoice. Publish it to open it for subscriptions."""
        plan = get_or_not_found(Plan.objects.all(), kind="plan", public_id=plan_id)
        given = self.read(PlanVersionInput)
        given["prices"] = [_price_input(index, one) for index, one in enumerate(given["prices"])]
        version = services.create_plan_version(plan=plan, **given, actor=self.actor, at=now())
        return self.answer(PlanVersionOutput, _version(version.public_id), status=201)


class PublishPlanVersion(ApiView):
    access = {"POST": _writes("change_planversion")}

    @extend_schema(
        operation_id="publish_plan_version",
        summary="Publish a plan version",
        tags=["catalog"],
        request=None,
        responses=PlanVersionOutput,
    )
    @idempotent()
    def post(self, request: Request, plan_version_id: str) -> Any:
        """From now on it never changes, and can be subscribed to. Publishing twice changes nothing."""
        version = _version(plan_version_id)
        services.publish_plan_version(plan_version=version, actor=self.actor, at=now())
        return self.answer(PlanVersionOutput, _version(plan_version_id))


class PlanVersionDetail(ApiView):
    access = {"GET": _reads("planversion")}

    @extend_schema(
        operation_id="get_plan_version",
        summary="Get a plan version",
        tags=["catalog"],
        responses=PlanVersionOutput,
    )
    def get(self, request: Request, plan_version_id: str) -> Response:
        return self.answer(PlanVersionOutput, _version(plan_version_id))


class PriceList(ApiView):
    access = {"GET": _reads("price")}

    @extend_schema(
        operation_id="list_prices",
        summary="List prices",
        tags=["catalog"],
        parameters=[PriceQuery],
        responses=page_of(PriceDetailOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first, over all plans and versions."""
        wanted = only(
            self.query(PriceQuery),
            plan="plan_version__plan__code",
            plan_version="plan_version__public_id",
            meter="meter__code",
        )
        return self.page(selectors.prices().filter(**wanted), PriceDetailOutput)


class PriceDetail(ApiView):
    access = {"GET": _reads("price")}

    @extend_schema(
        operation_id="get_price", summary="Get a price", tags=["catalog"], responses=PriceDetailOutput
    )
    def get(self, request: Request, price_id: str) -> Response:
        price = get_or_not_found(selectors.prices(), kind="price", public_id=price_id)
        return self.answer(PriceDetailOutput, price)


class TaxRateList(ApiView):
    access = {"GET": _reads("taxrate"), "POST": _writes("add_taxrate")}

    @extend_schema(
        operation_id="list_tax_rates",
        summary="List tax rates",
        tags=["catalog"],
        parameters=[TaxRateQuery],
        responses=page_of(TaxRateOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first, past and future ones too."""
        wanted = only(self.query(TaxRateQuery), country="country")
        return self.page(selectors.tax_rates().filter(**wanted), TaxRateOutput)

    @extend_schema(
        operation_id="create_tax_rate",
        summary="Create a tax rate",
        tags=["catalog"],
        request=TaxRateInput,
        responses={201: TaxRateOutput},
    )
    @idempotent()
    def post(self, request: Request) -> Any:
        """One rate per country, category and day. Documents issued before keep the rate they had."""
        rate = services.create_tax_rate(**self.read(TaxRateInput), actor=self.actor, at=now())
        return self.answer(TaxRateOutput, rate, status=201)


class TaxRateDetail(ApiView):
    access = {"GET": _reads("taxrate")}

    @extend_schema(
        operation_id="get_tax_rate", summary="Get a tax rate", tags=["catalog"], responses=TaxRateOutput
    )
    def get(self, request: Request, tax_rate_id: str) -> Response:
        rate = get_or_not_found(selectors.tax_rates(), kind="tax_rate", public_id=tax_rate_id)
        return self.answer(TaxRateOutput, rate)


def _plan(plan_id: str) -> Plan:
    return get_or_not_found(selectors.plans(), kind="plan", public_id=plan_id)


def _version(plan_version_id: str) -> PlanVersion:
    return get_or_not_found(selectors.plan_versions(), kind="plan_version", public_id=plan_version_id)


def _price_input(index: int, given: dict[str, Any]) -> PriceInput:
    meter: Meter | None = None
    if given.get("meter") is not None:
        meter = get_or_not_found(
            selectors.meters(), kind="meter", field=f"prices[{index}].meter", code=given["meter"]
        )
    return PriceInput(**{**given, "meter": meter})
