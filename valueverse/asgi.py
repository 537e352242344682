"""The live process: `manage.py serve_live`. Sockets only; pages and the API are served by the web process (wsgi.py)."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "valueverse.settings.base")
# A question of this process is a small one; a slow one must not hold up everybody else's.
os.environ.setdefault("DATABASE_STATEMENT_TIMEOUT", "10s")
django.setup()

from valueverse.live.application import LiveApplication  # noqa: E402  (models need a set-up Django)

application = LiveApplication()
