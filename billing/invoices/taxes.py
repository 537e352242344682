"""How the lines of an invoice are taxed: the facts are gathered here, an engine decides.

An engine is named by the setting TAX_ENGINE (a dotted path to a callable without arguments). The one that is built in
decides by `billing.core.tax.determine` and the dated rates of the catalog; another one (a service of others) answers
the same question.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Protocol
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils.module_loading import import_string

from billing.catalog import selectors as catalog
from billing.catalog.models import Price
from billing.core.invoice import InvoiceInput
from billing.core.tax import TaxCode, TaxParty, TaxRounding, TaxTreatment, determine
from billing.invoices.charges import DueCharge
from billing.subscriptions.models import Subscription
from customers.models import Customer, LegalEntity
from customers.selectors import customer_tax_party, legal_entity_tax_party


@dataclass(frozen=True, slots=True)
class Taxable:
    """What tax law must know of a line: its tax code, and a rate that its price names itself (19 means 19 %)."""

    tax_code: TaxCode = TaxCode.STANDARD
    own_percent: Decimal | None = None


@dataclass(frozen=True, slots=True)
class TaxQuestion:
    """Who sells what to whom on which day (that of the seller's zone)."""

    seller: TaxParty
    buyer: TaxParty
    on: date
    lines: tuple[Taxable, ...]


class TaxEngine(Protocol):
    """Answers with one treatment per line, in their order. Raises TaxUndetermined rather than guess."""

    def treatments(self, question: TaxQuestion) -> Sequence[TaxTreatment]: ...


class DatedRates:
    """The engine that is built in: place of supply by EU law, percent by the dated rates of the catalog."""

    def treatments(self, question: TaxQuestion) -> Sequence[TaxTreatment]:
        rates: Mapping[TaxCode, Mapping[str, Decimal]] = {
            code: catalog.rates_of(code, on=question.on)
            for code in dict.fromkeys(line.tax_code for line in question.lines)
        }
        return [
            determine(
                question.seller,
                question.buyer,
                rates[line.tax_code],
                tax_code=line.tax_code,
                own_percent=line.own_percent,
            )
            for line in question.lines
        ]


@cache
def _engine(path: str) -> TaxEngine:
    made: TaxEngine = import_string(path)()
    return made


def tax_treatments(
    *, legal_entity: LegalEntity, customer: Customer, on: datetime, lines: Sequence[Taxable]
) -> list[TaxTreatment]:
    """How supplies of this seller to this customer are taxed on a day (the seller's zone), one answer per line.

    Raises TaxUndetermined.
    """
    day = on.astimezone(ZoneInfo(legal_entity.time_zone)).date()
    question = TaxQuestion(
        legal_entity_tax_party(legal_entity, on=day),
        customer_tax_party(customer, policy=legal_entity.vat_id_policy),
        day,
        tuple(lines),
    )
    return list(_engine(settings.TAX_ENGINE).treatments(question))


def tax_treatment(
    *, legal_entity: LegalEntity, customer: Customer, on: datetime, tax_code: TaxCode = TaxCode.STANDARD
) -> TaxTreatment:
    """How one supply of this seller to this customer is taxed on a day. Raises TaxUndetermined."""
    (treatment,) = tax_treatments(
        legal_entity=legal_entity, customer=customer, on=on, lines=[Taxable(tax_code)]
    )
    return treatment


def taxable_price(price: Price) -> Taxable:
    """What tax law must know of a price: its own tax code and rate, or those of its product."""
    code = price.tax_code or price.plan_version.plan.product.tax_code
    return Taxable(TaxCode(code), price.tax_percent)


def taxed(
    *, subscription: Subscription, due: Sequence[DueCharge], on: datetime
) -> tuple[list[DueCharge], InvoiceInput]:
    """What is due, each charge with the treatment of its price, and the rest of what the calculation takes.

    due is not empty. Raises TaxUndetermined.
    """
    entity = subscription.legal_entity
    treatments = tax_treatments(
        legal_entity=entity,
        customer=subscription.customer,
        on=on,
        lines=[taxable_price(entry.item.price) for entry in due],
    )
    entries = [
        replace(entry, charge=replace(entry.charge, treatment=treatment))
        for entry, treatment in zip(due, treatments, strict=True)
    ]
    return entries, InvoiceInput(subscription.currency, (), treatments[0], TaxRounding(entity.tax_rounding))
