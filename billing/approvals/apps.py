from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "billing.approvals"
    label = "approvals"
    verbose_name = "Approvals"
