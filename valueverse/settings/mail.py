"""From EMAIL_URL to Django's mail settings."""

from pathlib import Path
from urllib.parse import unquote, urlsplit


def mail_settings(url: str, *, folder: Path) -> dict[str, object]:
    """Django's EMAIL_* settings for `url`.

    url: smtp:// (STARTTLS where a user is named), smtps:// (TLS from the start), file:///folder, or "" for files
        in `folder`: without a mail server nothing is lost and everything can be read.
    """
    parts = urlsplit(url)
    if parts.scheme in ("", "file"):
        return {
            "EMAIL_BACKEND": "valueverse.mail_files.EmlFileBackend",
            "EMAIL_FILE_PATH": parts.path if parts.scheme else str(folder),
        }
    implicit_tls = parts.scheme == "smtps"
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if implicit_tls else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": implicit_tls,
        "EMAIL_USE_TLS": not implicit_tls and bool(parts.username),
        "EMAIL_TIMEOUT": 10,
    }
