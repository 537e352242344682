"""What the demo's story does not have, so that no page is empty: credits, refunds, approvals, a run in review, open
invoices, failed payments, invitations. Every step through the services, on the demo's own clock."""

from contextlib import suppress
from datetime import UTC, date, datetime

from django.conf import settings
from django.contrib.auth.models import Group
from django.test import Client, override_settings

from billing.approvals.models import ApprovalPolicy
from billing.approvals.services import ApprovalRequired
from billing.catalog.models import Meter, Plan, Product
from billing.invoices import services as invoices
from billing.invoices.models import CreditReason, Invoice
from billing.platform.clock import now
from billing.subscriptions.services import start_subscription
from billing.usage import services as usage
from customers import services as customers
from customers.models import CollectionMethod, Customer, LegalEntity, PortalRole, User
from customers.selectors import now_for
from payments import services as payments
from payments.gateways.test import TestGateway, TestMethod
from payments.models import Payment
from tests.factories import ACTOR, BERLIN, PASSWORD
from valueverse.demo import steps
from valueverse.demo.story import ensure_story
from valueverse.outbox import drain_outbox
from valueverse.portal.access import LANGUAGE_KEY

JANUARY = datetime(2024, 1, 1, tzinfo=UTC)
HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
"""What the served process checks passwords with; the tests' own hasher is faster and unknown to it."""


def employ(email: str, group: str, name: str) -> User:
    """Somebody on the staff in a group, who can sign in through the page."""
    with override_settings(PASSWORD_HASHERS=HASHERS):
        user = customers.create_user(
            email=email, password=PASSWORD, name=name, is_staff=True, actor=ACTOR, at=now()
        )
    user.groups.add(Group.objects.get(name=group))
    return user


def welcome(customer: Customer, email: str, name: str, role: str = PortalRole.MANAGER) -> User:
    """Somebody at a customer, who can sign in to the portal."""
    with override_settings(PASSWORD_HASHERS=HASHERS):
        user = customers.create_user(email=email, password=PASSWORD, name=name, actor=ACTOR, at=now())
    customers.grant_portal_access(customer=customer, user=user, role=role, actor=ACTOR, at=now())
    return user


def session_of(user: User, *, language: str = "") -> dict[str, str]:
    """The cookie of a browser in which this person is signed in, and has chosen a language."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    if language:
        session = client.session
        session[LANGUAGE_KEY] = language
        session.save()
    return {settings.SESSION_COOKIE_NAME: client.cookies[settings.SESSION_COOKIE_NAME].value}


def superuser() -> User:
    """Somebody who may see every page."""
    return customers.create_superuser(
        email="boss@valueverse.example", password=PASSWORD, name="Erika Boss", actor=ACTOR, at=now()
    )


def customer_of_the_demo(external_id: str = "brightchat") -> Customer:
    """One of the two customers of the story."""
    return Customer.objects.select_related("legal_entity", "test_clock").get(external_id=external_id)


SCRIPT = '<script>alert("executed")</script>'
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"


def hostile(length: int) -> str:
    """A name of that many characters that tries to be markup, and has no place to break."""
    return (f"{SCRIPT}\"'><img src=x onerror=alert(1)>{{{{ 7 }}}} " + LONG * 3)[:length]


def furnish(*, is_hostile: bool = False) -> None:
    """Go on from the demo's end until there is something of everything.

    is_hostile: with names that are as long as they may be and would do harm where a page took them for markup.
    """
    story = ensure_story()
    if is_hostile:
        _rename()
    brightchat = customer_of_the_demo()
    at = now_for(brightchat)
    december = Invoice.objects.get(number="VV-2023-000003")
    for customer, email in (
        (brightchat, "new@brightchat.example"),
        (brightchat, "second@brightchat.example"),
    ):
        customers.invite_contact(customer=customer, email=email, name="New colleague", actor=ACTOR, at=now())
    note = invoices.credit_invoice(
        invoice_id=december.public_id, reason=CreditReason.SERVICE_ISSUE, actor=ACTOR, at=at
    )
    drain_outbox()
    _customer_who_transfers(hostile(200) if is_hostile else "Northwind Traders GmbH")
    _customer_whose_card_is_declined(hostile(200) if is_hostile else "Blue Yonder GmbH")
    ApprovalPolicy.objects.create(action="refund", limit_minor=0, currency="EUR")
    paid = Payment.objects.filter(invoice=december).get()
    with suppress(ApprovalRequired):
        payments.refund_payment(
            payment_id=paid.public_id,
            amount_minor=1000,
            reason="Outage in November",
            credit_note_id=note.public_id,
            actor=ACTOR,
            at=at,
        )
    usage.finish_import(
        usage_import=usage.begin_import(
            file_name="december.csv", content_hash="0" * 64, customer=brightchat, at=now()
        ),
        actor=ACTOR,
        at=now(),
    )
    steps.advance_clock(story, JANUARY)
    run = invoices.start_bill_run(as_of=now(), actor=ACTOR, at=now(), needs_review=True)
    invoices.perform_bill_run(run=run, actor=ACTOR, at=now())
    _wrong_usage(brightchat, hostile(400) if is_hostile else "The sender counted this request twice")


def _wrong_usage(customer: Customer, reason: str) -> None:
    """An event that was amended, and one that was refused."""
    meter = Meter.objects.order_by("pk").exclude(property="").first()
    assert meter is not None, "the story has a meter that adds up"

    right = {
        other.property: 1 for other in Meter.objects.filter(event_type=meter.event_type).exclude(property="")
    }

    def event(name: str, quantity: object) -> usage.IncomingEvent:
        properties = {**right, meter.property: quantity, "note": reason[:200]}
        return usage.IncomingEvent(name, customer.public_id, meter.event_type, now_for(customer), properties)

    usage.ingest(events=[event("wrong-1", 500), event("refused-1", "many")])
    usage.amend_event(
        customer_id=customer.public_id,
        event_id="wrong-1",
        properties={**right, meter.property: 5},
        reason=reason,
        actor=ACTOR,
        at=now(),
    )


def _rename() -> None:
    """The story's names as somebody would type them who means harm. Nothing issued changes."""
    Customer.objects.filter(external_id="brightchat").update(name=hostile(120))
    Customer.objects.filter(external_id="codewright").update(name="W" * 120)
    Plan.objects.update(name=hostile(Plan._meta.get_field("name").max_length))
    Product.objects.update(name=hostile(Product._meta.get_field("name").max_length))
    Meter.objects.update(name=hostile(Meter._meta.get_field("name").max_length))
    LegalEntity.objects.update(name=hostile(LegalEntity._meta.get_field("name").max_length))


