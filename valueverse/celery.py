"""The Celery application: `celery -A valueverse worker`. Tasks lie in the apps, the schedule in `schedules.py`."""

import os

from celery import Celery

from valueverse.schedules import BEAT_SCHEDULE

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "valueverse.settings.base")

app = Celery("valueverse")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = BEAT_SCHEDULE
app.autodiscover_tasks()
