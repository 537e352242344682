from django.apps import AppConfig

from billing.platform import metrics


class ActivityConfig(AppConfig):
    name = "billing.activity"
    label = "activity"
    verbose_name = "Activity"

    def ready(self) -> None:
        from billing.activity.selectors import outbox_age_seconds  # noqa: PLC0415 - models load with the app

        metrics.OUTBOX_AGE.ask(outbox_age_seconds)
