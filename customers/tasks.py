"""Background work for people: their mails."""

from celery import shared_task

from billing.platform.actors import task_actor
from billing.platform.clock import now
from billing.platform.locks import RunInProgress, run_lock
from customers import services
from customers.models import Customer, User


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


@shared_task(name="customers.check_vat_number", ignore_result=True)
def check_vat_number(customer_id: str) -> None:
    """Ask the register about a customer's VAT number. Run twice it asks twice: both answers are kept."""
    customer = Customer.objects.select_related("legal_entity").get(public_id=customer_id)
    if services.checkable_tax_id(customer) is not None:
        services.check_vat_number(customer=customer, actor=task_actor("customers.check_vat_number"), at=now())


@shared_task(name="customers.check_pending_vat_numbers", ignore_result=True)
def check_pending_vat_numbers() -> None:
    """Ask about numbers without an answer. One at a time by advisory lock; tries are bounded per number."""
    try:
        with run_lock("check_pending_vat_numbers"):
            services.check_pending_vat_numbers(
                actor=task_actor("customers.check_pending_vat_numbers"), at=now()
            )
    except RunInProgress:
        return
