"""The addresses of this app under /api/v1/."""

from billing.platform.api.views import endpoint
from billing.subscriptions.api import views

urlpatterns = [
    *endpoint("subscriptions", views.SubscriptionList, "subscriptions"),
    *endpoint("subscriptions/<str:subscription_id>", views.SubscriptionDetail, "subscription"),
    *endpoint("subscriptions/<str:subscription_id>/cancel", views.CancelSubscription, "subscription-cancel"),
]
