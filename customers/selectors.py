"""Questions about customers, legal entities and clocks."""

from datetime import date, datetime

from django.db.models import DateField, DateTimeField, F, Func, Q, QuerySet, Value
from django.db.models.functions import Cast, Coalesce

from billing.core.tax import EU_COUNTRIES, CustomerKind, TaxParty
from billing.platform.clock import now
from customers.models import (
    Contact,
    Customer,
    CustomerVisit,
    LegalEntity,
    MailRole,
    PortalLink,
    PortalMembership,
    TaxRegistration,
    TestClock,
    User,
    UserSession,
    VatCheck,
    VatCheckOutcome,
    VatIdPolicy,
)


def now_for(customer: Customer) -> datetime:
    """What time it is for this customer: its test clock's time, or the machine's.

    Whoever asks for the time about a customer asks here, and passes the answer on as `at=`.
    """
    return customer.test_clock.now_at if customer.test_clock else now()


def has_come(moment: str, *, customer: str, at: datetime) -> Q:
    """The condition that an instant has come for a customer: by its test clock, or for all others by `at`.

    moment, customer: the query's paths to a column and to the customer; "" where the query is over customers.
    """
    clock = f"{customer}__test_clock" if customer else "test_clock"
    by_machine = Q(**{f"{clock}__isnull": True, f"{moment}__lte": at})
    return by_machine | Q(**{f"{moment}__lte": F(f"{clock}__now_at")})


def now_for_seller(legal_entity: LegalEntity) -> datetime:
    """What time it is in a seller's books: that of its slowest test clock for a test entity, else the machine's."""
    clock = legal_entity.test_clocks.order_by("now_at").first() if legal_entity.is_test else None
    return clock.now_at if clock else now()


def customers_visible_to(visible_to: int | None) -> QuerySet[Customer]:
    """Customers a caller may see, with what their pages show. visible_to: a primary key, or None for all."""
    found = Customer.objects.select_related("legal_entity", "payer", "test_clock").prefetch_related(
        "tax_ids", "contacts"
    )
    return found if visible_to is None else found.filter(pk=visible_to)


def legal_entities() -> QuerySet[LegalEntity]:
    """All sellers, with their number series and tax registrations."""
    return LegalEntity.objects.prefetch_related("number_series", "tax_registrations")


def test_clocks() -> QuerySet[TestClock]:
    """All test clocks, with their legal entities."""
    return TestClock.objects.select_related("legal_entity")


test_clocks.__test__ = False  # type: ignore[attr-defined]  # pytest: not a test


def payer_of(customer: Customer) -> Customer:
    """Who pays this customer's invoices: itself unless it names somebody else."""
    return customer.payer or customer


def billing_contacts(customer: Customer) -> QuerySet[Contact]:
    """Who gets invoices, credit notes and receipts, in the order they were named."""
    return customer.contacts.filter(mail_roles__contains=[MailRole.BILLING]).order_by("pk")


def registration_in_force(legal_entity: LegalEntity, *, country: str, on: date) -> TaxRegistration | None:
    """The seller's tax registration in a country on a day; None without one."""
    holds = Q(valid_to=None) | Q(valid_to__gt=on)
    return legal_entity.tax_registrations.filter(holds, country=country, valid_from__lte=on).first()


def legal_entity_tax_party(legal_entity: LegalEntity, *, on: date) -> TaxParty:
    """The seller as tax rules see it on a day: its country, its VAT number there, and where else it accounts."""
    holds = Q(valid_to=None) | Q(valid_to__gt=on)
    held = list(legal_entity.tax_registrations.filter(holds, valid_from__lte=on))
    home = next((one for one in held if one.country == legal_entity.country), None)
    countries = {one.country for one in held} - {legal_entity.country}
    if any(one.one_stop_shop for one in held):
        countries |= EU_COUNTRIES - {legal_entity.country}
    return TaxParty(
        country=legal_entity.country,
        vat_number=(home.vat_number or None) if home else None,
        registered_in=frozenset(countries),
    )


