"""The addresses of the catalog under /api/v1/."""

from billing.catalog.api import views
from billing.platform.api.views import endpoint

urlpatterns = [
    *endpoint("meters", views.MeterList, "meters"),
    *endpoint("meters/<str:meter_id>", views.MeterDetail, "meter"),
    *endpoint("products", views.ProductList, "products"),
    *endpoint("products/<str:product_id>", views.ProductDetail, "product"),
    *endpoint("plans", views.PlanList, "plans"),
    *endpoint("plans/<str:plan_id>", views.PlanDetail, "plan"),
    *endpoint("plans/<str:plan_id>/versions", views.PlanVersionList, "plan-versions"),
    *endpoint("plan-versions/<str:plan_version_id>", views.PlanVersionDetail, "plan-version"),
    *endpoint(
        "plan-versions/<str:plan_version_id>/publish", views.PublishPlanVersion, "plan-version-publish"
    ),
    *endpoint("prices", views.PriceList, "prices"),
    *endpoint("prices/<str:price_id>", views.PriceDetail, "price"),
    *endpoint("tax-rates", views.TaxRateList, "tax-rates"),
    *endpoint("tax-rates/<str:tax_rate_id>", views.TaxRateDetail, "tax-rate"),
]
