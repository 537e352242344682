from importlib import import_module

from django.apps import AppConfig


class CustomersConfig(AppConfig):
    name = "customers"
    label = "customers"
    verbose_name = "Customers"

    def ready(self) -> None:
        """Tell the OpenAPI generator about API keys; it looks among what has been imported."""
        import_module("customers.api.schema")
