"""How API keys read in the OpenAPI document. Imported when the app is ready: importing it registers it."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """`Authorization: Bearer vv_...`; `X-Api-Key` works too."""

    target_class = "customers.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "vv_live_... or vv_test_...",
            "description": "An API key, made with `manage.py create_api_key`. The header X-Api-Key takes it too.",
        }