def vat_check_of(customer: Customer, *, vat_number: str) -> VatCheck | None:
    """The last answer of the register about a VAT number, yes or no; None while there is none."""
    found = customer.vat_checks.filter(vat_number=vat_number)
    return found.exclude(outcome=VatCheckOutcome.UNAVAILABLE).first()


def customer_tax_party(customer: Customer, *, policy: str = VatIdPolicy.CHECKSUM) -> TaxParty:
    """The buyer as tax rules see it: its country, its VAT number there, its kind, its exemption or rate.

    policy: what the seller asks of a VAT number of another EU country. One that is not confirmed leaves a business
    untaxed by nobody: it is refused by the rules, or the buyer is taken for a consumer.
    """
    tax_id = customer.tax_ids.filter(country=customer.country).first()
    kind, doubt = CustomerKind(customer.kind), ""
    if policy != VatIdPolicy.CHECKSUM and tax_id is not None and customer.country in EU_COUNTRIES:
        answer = vat_check_of(customer, vat_number=tax_id.vat_number)
        if answer is None:
            doubt = "is not confirmed yet"
        elif answer.outcome != VatCheckOutcome.VALID:
            doubt = f"is not valid, as the register said on {answer.asked_at:%Y-%m-%d}"
    if doubt and policy == VatIdPolicy.CONFIRM_OR_TAX:
        kind = CustomerKind.CONSUMER
    return TaxParty(
        country=customer.country,
        vat_number=tax_id.vat_number if tax_id else None,
        kind=kind,
        doubt=doubt,
        exemption_code=customer.tax_exemption_code or None,
        percent=customer.tax_percent,
    )


def portal_memberships(user: User) -> QuerySet[PortalMembership]:
    """Whose portals a person may open, oldest membership first."""
    return (
        PortalMembership.objects.select_related(
            "customer__legal_entity", "customer__test_clock", "customer__payer"
        )
        .filter(user=user)
        .order_by("pk")
    )


def live_portal_link(*, token_hash: str, kind: str, at: datetime) -> PortalLink | None:
    """The link with this token's hash, if it was not used and has not run out."""
    return (
        PortalLink.objects.select_related("customer__legal_entity", "user")
        .filter(token_hash=token_hash, kind=kind, used_at=None, expires_at__gt=at)
        .first()
    )


def shared_number_format() -> str:
    """The number format of all legal entities; "" where they differ or there is none."""
    found = list(LegalEntity.objects.order_by().values_list("number_format", flat=True).distinct()[:2])
    return str(found[0]) if len(found) == 1 else ""


def today_of(*, customer: str, legal_entity: str, at: datetime) -> Cast:
    """For queries: the day it is for a row's customer, by its test clock or `at`, in the zone of its legal entity.

    customer, legal_entity: the query's paths; "" where the query is over customers.
    """
    clock = f"{customer}__test_clock__now_at" if customer else "test_clock__now_at"
    instant = Coalesce(F(clock), Value(at, output_field=DateTimeField()))
    local: Func = Func(
        F(f"{legal_entity}__time_zone"), instant, function="timezone", output_field=DateTimeField()
    )
    return Cast(local, DateField())


def sessions_of(user: User, *, at: datetime) -> QuerySet[UserSession]:
    """Where a person is signed in, last used first."""
    return UserSession.objects.filter(user=user, expires_at__gt=at).order_by("-seen_at", "-pk")


def session_is_live(*, session_key: str, at: datetime) -> bool:
    """Whether somebody is still signed in with this session."""
    return UserSession.objects.filter(
        session_key=session_key, expires_at__gt=at, user__is_active=True
    ).exists()


def open_customer_visit(*, user: User, at: datetime) -> CustomerVisit | None:
    """The visit of this person that shows something now."""
    return (
        CustomerVisit.objects.select_related(
            "customer__legal_entity", "customer__test_clock", "customer__payer"
        )
        .filter(user=user, ended_at=None, expires_at__gt=at)
        .first()
    )
