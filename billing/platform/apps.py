from django.apps import AppConfig


class PlatformConfig(AppConfig):
    name = "billing.platform"
    label = "platform"
    verbose_name = "Platform"
