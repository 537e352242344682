"""Value added tax: which treatment applies, the tax of an invoice, and the tax that a credit note takes back.

Prices are net (tax exclusive). The tax of a document is computed per category and rate from the sum of its
lines and rounded once per rate, half up (EN 16931, BR-CO-17), so the document adds up and nothing depends on
line order.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from billing.core.errors import InvalidInput, TaxUndetermined
from billing.core.money import exponent
from billing.core.quantity import EXACT, format_quantity


class TaxCategory(StrEnum):
    """Duty or tax category codes that EN 16931 allows (subset of UNCL 5305)."""

    S = "S"
    """Standard rate, or a reduced one: any rate above zero."""
    Z = "Z"
    """Zero rated."""
    E = "E"
    """Exempt."""
    AE = "AE"
    """Reverse charge: the buyer owes the tax."""
    O = "O"  # noqa: E741 - the code of the standard
    """Services outside the scope of tax."""
    G = "G"
    """Export outside the EU."""


EU_COUNTRIES: frozenset[str] = frozenset(
    (
        *("AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU"),
        *("IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK"),
    )
)
"""Member states since 1 February 2020, ISO 3166-1 codes (Greece is GR, though its VAT numbers start with EL).
Source: Treaty on European Union, Art. 52; withdrawal of the United Kingdom on 31 January 2020."""


@dataclass(frozen=True, slots=True)
class TaxParty:
    """country: ISO 3166-1 alpha-2. vat_number: a number valid for the day of supply, or None."""

    country: str
    vat_number: str | None = None

    def __post_init__(self) -> None:
        if not (len(self.country) == 2 and self.country.isascii() and self.country.isupper()):
            raise InvalidInput("a country is a two-letter ISO 3166-1 code", field="country")


@dataclass(frozen=True, slots=True)
class TaxTreatment:
    """How a supply is taxed. country: the place of supply. percent: 19 means 19 %.

    exemption_code: VATEX code of EN 16931; exemption_text: key of the legal sentence on the document
    (`reverse_charge`, `outside_scope`); name: for people.
    """

    category: TaxCategory
    percent: Decimal
    country: str
    exemption_code: str | None
    exemption_text: str | None
    name: str

    def __post_init__(self) -> None:
        require_rate(self.category, self.percent)

    @property
    def label(self) -> str:
        """The rate as a ledger dimension: country, category, percent.

        >>> TaxTreatment(TaxCategory.S, Decimal("19.00"), "DE", None, None, "VAT 19 %").label
        'DE S 19'
        """
        return f"{self.country} {self.category} {format_quantity(self.percent)}"


@dataclass(frozen=True, slots=True)
class TaxableLine:
    """A rounded line of a document, net, in minor units."""

    amount_minor: int
    category: TaxCategory
    percent: Decimal


@dataclass(frozen=True, slots=True)
class TaxSubtotal:
    """The VAT breakdown of one category and rate (EN 16931, BG-23), in minor units."""

    category: TaxCategory
    percent: Decimal
    base_minor: int
    tax_minor: int


def require_rate(category: TaxCategory, percent: Decimal) -> None:
    """Raise InvalidInput unless category and percent agree: S is above zero, every other category is zero.

    Source: EN 16931, BR-S-5, BR-Z-5, BR-E-5, BR-AE-5, BR-G-5 (zero); BR-O-5 (no rate, kept as 0).
    """
    if not isinstance(percent, Decimal) or not percent.is_finite() or not 0 <= percent <= 100:
        raise InvalidInput("a tax rate is a percentage from 0 to 100", field="percent")
    if (category is TaxCategory.S) != (percent > 0):
        raise InvalidInput(f"category {category} and {percent} % do not go together", field="percent")


def determine(seller: TaxParty, buyer: TaxParty, rate_for: Mapping[str, Decimal]) -> TaxTreatment:
    """The treatment of an electronically supplied service from seller to buyer.

    rate_for: percent per country in force on the tax point day.
    - Same country: that country's rate (zero percent is category Z).
    - Both in the EU, other country: reverse charge if both have a VAT number.
    - Any other pair: outside the scope of the seller's VAT.
    Raises TaxUndetermined if the rate is unknown, or a VAT number that decides is missing (sales to consumers
    in another member state need a registration this product does not keep yet, so they are refused, not
    guessed).
    Source: Directive 2006/112/EC, Art. 44, 59 and 196; VATEX codes of EN 16931.

    >>> determine(TaxParty("DE", "DE123456789"), TaxParty("FR", "FR83404833048"), {}).exemption_code
    'VATEX-EU-AE'
    """
    if seller.country == buyer.country:
        return _domestic(seller.country, rate_for)
    if seller.country in EU_COUNTRIES and buyer.country in EU_COUNTRIES:
        if not buyer.vat_number:
            raise TaxUndetermined(
                f"a customer in {buyer.country} needs a VAT number for the reverse charge", field="tax_ids"
            )
        if not seller.vat_number:
            raise TaxUndetermined(
                "the seller needs a VAT number for the reverse charge", field="legal_entity.tax_registrations"
            )
        return TaxTreatment(
            TaxCategory.AE, Decimal(0), buyer.country, "VATEX-EU-AE", "reverse_charge", "Reverse charge"
        )
    return TaxTreatment(
        TaxCategory.O, Decimal(0), buyer.country, "VATEX-EU-O", "outside_scope", "Outside the scope of VAT"
    )


def _domestic(country: str, rate_for: Mapping[str, Decimal]) -> TaxTreatment:
    percent = rate_for.get(country)
    if percent is None:
        raise TaxUndetermined(f"no tax rate is known for {country}", field="tax_rate", country=country)
    category = TaxCategory.S if percent else TaxCategory.Z
    return TaxTreatment(category, percent, country, None, None, f"VAT {format_quantity(percent)} %")


def summarize(lines: Iterable[TaxableLine], currency: str) -> tuple[TaxSubtotal, ...]:
    """The VAT breakdown of a document: per category and rate the sum of the lines and its tax, rounded once.

    Half up (away from zero), in minor units of `currency`; sorted by category and rate.
    Raises InvalidMoney for an unknown currency, InvalidInput for a rate that the category excludes.
    Source: EN 16931, BG-23 and BR-CO-17.

    >>> summarize([TaxableLine(n, TaxCategory.S, Decimal(19)) for n in (4972, 3680, 750, 9900)], "EUR")
    (TaxSubtotal(category=<TaxCategory.S: 'S'>, percent=Decimal('19'), base_minor=19302, tax_minor=3667),)
    """
    exponent(currency)
    bases: dict[tuple[TaxCategory, Decimal], int] = {}
    for line in lines:
        require_rate(line.category, line.percent)
        key = (line.category, line.percent)
        bases[key] = bases.get(key, 0) + line.amount_minor
    return tuple(
        TaxSubtotal(category, percent, base, _tax(base, percent))
        for (category, percent), base in sorted(bases.items(), key=lambda item: item[0])
    )


def credited_tax(original: TaxSubtotal, credited_base_before: int, base_now: int, tax_before: int) -> int:
    """The tax of a partial credit note: tax(credited so far + this) - tax already credited. Minor units.

    original: the breakdown of the invoice; credited_base_before and tax_before: what earlier credit notes
    took back of it; base_now: the net amount of this one, same sign as the original. Cumulative, so that
    however the invoice is credited, crediting all of it gives back its tax to the cent.
    Raises InvalidInput if more would be credited than was invoiced.

    >>> invoice = TaxSubtotal(TaxCategory.S, Decimal(19), 19302, 3667)
    >>> credited_tax(invoice, 0, 750, 0), credited_tax(invoice, 750, 4972, 143)
    (143, 944)
    """
    credited = credited_base_before + base_now
    sign = -1 if original.base_minor < 0 else 1
    if base_now * sign < 0 or not 0 <= credited * sign <= original.base_minor * sign:
        raise InvalidInput("more would be credited than was invoiced", field="amount")
    if credited == original.base_minor:
        return original.tax_minor - tax_before
    return _tax(credited, original.percent) - tax_before


def _tax(base_minor: int, percent: Decimal) -> int:
    exact = EXACT.multiply(Decimal(base_minor), percent).scaleb(-2, EXACT)
    return int(exact.to_integral_value(rounding=ROUND_HALF_UP))
