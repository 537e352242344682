"""What lies under /api/v1/: each app's own urls."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("customers.api.urls")),
    path("", include("billing.catalog.api.urls")),
    path("", include("billing.usage.api.urls")),
]
