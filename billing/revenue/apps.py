from django.apps import AppConfig


class RevenueConfig(AppConfig):
    name = "billing.revenue"
    label = "revenue"
    verbose_name = "Revenue"