def _customer_who_transfers(name: str) -> None:
    customer = _another("northwind", name, CollectionMethod.SEND_INVOICE, 14)
    invoices.bill_due(as_of=now(), customer=customer, actor=ACTOR, at=now())
    drain_outbox()
    payments.record_manual_payment(
        customer=customer,
        amount_minor=5000,
        currency="EUR",
        received_on=date(2023, 12, 1),
        reference="bank transfer",
        invoice=Invoice.objects.get(customer=customer),
        actor=ACTOR,
        at=now_for(customer),
    )


def _customer_whose_card_is_declined(name: str) -> None:
    customer = _another("blueyonder", name, CollectionMethod.CHARGE_AUTOMATICALLY, 0)
    payments.add_payment_method(
        customer=customer,
        gateway_code=TestGateway.code,
        gateway_ref=f"{TestMethod.DECLINES.value}:{customer.public_id}",
        label="card ...0002",
        actor=ACTOR,
        at=now_for(customer),
    )
    invoices.bill_due(as_of=now(), customer=customer, actor=ACTOR, at=now())
    drain_outbox()


def _another(external_id: str, name: str, method: str, terms_days: int) -> Customer:
    """One more customer on the demo's clock, with the demo's plan."""
    model = customer_of_the_demo()
    assert model.test_clock is not None
    at = now_for(model)
    customer = customers.create_customer(
        external_id=external_id,
        name=name[:120],
        legal_name=name,
        address=BERLIN,
        legal_entity=model.legal_entity,
        currency="EUR",
        collection_method=method,
        payment_terms_days=terms_days,
        contacts=[customers.ContactInput(name="Ada", email=f"ap@{external_id}.example")],
        test_clock=model.test_clock,
        actor=ACTOR,
        at=at,
    )
    version = model.subscriptions.get().plan_version
    start_subscription(customer=customer, plan_version=version, actor=ACTOR, at=at)
    return customer


def people() -> dict[str, User | None]:
    """Who looks at the pages: a stranger, somebody at each of two customers, and somebody who may see all of it."""
    employ("new@valueverse.example", "Finance clerk", "Nora New")
    return {
        "stranger": None,
        "accountant": welcome(customer_of_the_demo(), "accountant@brightchat.example", "Ada Accountant"),
        "debtor": welcome(customer_of_the_demo("blueyonder"), "ap@blueyonder.example", "Bea Debtor"),
        "boss": superuser(),
    }


def sign_in_token(email: str) -> str:
    """A link as it was mailed to somebody; the mail itself left the served process for a folder of its own."""
    made = customers.request_sign_in_link(email=email, at=now())
    assert made is not None
    return made.token
