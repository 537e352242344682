"""Making and changing legal entities, with their number series and tax registrations."""

import re
import string
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict, Unpack

from django.db import transaction
from stdnum import bic as bic_number
from stdnum import iban as iban_number
from stdnum.exceptions import ValidationError

from billing.activity import services as activity
from billing.core.errors import BillingError, InvalidInput, Kind
from billing.core.events import EventName
from billing.core.tax import EU_COUNTRIES, TaxRounding
from billing.platform.actors import Actor
from billing.platform.validation import (
    require_country,
    require_currency,
    require_fields,
    require_time_zone,
    within,
)
from customers.models import (
    DocumentType,
    LegalEntity,
    NumberFormat,
    NumberSeries,
    TaxRegistration,
    VatIdPolicy,
)
from customers.services.inputs import ADDRESS_FIELDS, BANK_FIELDS, Address, BankAccount, TaxRegistrationInput
from customers.services.logos import require_logo
from customers.services.tax_numbers import clean_vat_number

_WRITES = {
    NumberFormat.POINT_COMMA: "AR AT BE BR CL CO DE DK EC ES GR HR ID IS IT NL PT PY RO RS SI TR UY VN",
    NumberFormat.SPACE_COMMA: "BG CZ EE FI FR HU LT LU LV NO PL SE SK UA",
    NumberFormat.APOSTROPHE_POINT: "CH LI",
}
"""Which countries separate figures otherwise than 1,234.56. Source: Unicode CLDR, decimal and grouping symbols of each
country's main language; where print and tables differ (Austria, Spain, Portugal), the one used in accounts."""

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_NUMBER_FORMAT = re.compile(r"(0[1-9]d)?")


class LegalEntityNameTaken(BillingError):
    """Another legal entity bears this name."""

    code = "legal_entity_name_taken"
    kind = Kind.CONFLICT


class TaxRegistrationOverlaps(BillingError):
    """The entity has a registration in this country on some of these days already."""

    code = "tax_registration_overlaps"
    kind = Kind.CONFLICT


def usual_number_format(country: str) -> str:
    """How accounts in a country separate figures.

    >>> usual_number_format("DE"), usual_number_format("FR"), usual_number_format("US")
    ('1.234,56', '1 234,56', '1,234.56')
    """
    found = (name for name, countries in _WRITES.items() if country in countries.split())
    return str(next(found, NumberFormat.COMMA_POINT).value)


class LegalEntityChanges(TypedDict, total=False):
    """What may change about a legal entity; what is left out stays. An address and a bank account change as a whole."""

    name: str
    legal_name: str
    address: Address
    registration: str
    directors: str
    email: str
    phone: str
    bank_account: BankAccount
    logo_svg: str
    accent_color: str
    number_format: str
    reviews_bill_runs: bool
    tax_rounding: str
    vat_id_policy: str


_UNTOLD = frozenset({"directors", "email", "phone", "logo_svg"})
"""What the audit trail names without its values: people, who may ask to be erased, and drawings."""


@transaction.atomic
def create_legal_entity(
    *,
    name: str,
    legal_name: str,
    address: Address,
    accounting_currency: str,
    time_zone: str,
    number_series: Mapping[str, str],
    tax_registrations: Sequence[TaxRegistrationInput] = (),
    bank_account: BankAccount | None = None,
    registration: str = "",
    directors: str = "",
    email: str = "",
    phone: str = "",
    fiscal_year_start_month: int = 1,
    retention_years: int = 10,
    logo_svg: str = "",
    accent_color: str = "#1f4e79",
    number_format: str = "",
    reviews_bill_runs: bool = False,
    tax_rounding: str = TaxRounding.DOCUMENT,
    vat_id_policy: str = VatIdPolicy.CHECKSUM,
    is_test: bool = False,
    actor: Actor,
    at: datetime,
) -> LegalEntity:
    """Make a seller: a firm that issues documents under numbers of its own and keeps books of its own.

    number_series: pattern per document type (`invoice`, `credit_note`), e.g. VV-{year}-{number:06d}. number_format: how
    the back office separates its figures; as its country writes them unless told. reviews_bill_runs: nothing is billed
    by itself. is_test is for good.
    Emits legal_entity.created.
    Raises InvalidInput naming the field (`address.country`, `tax_registrations[0].vat_number`,
    `number_series.invoice`), LegalEntityNameTaken, TaxRegistrationOverlaps.
    """
    entity = LegalEntity(
        name=name,
        legal_name=legal_name,
        country=require_country(address.country, field="address.country"),
        accounting_currency=require_currency(accounting_currency, field="accounting_currency"),
        time_zone=require_time_zone(time_zone),
        registration=registration,
        directors=directors,
        email=email,
        phone=phone,
        fiscal_year_start_month=fiscal_year_start_month,
        retention_years=retention_years,
        logo_svg=require_logo(logo_svg) if logo_svg else "",
        accent_color=accent_color,
        number_format=number_format or usual_number_format(address.country),
        reviews_bill_runs=reviews_bill_runs,
        tax_rounding=tax_rounding,
        vat_id_policy=vat_id_policy,
        is_test=is_test,
        created_at=at,
    )
    _put_address(entity, address)
    _put_bank_account(entity, bank_account or BankAccount())
    require_fields(entity, names=ADDRESS_FIELDS | BANK_FIELDS)
    _require_ranges(entity)
    if LegalEntity.objects.filter(name=name).exists():
        raise LegalEntityNameTaken("Another legal entity bears this name.", field="name")
    entity.save()
    _add_number_series(entity, number_series)
    for index, one in enumerate(tax_registrations):
        with within(f"tax_registrations[{index}]."):
            _add_registration(entity, one)
    activity.record(
        name=EventName.LEGAL_ENTITY_CREATED,
        object_kind="legal_entity",
        object_id=entity.public_id,
        actor=actor,
        at=at,
        data={"name": name, "accounting_currency": accounting_currency, "is_test": is_test},
    )
    return entity


