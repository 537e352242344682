"""Payment methods of customers."""

from datetime import datetime

from django.db import transaction

from billing.activity import services as activity
from billing.core.events import EventName
from billing.platform.actors import Actor
from customers.models import Customer
from payments.gateways import gateway
from payments.gateways.base import MethodUnknown
from payments.models import CollectionSchedule, PaymentMethod
from payments.services.card_numbers import refuse_card_number
from payments.services.collecting import NO_METHOD


def add_payment_method(
    *, customer: Customer, gateway_code: str, gateway_ref: str, label: str, actor: Actor, at: datetime
) -> PaymentMethod:
    """Store a method the gateway knows, and make it the customer's default.

    Invoices whose collection stopped for want of a method are due again. gateway_ref: the gateway's id of it; the
    gateway is asked before anything is locked. Locks the customer. Emits payment_method.created.
    Raises UnknownGateway, CardNumberRefused, MethodUnknown, GatewayUnanswered.
    """
    provider = gateway(gateway_code)
    refuse_card_number(gateway_ref, field="gateway_ref")
    refuse_card_number(label, field="label")
    try:
        provider.check_method(gateway_ref)
    except MethodUnknown as error:
        raise MethodUnknown(error.message, field="gateway_ref") from error
    return _store(customer, gateway_code, gateway_ref, label, actor, at)


@transaction.atomic
def _store(
    customer: Customer, gateway_code: str, gateway_ref: str, label: str, actor: Actor, at: datetime
) -> PaymentMethod:
    customer = Customer.objects.select_for_update().get(pk=customer.pk)
    PaymentMethod.objects.filter(customer=customer, is_default=True).update(is_default=False)
    method = PaymentMethod.objects.create(
        customer=customer,
        gateway=gateway_code,
        gateway_ref=gateway_ref,
        label=label,
        is_default=True,
        created_at=at,
    )
    activity.record(
        name=EventName.PAYMENT_METHOD_CREATED,
        object_kind="payment_method",
        object_id=method.public_id,
        customer_id=customer.public_id,
        actor=actor,
        at=at,
        data={"gateway": gateway_code, "label": label},
    )
    CollectionSchedule.objects.filter(invoice__payer=customer, stopped_reason=NO_METHOD).update(
        next_attempt_at=at, stopped_reason=""
    )
    return method
