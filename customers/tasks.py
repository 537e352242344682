"""Background work for people: their mails."""

from celery import shared_task

from billing.platform.clock import now
from customers import services
from customers.models import User


@shared_task(name="customers.send_sign_in_link", ignore_result=True)
def send_sign_in_link(email: str, language: str) -> None:
    """Mail a sign-in link to whoever has this address; to nobody if nobody at a customer has.

    Always queued and never answered, so that asking tells nothing about who is known. Run twice it may mail two
    links, and three at most.
    """
    made = services.request_sign_in_link(email=email, at=now())
    if made is not None:
        services.mail_sign_in_link(made=made, language=language)


@shared_task(name="customers.send_staff_link", ignore_result=True)
def send_staff_link(user_id: str) -> None:
    """Mail somebody on the staff the link to choose a password. Run twice it mails two, of which one can be used."""
    user = User.objects.filter(public_id=user_id, is_staff=True, is_active=True).first()
    if user is not None:
        services.mail_staff_link(user=user)


@shared_task(name="customers.end_overdue_visits", ignore_result=True)
def end_overdue_visits() -> int:
    """Record the end of views as customer whose time is over. Safe to run twice: each ends once."""
    return services.end_overdue_customer_visits(at=now())
