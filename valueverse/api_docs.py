"""The OpenAPI document of the API, and the page that renders it.

Both are for those who run the installation or may call it: by address (OPERATIONS_ALLOWED_IPS), signed in to the back
office, or with credentials of the API.
"""

from typing import Any

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView
from rest_framework_simplejwt.authentication import JWTAuthentication

from customers.api.authentication import ApiKeyAuthentication
from valueverse.client_address import is_operator

DESCRIPTION = """\
Subscriptions and metered usage in; invoices, payments and books out.

**Signing in.** Programs send an API key, `Authorization: Bearer vv_...`; it acts by its scopes, and a key bound to a
customer sees that customer alone. People exchange mail address and password for a JWT and act by their permissions.

**Values.** Money, quantities and rates are decimal strings in major units, never JSON numbers; an object has one
`currency`. Instants are ISO 8601 with an offset and answered in UTC; days are `YYYY-MM-DD`. A field that is not
documented is refused by name.

**Lists** come newest first in pages of `limit` (50, at most 200); `next_cursor` of a page is `cursor` of the next.

**Refusals** are problem details (RFC 9457, `application/problem+json`). `code` is stable; `errors` names the fields.
Somebody else's object is 404, as if it did not exist. 503 and 429 say in `Retry-After` when to try again.

<a id="idempotency"></a>
**Idempotency.** A POST that moves money needs an `Idempotency-Key`; others take one. Sent again with the same key, a
request gets its first answer byte by byte, with `Idempotent-Replayed: true`, for 30 days. Another request under the
same key is refused with 422, one whose first is still running with 409. Refusals before any effect are not kept: the
key stays usable.

**Rate limits.** Every answer says in `RateLimit` how many requests are left in the running minute.
"""


class ApiSchemaGenerator(SchemaGenerator):
    """The whole API, whoever asks, with the description above."""

    def get_schema(self, request: Request | None = None, public: bool = True) -> dict[str, Any]:
        document: dict[str, Any] = super().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
        document["info"]["description"] = DESCRIPTION
        return document


def openapi_schema() -> dict[str, Any]:
    """The OpenAPI document of the whole API."""
    generator: Any = ApiSchemaGenerator()  # type: ignore[no-untyped-call]
    return dict(generator.get_schema())


class MayReadDocs(BasePermission):
    """Operators, staff, and whoever may call the API."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return is_operator(request._request) or bool(request.user and request.user.is_authenticated)


AUTHENTICATION = [SessionAuthentication, ApiKeyAuthentication, JWTAuthentication]

schema = SpectacularAPIView.as_view(
    generator_class=ApiSchemaGenerator,
    permission_classes=[MayReadDocs],
    authentication_classes=AUTHENTICATION,
)
docs = SpectacularSwaggerSplitView.as_view(
    url_name="api-schema", permission_classes=[MayReadDocs], authentication_classes=AUTHENTICATION
)
