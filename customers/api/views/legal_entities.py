"""Legal entities and test clocks."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.platform.api.idempotency import idempotent
from billing.platform.api.permissions import Needs
from billing.platform.api.schema import page_of
from billing.platform.api.serializers import Query
from billing.platform.api.views import ApiView
from billing.platform.clock import now
from billing.platform.lookup import get_or_not_found
from billing.platform.scopes import Scope
from customers import selectors, services
from customers.api.serializers.legal_entities import (
    LegalEntityChange,
    LegalEntityInput,
    LegalEntityOutput,
    TaxRegistrationNew,
    TaxRegistrationOut,
    TestClockAdvance,
    TestClockInput,
    TestClockOutput,
)
from customers.models import LegalEntity


class LegalEntityList(ApiView):
    access = {
        "GET": Needs(Scope.CUSTOMERS_READ, "customers.view_legalentity"),
        "POST": Needs(Scope.CUSTOMERS_WRITE, "customers.add_legalentity"),
    }

    @extend_schema(
        operation_id="list_legal_entities",
        summary="List legal entities",
        tags=["legal entities"],
        parameters=[Query],
        responses=page_of(LegalEntityOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        self.query()
        return self.page(selectors.legal_entities(), LegalEntityOutput)

    @extend_schema(
        operation_id="create_legal_entity",
        summary="Create a legal entity",
        tags=["legal entities"],
        request=LegalEntityInput,
        responses={201: LegalEntityOutput},
    )
    @idempotent()
    def post(self, request: Request) -> Any:
        """A seller, with a number series per document type. Whether it is for tests never changes."""
        entity = services.create_legal_entity(**self.read(LegalEntityInput), actor=self.actor, at=now())
        return self.answer(LegalEntityOutput, entity, status=201)


class LegalEntityDetail(ApiView):
    access = {
        "GET": Needs(Scope.CUSTOMERS_READ, "customers.view_legalentity"),
        "PATCH": Needs(Scope.CUSTOMERS_WRITE, "customers.change_legalentity"),
    }

    @extend_schema(
        operation_id="get_legal_entity",
        summary="Get a legal entity",
        tags=["legal entities"],
        responses=LegalEntityOutput,
    )
    def get(self, request: Request, legal_entity_id: str) -> Response:
        return self.answer(LegalEntityOutput, _legal_entity(legal_entity_id))

    @extend_schema(
        operation_id="update_legal_entity",
        summary="Change a legal entity",
        tags=["legal entities"],
        request=LegalEntityChange,
        responses=LegalEntityOutput,
    )
    @idempotent()
    def patch(self, request: Request, legal_entity_id: str) -> Any:
        """What is left out stays, and so do issued documents. The country stays for good."""
        entity = _legal_entity(legal_entity_id)
        services.update_legal_entity(
            legal_entity=entity,
            actor=self.actor,
            at=selectors.now_for_seller(entity),
            **self.read(LegalEntityChange),
        )
        return self.answer(LegalEntityOutput, _legal_entity(legal_entity_id))


class TaxRegistrationList(ApiView):
    access = {"POST": Needs(Scope.CUSTOMERS_WRITE, "customers.add_taxregistration")}

    @extend_schema(
        operation_id="add_tax_registration",
        summary="Add a tax registration",
        tags=["legal entities"],
        request=TaxRegistrationNew,
        responses={201: TaxRegistrationOut},
    )
    @idempotent()
    def post(self, request: Request, legal_entity_id: str) -> Any:
        """A VAT or tax number in a country, from a day on; two of a country never hold on the same day."""
        entity = _legal_entity(legal_entity_id)
        added = services.add_tax_registration(
            legal_entity=entity,
            registration=services.TaxRegistrationInput(**self.read(TaxRegistrationNew)),
            actor=self.actor,
            at=selectors.now_for_seller(entity),
        )
        return self.answer(TaxRegistrationOut, added, status=201)


class TestClockList(ApiView):
    __test__ = False

    access = {
        "GET": Needs(Scope.CUSTOMERS_READ, "customers.view_testclock"),
        "POST": Needs(Scope.CLOCKS_WRITE, "customers.add_testclock"),
    }

    @extend_schema(
        operation_id="list_test_clocks",
        summary="List test clocks",
        tags=["test clocks"],
        parameters=[Query],
        responses=page_of(TestClockOutput),
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        self.query()
        return self.page(selectors.test_clocks(), TestClockOutput)

    @extend_schema(
        operation_id="create_test_clock",
        summary="Create a test clock",
        tags=["test clocks"],
        request=TestClockInput,
        responses={201: TestClockOutput},
    )
    @idempotent()
    def post(self, request: Request) -> Any:
        """Lives only under a legal entity marked as test; customers join it when they are created."""
        given = self.read(TestClockInput)
        given["legal_entity"] = get_or_not_found(
            selectors.legal_entities(),
            kind="legal_entity",
            field="legal_entity",
            public_id=given["legal_entity"],
        )
        clock = services.create_test_clock(**given, actor=self.actor, at=now())
        return self.answer(TestClockOutput, clock, status=201)


class TestClockDetail(ApiView):
    __test__ = False

    access = {"GET": Needs(Scope.CUSTOMERS_READ, "customers.view_testclock")}

    @extend_schema(
        operation_id="get_test_clock",
        summary="Get a test clock",
        tags=["test clocks"],
        responses=TestClockOutput,
    )
    def get(self, request: Request, test_clock_id: str) -> Response:
        clock = get_or_not_found(selectors.test_clocks(), kind="test_clock", public_id=test_clock_id)
        return self.answer(TestClockOutput, clock)


class AdvanceTestClock(ApiView):
    access = {"POST": Needs(Scope.CLOCKS_WRITE, "customers.change_testclock")}

    @extend_schema(
        operation_id="advance_test_clock",
        summary="Advance a test clock",
        tags=["test clocks"],
        request=TestClockAdvance,
        responses=TestClockOutput,
    )
    @idempotent()
    def post(self, request: Request, test_clock_id: str) -> Any:
        """Only forward, at most two years at once. What falls due by then is worked off afterwards."""
        clock = get_or_not_found(selectors.test_clocks(), kind="test_clock", public_id=test_clock_id)
        moved = services.advance_test_clock(
            clock=clock, **self.read(TestClockAdvance), actor=self.actor, at=now()
        )
        return self.answer(TestClockOutput, moved)


def _legal_entity(legal_entity_id: str) -> LegalEntity:
    return get_or_not_found(selectors.legal_entities(), kind="legal_entity", public_id=legal_entity_id)
