"""Loading published tax rates into the dated table: what is new is added, what changed is ended and followed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from django.db import transaction
from django.db.models import Q
from eu_vat_rates_data import get_all_rates

from billing.catalog.models import TaxRate
from billing.catalog.services.tax_rates import create_tax_rate
from billing.core.errors import InvalidInput
from billing.core.tax import TaxCode
from billing.platform.actors import Actor


class Loaded(StrEnum):
    """What became of a published rate.

    added: there was none. changed: the rate in force ends, this one follows. same: known already. kept: a later rate
    is known, nothing is touched. ambiguous: the country publishes several, somebody must choose.
    """

    ADDED = "added"
    CHANGED = "changed"
    SAME = "same"
    KEPT = "kept"
    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class PublishedRate:
    """A rate as the source has it; percents has several members where the source does not say which one is meant."""

    country: str
    tax_code: TaxCode
    name: str
    percents: tuple[Decimal, ...]


@dataclass(frozen=True, slots=True)
class LoadedRate:
    """A published rate, what became of it, and the percentage in force before."""

    rate: PublishedRate
    outcome: Loaded
    before: Decimal | None = None


def published_rates(countries: Sequence[str] = ()) -> list[PublishedRate]:
    """The rates of the library eu-vat-rates-data (European Commission, TEDB), of these countries or of all of the EU.

    Reduced rates come as a list that mixes main, special and regional ones (France has six, Portugal those of its
    islands): only a list of one is a rate. Raises InvalidInput naming a country that the source does not have.
    """
    source = get_all_rates()
    unknown = [country for country in countries if country not in source]
    if unknown:
        raise InvalidInput(f"No rates are published of {', '.join(unknown)}.", field="country")
    found = []
    for country, row in sorted(source.items()):
        if country not in countries if countries else not row["eu_member"]:
            continue
        reduced = [_exact(value) for value in row["reduced"]]
        name = row["vat_abbr"]
        found.append(PublishedRate(country, TaxCode.STANDARD, name, (_exact(row["standard"]),)))
        if reduced:
            found.append(PublishedRate(country, TaxCode.REDUCED, name, tuple(sorted(reduced))))
        lowest = row["super_reduced"]
        if lowest is not None and _exact(lowest) not in reduced:
            found.append(PublishedRate(country, TaxCode.SUPER_REDUCED, name, (_exact(lowest),)))
    return found


def is_published(country: str) -> bool:
    """Whether the source has rates of a country."""
    return country in get_all_rates()


def _exact(value: float) -> Decimal:
    """The source has floats; their shortest text is what was published."""
    return Decimal(str(value))


@transaction.atomic
def load_tax_rates(
    *,
    rates: Sequence[PublishedRate],
    valid_from: date,
    chosen: Mapping[str, Decimal] | None = None,
    actor: Actor,
    at: datetime,
) -> list[LoadedRate]:
    """Bring the dated rates in line with published ones from a day on; every rate with what became of it.

    chosen: which of several reduced rates of a country is meant, by country. A rate is never changed: one in force ends
    on valid_from and the new one follows; documents of earlier days keep theirs. Idempotent. Emits tax_rate.created
    and tax_rate.ended. Raises InvalidInput if a chosen rate is not a published one.
    """
    chosen = chosen or {}
    for country, percent in chosen.items():
        if not any(
            rate.country == country and rate.tax_code is TaxCode.REDUCED and percent in rate.percents
            for rate in rates
        ):
            raise InvalidInput(f"{country} publishes no reduced rate of {percent} %.", field="reduced")
    return [_load(rate, valid_from, chosen, actor, at) for rate in rates]


def _load(
    rate: PublishedRate, valid_from: date, chosen: Mapping[str, Decimal], actor: Actor, at: datetime
) -> LoadedRate:
    percents = rate.percents
    if rate.tax_code is TaxCode.REDUCED and rate.country in chosen:
        percents = (chosen[rate.country],)
    if len(percents) != 1:
        return LoadedRate(rate, Loaded.AMBIGUOUS)
    known = TaxRate.objects.filter(country=rate.country, category="S", tax_code=rate.tax_code.value)
    in_force = known.filter(Q(valid_to=None) | Q(valid_to__gt=valid_from), valid_from__lte=valid_from).first()
    before = in_force.percent if in_force else None
    if before == percents[0]:
        return LoadedRate(rate, Loaded.SAME, before)
    ends = in_force is not None and in_force.valid_to is not None
    starts_today = in_force is not None and in_force.valid_from == valid_from
    if ends or starts_today or known.filter(valid_from__gt=valid_from).exists():
        return LoadedRate(rate, Loaded.KEPT, before)
    create_tax_rate(
        country=rate.country,
        percent=percents[0],
        name=rate.name,
        valid_from=valid_from,
        tax_code=rate.tax_code.value,
        follows=True,
        actor=actor,
        at=at,
    )
    return LoadedRate(rate, Loaded.CHANGED if in_force else Loaded.ADDED, before)
