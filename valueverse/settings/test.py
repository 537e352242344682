"""The settings of the test suite: servers and data of its own, no durability, one Redis database per process."""

import os
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit, urlunsplit

_VAR = Path(__file__).resolve().parents[2] / "var" / "test"
os.environ["VV_VAR_DIR"] = str(_VAR)  # never the data of the demo, whatever the shell says
os.environ["VV_EMBEDDED_FSYNC"] = "off"
os.environ.setdefault("LOG_LEVEL", "WARNING")
os.environ.setdefault("LOG_FORMAT", "human")
os.environ.pop("VV_HTTPS", None)
os.environ["STAFF_SECOND_FACTOR"] = "optional"  # the tests of signing in set it to required

from valueverse.settings.base import *  # noqa: E402, F403
from valueverse.settings.base import CACHES, CHANNEL_LAYERS  # noqa: E402
from valueverse.settings.base import REDIS_URL as _SHARED_REDIS_URL  # noqa: E402
from valueverse.settings.databases import channel_prefix  # noqa: E402

REDIS_DATABASES = 16  # what a Redis server has unless told otherwise


def _claim_redis_database() -> tuple[int, IO[str]]:
    """The number of a Redis database that no other test process uses, and the file whose lock says so."""
    _VAR.mkdir(parents=True, exist_ok=True)
    for number in range(REDIS_DATABASES):
        file = (_VAR / f"redis-{number}.lock").open("w")
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            file.close()
            continue
        return number, file
    raise RuntimeError(f"all {REDIS_DATABASES} Redis databases are in use by test processes")


_number, _REDIS_LOCK = (
    _claim_redis_database()
)  # the name keeps the file open, and so locked, until the process ends
REDIS_URL = urlunsplit(urlsplit(_SHARED_REDIS_URL)._replace(path=f"/{_number}"))
CELERY_BROKER_URL = REDIS_URL
CACHES["default"]["LOCATION"] = REDIS_URL
CHANNEL_LAYERS["default"]["CONFIG"]["hosts"][0]["address"] = REDIS_URL
CHANNEL_LAYERS["default"]["CONFIG"]["prefix"] = channel_prefix(REDIS_URL)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # Argon2 is slow on purpose
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
VIES_URL = "http://127.0.0.1:9/nobody-answers"  # no test asks the register of the EU
VIES_TIMEOUT = 2