@transaction.atomic
def update_legal_entity(
    *, legal_entity: LegalEntity, actor: Actor, at: datetime, **changes: Unpack[LegalEntityChanges]
) -> LegalEntity:
    """Change what documents issued from now on say about their seller; issued ones stay as they are.

    Country, currency of the books, time zone and whether it is for tests never change. Idempotent: nothing new changes
    nothing. Locks the legal entity. Emits legal_entity.updated. Raises InvalidInput naming the field,
    LegalEntityNameTaken.
    """
    entity = LegalEntity.objects.select_for_update(no_key=True).get(pk=legal_entity.pk)
    before = _shown(entity)
    for name, value in changes.items():
        if isinstance(value, Address):
            if value.country != entity.country:
                raise InvalidInput("A legal entity stays in its country.", field="address.country")
            _put_address(entity, value)
        elif isinstance(value, BankAccount):
            _put_bank_account(entity, value)
        else:
            setattr(entity, name, value)
    if entity.logo_svg != before["logo_svg"] and entity.logo_svg:
        require_logo(entity.logo_svg)
    require_fields(entity, names=ADDRESS_FIELDS | BANK_FIELDS)
    _require_ranges(entity)
    if LegalEntity.objects.filter(name=entity.name).exclude(pk=entity.pk).exists():
        raise LegalEntityNameTaken("Another legal entity bears this name.", field="name")
    after = _shown(entity)
    changed = {
        name: "changed" if name in _UNTOLD else [before[name], after[name]]
        for name in before
        if before[name] != after[name]
    }
    if changed:
        entity.save()
        activity.record(
            name=EventName.LEGAL_ENTITY_UPDATED,
            object_kind="legal_entity",
            object_id=entity.public_id,
            actor=actor,
            at=at,
            data={"changed": changed},
        )
    return entity


@transaction.atomic
def add_tax_registration(
    *, legal_entity: LegalEntity, registration: TaxRegistrationInput, actor: Actor, at: datetime
) -> TaxRegistration:
    """Add a tax number of a legal entity. Emits legal_entity.updated.

    Without an end of its own it follows the one in force: that one ends on its first day, and documents issued before
    keep what they say. Locks the legal entity, so that two registrations of a country never overlap unseen.
    Raises InvalidInput naming the field, TaxRegistrationOverlaps.
    """
    LegalEntity.objects.select_for_update(no_key=True).get(pk=legal_entity.pk)
    if registration.valid_to is None:
        TaxRegistration.objects.filter(
            legal_entity=legal_entity,
            country=registration.country,
            valid_to=None,
            valid_from__lt=registration.valid_from,
        ).update(valid_to=registration.valid_from)
    added = _add_registration(legal_entity, registration)
    activity.record(
        name=EventName.LEGAL_ENTITY_UPDATED,
        object_kind="legal_entity",
        object_id=legal_entity.public_id,
        actor=actor,
        at=at,
        data={"tax_registration": {"country": added.country, "valid_from": added.valid_from.isoformat()}},
    )
    return added


def _put_address(entity: LegalEntity, address: Address) -> None:
    for part in ADDRESS_FIELDS:
        setattr(entity, part, getattr(address, part))


def _put_bank_account(entity: LegalEntity, account: BankAccount) -> None:
    entity.bank_holder, entity.bank_name = account.holder, account.name
    entity.iban, entity.bic = _clean_iban(account.iban), _clean_bic(account.bic)


def _shown(entity: LegalEntity) -> dict[str, Any]:
    """What may change of the entity, as the audit trail compares it."""
    return {
        "name": entity.name,
        "legal_name": entity.legal_name,
        "address": [getattr(entity, part) for part in ADDRESS_FIELDS],
        "registration": entity.registration,
        "directors": entity.directors,
        "email": entity.email,
        "phone": entity.phone,
        "bank_account": [getattr(entity, part) for part in BANK_FIELDS],
        "logo_svg": entity.logo_svg,
        "accent_color": entity.accent_color,
        "number_format": entity.number_format,
        "reviews_bill_runs": entity.reviews_bill_runs,
        "tax_rounding": entity.tax_rounding,
        "vat_id_policy": entity.vat_id_policy,
    }


