"""`POST /api/v1/live-tokens`: a token that opens one socket."""

from datetime import datetime
from typing import Any

from django.urls import URLPattern
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from billing.platform.api.fields import InstantField, TextField
from billing.platform.api.permissions import Needs
from billing.platform.api.principals import Principal
from billing.platform.api.serializers import Input, Output
from billing.platform.api.views import ApiView, endpoint
from billing.platform.lookup import get_or_not_found
from billing.platform.scopes import Scope
from customers.models import Customer, User
from customers.selectors import customers_visible_to
from valueverse.live.application import PATH
from valueverse.live.callers import password_mark
from valueverse.live.groups import customer_group
from valueverse.live.tokens import LiveToken, issue_token


class LiveTokenInput(Input):
    """Whose live figures the socket is to carry."""

    customer = TextField(max_length=36, help_text="Public id of the customer.")


class LiveTokenOutput(Output):
    """Connect to `path` with the subprotocols `valueverse.live.v1` and `valueverse.live.token.<token>`, or with
    `Authorization: Bearer <token>`; then send `{"type": "subscribe", "groups": ["<group>"]}`."""

    token = TextField(help_text="Opens one socket, once.")
    expires_at = InstantField(help_text="First instant at which it no longer opens one.")
    path = TextField(help_text="Where, on the same host as the API.")
    group = TextField(help_text="The only group that the socket may join.")


class LiveTokenList(ApiView):
    access = {"POST": Needs(Scope.LIVE_READ, "customers.view_customer", bound_keys=True)}

    @extend_schema(
        operation_id="create_live_token",
        summary="Open a socket",
        tags=["live"],
        request=LiveTokenInput,
        responses={201: LiveTokenOutput},
    )
    def post(self, request: Request) -> Response:
        """A token for one customer's socket: good for 60 seconds and once. Ask for a new one for each connection.

        The socket ends within 60 seconds of the key's end, or with the access token by which a person asked.
        """
        visible: Any = customers_visible_to(self.visible_to)
        customer = get_or_not_found(
            visible, kind="customer", field="customer", public_id=self.read(LiveTokenInput)["customer"]
        )
        text, expires_at = issue_token(_token_for(request, customer))
        return self.answer(LiveTokenOutput, _answer(text, expires_at, customer), status=201)


def _token_for(request: Request, customer: Customer) -> LiveToken:
    """What the token is given out for: the key, or the person and the time until their own token ends."""
    if isinstance(request.user, Principal):
        return LiveToken(customer.public_id, key_id=request.user.actor.public_id)
    user: User = request.user  # type: ignore[assignment]  # `access` lets in keys and staff
    claims: Any = request.auth
    until = int(claims["exp"]) if claims else 0
    return LiveToken(customer.public_id, user_id=user.public_id, until=until, mark=password_mark(user))


def _answer(text: str, expires_at: datetime, customer: Customer) -> dict[str, Any]:
    return {
        "token": text,
        "expires_at": expires_at,
        "path": PATH,
        "group": customer_group(customer.public_id).name,
    }


urlpatterns: list[URLPattern] = endpoint("live-tokens", LiveTokenList, "live-tokens")
