from django.apps import AppConfig


class ActivityConfig(AppConfig):
    name = "billing.activity"
    label = "activity"
    verbose_name = "Activity"