def _add_registration(entity: LegalEntity, given: TaxRegistrationInput) -> TaxRegistration:
    vat_number = (
        clean_vat_number(country=given.country, vat_number=given.vat_number) if given.vat_number else ""
    )
    if not vat_number and not given.tax_number:
        raise InvalidInput("A tax registration has a VAT number or a tax number.", field="vat_number")
    if given.one_stop_shop and given.country not in EU_COUNTRIES:
        raise InvalidInput("The one-stop shop is one of a member state of the EU.", field="one_stop_shop")
    if given.valid_to is not None and given.valid_to <= given.valid_from:
        raise InvalidInput("A tax registration ends after it starts.", field="valid_to")
    added = TaxRegistration(
        legal_entity=entity,
        country=require_country(given.country),
        vat_number=vat_number,
        tax_number=given.tax_number,
        one_stop_shop=given.one_stop_shop,
        valid_from=given.valid_from,
        valid_to=given.valid_to,
    )
    require_fields(added)
    others = TaxRegistration.objects.filter(legal_entity=entity, country=given.country).exclude(
        valid_to__lte=given.valid_from
    )
    if given.valid_to is not None:
        others = others.filter(valid_from__lt=given.valid_to)
    if others.exists():
        raise TaxRegistrationOverlaps(
            f"There is a registration in {given.country} on some of these days already.", field="valid_from"
        )
    added.save()
    return added


def _add_number_series(entity: LegalEntity, patterns: Mapping[str, str]) -> None:
    missing = {
        f"number_series.{kind}": ["is missing"] for kind in DocumentType.values if kind not in patterns
    }
    unknown = {
        f"number_series.{kind}": ["is not known"] for kind in patterns if kind not in DocumentType.values
    }
    if missing or unknown:
        raise InvalidInput("A legal entity has a number series per document type.", fields=missing | unknown)
    if len(set(patterns.values())) != len(patterns):
        raise InvalidInput("Each document type has a pattern of its own.", field="number_series")
    for kind, pattern in patterns.items():
        series = NumberSeries(legal_entity=entity, document_type=kind, pattern=pattern)
        require_fields(series, names={"pattern": f"number_series.{kind}"})
        _require_pattern(pattern, field=f"number_series.{kind}")
        series.save()


def _require_pattern(pattern: str, *, field: str) -> None:
    """A number pattern names {year} and {number} once each, the latter with leading zeros if wanted: {number:06d}."""
    try:
        parts = list(string.Formatter().parse(pattern))
    except ValueError as error:
        raise InvalidInput(f"This pattern cannot be read: {error}.", field=field) from error
    names = [(name, spec, conversion) for _, name, spec, conversion in parts if name is not None]
    if sorted(name for name, _, _ in names) != ["number", "year"]:
        raise InvalidInput(
            "A pattern has {year} and {number} once each, like VV-{year}-{number:06d}.", field=field
        )
    for name, spec, conversion in names:
        if conversion or (name == "year" and spec) or not _NUMBER_FORMAT.fullmatch(spec or ""):
            raise InvalidInput(
                "Only {year}, {number} and {number:06d} (1 to 9 digits) are understood.", field=field
            )
    if len(pattern.format(year=9999, number=999_999_999)) > 40:
        raise InvalidInput("The printed number would have more than 40 characters.", field=field)


def _require_ranges(entity: LegalEntity) -> None:
    if not 1 <= entity.fiscal_year_start_month <= 12:
        raise InvalidInput("A fiscal year starts in a month from 1 to 12.", field="fiscal_year_start_month")
    if not 1 <= entity.retention_years <= 100:
        raise InvalidInput("Documents are kept for 1 to 100 years.", field="retention_years")
    if entity.tax_rounding not in list(TaxRounding):
        raise InvalidInput(f"Tax is rounded per {' or per '.join(TaxRounding)}.", field="tax_rounding")
    if entity.vat_id_policy not in VatIdPolicy.values:
        raise InvalidInput(f"A VAT id policy is {' or '.join(VatIdPolicy.values)}.", field="vat_id_policy")
    if not _COLOR.fullmatch(entity.accent_color):
        raise InvalidInput("A color is written as #rrggbb.", field="accent_color")
    if entity.number_format not in NumberFormat.values:
        raise InvalidInput(
            f"A number format is one of {'; '.join(NumberFormat.values)}.", field="number_format"
        )


def _clean_iban(value: str) -> str:
    if not value:
        return ""
    try:
        return str(iban_number.validate(value))
    except ValidationError as error:
        raise InvalidInput("This is not a valid IBAN.", field="bank_account.iban") from error


def _clean_bic(value: str) -> str:
    if not value:
        return ""
    try:
        return str(bic_number.validate(value))
    except ValidationError as error:
        raise InvalidInput("This is not a valid BIC.", field="bank_account.bic") from error
