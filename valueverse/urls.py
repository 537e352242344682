"""Every address of the installation."""

from django.contrib import admin
from django.urls import include, path

from valueverse import errors, health, metrics
from valueverse.backoffice.live import approvals_part
from valueverse.portal.views.signing_in import start

handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = errors.not_found
handler500 = errors.server_error

urlpatterns = [
    path("", start, name="home"),
    path("admin/live/approvals/", admin.site.admin_view(approvals_part), name="live-approvals"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("valueverse.api_urls")),
    path("portal/", include("valueverse.portal.urls")),
    path("health", health.overview, name="health"),
    path("health/live", health.live, name="health-live"),
    path("health/ready", health.ready, name="health-ready"),
    path("health/startup", health.startup, name="health-startup"),
    path("metrics", metrics.metrics, name="metrics"),
]
