"""This machine and its settings, as far as they can be judged without asking a server."""

import os
import shutil
import smtplib
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from re import findall
from urllib.parse import urlsplit

import typst
from django.conf import settings
from django.core.checks import run_checks

from valueverse.doctor.findings import Result, note, ok, problem

OLDEST_PYTHON = (3, 11)
DISK_FREE_MIB = 1024  # room for the write-ahead log of a run and its documents
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "testserver"})
MAIL_SECONDS = 3


def python() -> Iterator[Result]:
    shown = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        yield problem("python", f"this is Python {shown}", "make the environment with Python 3.11 or newer")
    else:
        yield ok("python", shown)


def packages() -> Iterator[Result]:
    """Compares what is installed with requirements.txt (lines for other platforms have a marker and are skipped)."""
    text = (settings.BASE_DIR / "requirements.txt").read_text()
    different = []
    for name, wanted in findall(r"(?m)^([a-z0-9._-]+)==([^ ;\\]+) *\\?$", text):
        try:
            found = version(name)
        except PackageNotFoundError:
            found = "missing"
        if found != wanted:
            different.append(f"{name} {found} instead of {wanted}")
    if different:
        yield problem("packages", "; ".join(different), "pip install -r requirements.txt")
    else:
        yield ok("packages", "as in requirements.txt")


def secret_key() -> Iterator[Result]:
    if settings.SECRET_KEY.startswith("django-insecure") or len(set(settings.SECRET_KEY)) < 10:
        yield problem(
            "secret key",
            "SECRET_KEY is a placeholder",
            "SECRET_KEY=$(python -c 'import secrets; print(secrets.token_urlsafe(64))')",
        )
    elif os.environ.get("SECRET_KEY") or os.environ.get("SECRET_KEY_FILE"):
        yield ok("secret key", "given by the environment")
    else:
        yield ok("secret key", "made up once, kept in the var folder")


def debug() -> Iterator[Result]:
    if settings.DEBUG and _is_public():
        yield problem("debug", "DEBUG is on and others can reach the site", "unset DEBUG")
    elif settings.DEBUG:
        yield note("debug", "DEBUG is on: tracebacks are shown in the browser")
    else:
        yield ok("debug", "off")


def addresses() -> Iterator[Result]:
    """Host names, HTTPS and the address in links have to agree."""
    problems = list(_address_problems())
    yield from problems
    if not problems:
        yield ok("addresses", f"{settings.SITE_URL}, hosts {', '.join(settings.ALLOWED_HOSTS)}")


def mail() -> Iterator[Result]:
    folder = getattr(settings, "EMAIL_FILE_PATH", None)
    if folder:
        yield note("mail", f"no mail server: mails are written to {folder} (set EMAIL_URL to send them)")
        return
    host, port = settings.EMAIL_HOST, settings.EMAIL_PORT
    connect = smtplib.SMTP_SSL if settings.EMAIL_USE_SSL else smtplib.SMTP
    try:
        with connect(host, port, timeout=MAIL_SECONDS):
            yield ok("mail", f"{host}:{port} answers")
    except (OSError, smtplib.SMTPException) as error:
        yield problem(
            "mail", f"{host}:{port} does not answer: {error}", "correct EMAIL_URL or start the mail server"
        )


def documents() -> Iterator[Result]:
    pdf = typst.compile(b"doctor")
    if pdf.startswith(b"%PDF"):
        yield ok("documents", f"typst {version('typst')} makes PDFs")
    else:
        yield problem(
            "documents", "typst does not make PDFs", "pip install --force-reinstall -r requirements.txt"
        )


def var_folder() -> Iterator[Result]:
    """The folder, or the parent in which it will be made, has to be writable and to have room."""
    folder: Path = settings.VAR_DIR
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        yield problem("var folder", f"{existing} cannot be written", "change its owner or set VV_VAR_DIR")
    elif existing != folder:
        yield note("var folder", f"{folder} will be made at first use")
    else:
        yield ok("var folder", str(folder))
    free = shutil.disk_usage(existing).free // 2**20
    if free < DISK_FREE_MIB:
        yield problem("disk", f"{free} MiB free at {existing}", f"make room: {DISK_FREE_MIB} MiB at least")
    else:
        yield ok("disk", f"{free // 1024} GiB free")


def wiring() -> Iterator[Result]:
    """Django's checks, among them that reactions and the schedule name tasks that exist."""
    try:
        found = run_checks()
    except Exception as error:  # noqa: BLE001  (code that does not load is a finding too)
        yield problem("wiring", f"the code does not load: {type(error).__name__}: {error}", "manage.py check")
        return
    complaints = [message for message in found if not message.is_silenced() and message.is_serious()]
    for message in complaints:
        yield problem(
            "wiring", f"{message.msg} ({message.id})", message.hint or "correct the code or the settings"
        )
    if not complaints:
        yield ok("wiring", "system checks pass, reactions and schedule resolve")


def _is_public() -> bool:
    return bool(set(settings.ALLOWED_HOSTS) - LOOPBACK_NAMES)


def _address_problems() -> Iterator[Result]:
    if "*" in settings.ALLOWED_HOSTS:
        yield problem(
            "addresses",
            "ALLOWED_HOSTS allows every host name",
            "name the hosts under which the site is reached",
        )
    if _is_public() and not settings.HTTPS:
        yield problem(
            "addresses", "others can reach the site, but not over HTTPS", "VV_HTTPS=true behind a TLS proxy"
        )
    if settings.HTTPS and not settings.SITE_URL.startswith("https://"):
        yield problem(
            "addresses", f"SITE_URL is {settings.SITE_URL} though HTTPS is on", "SITE_URL=https://..."
        )
    host = urlsplit(settings.SITE_URL).hostname or ""
    if _is_public() and "*" not in settings.ALLOWED_HOSTS and host not in settings.ALLOWED_HOSTS:
        yield problem(
            "addresses", f"links lead to {host}, which ALLOWED_HOSTS refuses", "make SITE_URL one of them"
        )
    for origin in settings.CORS_ALLOWED_ORIGINS:
        if not origin.startswith("https://") and urlsplit(origin).hostname not in LOOPBACK_NAMES:
            yield problem(
                "addresses", f"CORS_ALLOWED_ORIGINS has {origin}, which is not HTTPS", "use https://"
            )


CHECKS = (python, packages, secret_key, debug, addresses, mail, documents, var_folder, wiring)
