"""Signing in and out with JWT."""

from typing import ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny, BasePermission
from rest_framework.request import Request
from rest_framework.response import Response

from billing.platform.api.throttles import AddressThrottle
from billing.platform.api.views import ApiView
from customers.api.serializers.tokens import Credentials, RefreshInput, TokenPairOutput
from customers.api.tokens import end_token, obtain_tokens, refresh_tokens


class TokenView(ApiView):
    """Anybody may ask; how often is limited by address."""

    authentication_classes = []
    permission_classes: ClassVar[list[type[BasePermission]]] = [AllowAny]  # type: ignore[misc]
    throttle_classes = [AddressThrottle]

    def get_authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class ObtainTokens(TokenView):
    @extend_schema(
        operation_id="obtain_tokens",
        summary="Sign in",
        tags=["auth"],
        request=Credentials,
        responses=TokenPairOutput,
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """Mail address and password for a pair of tokens. Five failures lock the address out for 15 minutes."""
        return self.answer(TokenPairOutput, obtain_tokens(request._request, **self.read(Credentials)))


class RefreshTokens(TokenView):
    @extend_schema(
        operation_id="refresh_tokens",
        summary="Next pair of tokens",
        tags=["auth"],
        request=RefreshInput,
        responses=TokenPairOutput,
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """A refresh token is good once; presented again, it ends all tokens of the person."""
        return self.answer(TokenPairOutput, refresh_tokens(self.read(RefreshInput)["refresh"]))


class EndToken(TokenView):
    @extend_schema(
        operation_id="end_token",
        summary="Sign out",
        tags=["auth"],
        request=RefreshInput,
        responses={204: None},
        auth=[],
    )
    def post(self, request: Request) -> Response:
        """The refresh token works no more; the access token runs out by itself."""
        end_token(self.read(RefreshInput)["refresh"])
        return Response(status=204)
