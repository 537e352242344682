"""What lies under /api/v1/: each app's own urls, and the document that describes them."""

from django.urls import URLPattern, URLResolver, include, path

from valueverse import api_docs

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("customers.api.urls")),
    path("", include("billing.catalog.api.urls")),
    path("", include("billing.usage.api.urls")),
    path("", include("billing.subscriptions.api.urls")),
    path("", include("billing.invoices.api.urls")),
    path("", include("payments.api.urls")),
    path("", include("valueverse.live.api")),
    path("schema", api_docs.schema, name="api-schema"),
    path("docs", api_docs.docs, name="api-docs"),
]
