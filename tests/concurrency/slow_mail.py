"""A mail server that takes its time: it says that a mail has come in, and answers when it is told to."""

from collections.abc import Sequence
from threading import Event

from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend

came_in, may_answer = Event(), Event()
delivered: list[EmailMessage] = []


class SlowMailServer(BaseEmailBackend):
    """The backend for EMAIL_BACKEND."""

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        came_in.set()
        may_answer.wait(30)
        delivered.extend(email_messages)
        return len(email_messages)


def reset() -> None:
    """Forget what an earlier test did."""
    came_in.clear()
    may_answer.clear()
    delivered.clear()
