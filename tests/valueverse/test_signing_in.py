"""Guessing passwords at the admin's door, and the cookies of who came in."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from customers.models import User
from tests.valueverse.commands import ROOT, clean_environment

PASSWORD = "correct horse battery staple"
QUESTION = """
import json
from django.conf import settings
names = ["SESSION_COOKIE_NAME", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_NAME", "CSRF_COOKIE_SECURE",
         "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS"]
print(json.dumps({name: getattr(settings, name) for name in names}))
"""


def attempt(password: str, *, address: str = "203.0.113.7", email: str = "fiona@example.com") -> int:
    client = Client(REMOTE_ADDR=address)
    return client.post("/admin/login/?next=/admin/", {"username": email, "password": password}).status_code


@pytest.fixture
def fiona(db: None) -> User:
    return User.objects.create_superuser(email="fiona@example.com", password=PASSWORD)


def test_the_right_password_opens(fiona: User) -> None:
    assert attempt(PASSWORD) == 302


def test_after_five_wrong_guesses_even_the_right_password_waits(fiona: User) -> None:
    assert [attempt("wrong") for _ in range(settings.AXES_FAILURE_LIMIT)][-1] == 429
    assert attempt(PASSWORD) == 429
    assert attempt(PASSWORD, address="203.0.113.8") == 429, "the account is protected from every place"


def test_one_place_cannot_try_many_accounts(fiona: User) -> None:
    for number in range(settings.AXES_FAILURE_LIMIT):
        attempt("wrong", email=f"somebody{number}@example.com")
    assert attempt(PASSWORD) == 429
    assert attempt(PASSWORD, address="203.0.113.8") == 302, "others are not held up"


def cookies_and_https(**environment: str) -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-c", QUESTION],
        env=clean_environment(
            DJANGO_SETTINGS_MODULE="valueverse.settings.base", VV_EMBEDDED_AUTOSTART="false", **environment
        ),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def test_over_https_cookies_are_bound_to_the_host(tmp_path: Path) -> None:
    assert cookies_and_https(VV_HTTPS="true", VV_VAR_DIR=str(tmp_path)) == {
        "SESSION_COOKIE_NAME": "__Host-session",
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_NAME": "__Host-csrf",
        "CSRF_COOKIE_SECURE": True,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_HSTS_SECONDS": 2 * 365 * 24 * 60 * 60,
    }


def test_on_one_s_own_machine_plain_http_works(tmp_path: Path) -> None:
    found = cookies_and_https(VV_VAR_DIR=str(tmp_path))
    assert found["SESSION_COOKIE_NAME"] == "session"
    assert found["SECURE_SSL_REDIRECT"] is False
