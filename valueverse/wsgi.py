"""The web process: `granian --interface wsgi valueverse.wsgi:application`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "valueverse.settings.base")
# Nobody waits longer for a page; runs and tasks have their own limits.
os.environ.setdefault("DATABASE_STATEMENT_TIMEOUT", "30s")

application = get_wsgi_application()
