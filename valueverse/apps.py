"""The wiring as a Django app, so that its commands, checks and templates are found."""

from importlib import import_module

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class FinanceAdminConfig(AdminConfig):
    """Makes the back office the one admin site, so that every registration lands on it."""

    default_site = "valueverse.admin_site.FinanceAdminSite"


class ValueVerseConfig(AppConfig):
    name = "valueverse"
    label = "valueverse"
    verbose_name = "ValueVerse"

    def ready(self) -> None:
        """What needs loaded apps: the current Celery application, the system checks, the notes of who signs in."""
        import_module("valueverse.celery")
        import_module("valueverse.checks")
        import_module("valueverse.sessions").connect()
