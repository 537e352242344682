"""Mail written to files where no mail server is set: one `.eml` a message, which any mail program opens."""

from collections.abc import Sequence
from pathlib import Path

from django.conf import settings
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

from billing.platform.clock import now
from billing.platform.ids import new_public_id


class EmlFileBackend(BaseEmailBackend):
    """Writes each message whole or not at all into EMAIL_FILE_PATH, named by time so that a listing is in order."""

    def __init__(self, *, file_path: str | None = None, fail_silently: bool = False) -> None:
        super().__init__(fail_silently=fail_silently)
        self.folder = Path(file_path or str(getattr(settings, "EMAIL_FILE_PATH")))  # noqa: B009 - set by mail_settings only

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        for message in email_messages:
            path = self.folder / f"{now():%Y%m%d-%H%M%S}-{new_public_id('eml')[-6:]}.eml"
            partial = path.with_suffix(".part")
            partial.write_bytes(message.message().as_bytes())
            partial.rename(path)
        return len(email_messages)
