"""Asking the register whether a customer's VAT number exists, and keeping the answer."""

from datetime import datetime, timedelta

from django.db import transaction

from billing.activity import services as activity
from billing.core.errors import BillingError, Kind
from billing.core.events import EventName
from billing.core.tax import EU_COUNTRIES
from billing.platform.actors import Actor
from customers.models import Customer, CustomerTaxId, VatCheck, VatCheckOutcome, VatIdPolicy
from customers.selectors import registration_in_force, vat_check_of
from customers.vies import vat_register

TRIES_MAX = 12
"""How often a register that does not answer is asked by itself about one number; then somebody asks by hand."""

FIRST_WAIT, LONGEST_WAIT = timedelta(minutes=2), timedelta(hours=6)


class NoVatNumber(BillingError):
    """The customer has no VAT number that a register of the EU could know."""

    code = "no_vat_number"
    kind = Kind.CONFLICT


def checkable_tax_id(customer: Customer) -> CustomerTaxId | None:
    """The VAT number that decides a customer's tax, if it is one of an EU country."""
    if customer.country not in EU_COUNTRIES:
        return None
    return customer.tax_ids.filter(country=customer.country).first()


@transaction.atomic
def request_vat_check(*, customer: Customer, actor: Actor, at: datetime) -> None:
    """Have the register asked, after the commit. Emits customer.vat_check_requested. Raises NoVatNumber."""
    if checkable_tax_id(customer) is None:
        raise NoVatNumber("There is no VAT number of an EU country to ask about.", field="tax_ids")
    activity.record(
        name=EventName.CUSTOMER_VAT_CHECK_REQUESTED,
        object_kind="customer",
        object_id=customer.public_id,
        customer_id=customer.public_id,
        actor=actor,
        at=at,
    )


def check_vat_number(*, customer: Customer, actor: Actor, at: datetime) -> VatCheck:
    """Ask the register now, outside of any transaction, and keep the answer as a fact.

    Each call asks: repeated, it makes another row. Emits customer.vat_checked. Raises NoVatNumber.
    """
    tax_id = checkable_tax_id(customer)
    if tax_id is None:
        raise NoVatNumber("There is no VAT number of an EU country to ask about.", field="tax_ids")
    seller = customer.legal_entity
    registration = registration_in_force(seller, country=seller.country, on=at.date())
    requester = registration.vat_number if registration and seller.country in EU_COUNTRIES else ""
    answer = vat_register().check(vat_number=tax_id.vat_number, requester=requester)
    outcome = {True: VatCheckOutcome.VALID, False: VatCheckOutcome.INVALID, None: VatCheckOutcome.UNAVAILABLE}
    with transaction.atomic():
        check = VatCheck.objects.create(
            customer=customer,
            country=tax_id.country,
            vat_number=tax_id.vat_number,
            requester=requester,
            outcome=outcome[answer.is_valid],
            consultation_number=answer.consultation_number,
            name=answer.name,
            address=answer.address,
            error=answer.error,
            asked_at=at,
        )
        activity.record(
            name=EventName.CUSTOMER_VAT_CHECKED,
            object_kind="customer",
            object_id=customer.public_id,
            customer_id=customer.public_id,
            actor=actor,
            at=at,
            data={"outcome": check.outcome, "consultation_number": check.consultation_number},
        )
    return check


def check_pending_vat_numbers(*, actor: Actor, at: datetime) -> int:
    """Ask about every number that decides a tax and is not confirmed yet; how many were asked about.

    Waits 2 minutes after the first try without an answer, then twice as long each time, 6 hours at most, and stops
    after 12 tries of one number. Answers, yes or no, are not asked for again.
    """
    asked = 0
    policies = (VatIdPolicy.CONFIRM_OR_REFUSE, VatIdPolicy.CONFIRM_OR_TAX)
    customers = Customer.objects.filter(
        legal_entity__vat_id_policy__in=policies, kind="business", country__in=EU_COUNTRIES, test_clock=None
    ).select_related("legal_entity")
    for customer in customers.iterator():
        if customer.country != customer.legal_entity.country and _is_due(customer, at):
            check_vat_number(customer=customer, actor=actor, at=at)
            asked += 1
    return asked


def _is_due(customer: Customer, at: datetime) -> bool:
    tax_id = checkable_tax_id(customer)
    if tax_id is None or vat_check_of(customer, vat_number=tax_id.vat_number) is not None:
        return False
    tries = list(
        customer.vat_checks.filter(vat_number=tax_id.vat_number).values_list("asked_at", flat=True)[
            :TRIES_MAX
        ]
    )
    if not tries:
        return True
    wait = min(FIRST_WAIT * 2 ** (len(tries) - 1), LONGEST_WAIT)
    return len(tries) < TRIES_MAX and tries[0] + wait <= at
