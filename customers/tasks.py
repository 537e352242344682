"""Background work for people: their mails."""

from celery import shared_task

from billing.platform.clock import now
from customers import services


@shared_task(name="customers.send_sign_in_link", ignore_result=True)
def send_sign_in_link(email: str, language: str) -> None:
    """Mail a sign-in link to whoever has this address; to nobody if nobody at a customer has.

    Always queued and never answered, so that asking tells nothing about who is known. Run twice it may mail two
    links, and three at most.
    """
    made = services.request_sign_in_link(email=email, at=now())
    if made is not None:
        services.mail_sign_in_link(made=made, language=language)
