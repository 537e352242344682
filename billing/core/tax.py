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
    K = "K"
    """Goods to a business in another member state of the EU."""
    L = "L"
    """Tax of the Canary Islands (IGIC): zero or above."""
    M = "M"
    """Tax of Ceuta and Melilla (IPSI): zero or above."""
    B = "B"
    """Split payment (Italy): charged like S, paid by the buyer to the state."""


RATE_ABOVE_ZERO: frozenset[TaxCategory] = frozenset({TaxCategory.S, TaxCategory.B})
RATE_ZERO_OR_ABOVE: frozenset[TaxCategory] = frozenset({TaxCategory.L, TaxCategory.M})


class TaxCode(StrEnum):
    """What a product is to tax law, whatever the country: the seller sets it, the rate follows from the day."""

    STANDARD = "standard"
    REDUCED = "reduced"
    SUPER_REDUCED = "super_reduced"
    ZERO = "zero"
    EXEMPT = "exempt"
    OUTSIDE_SCOPE = "outside_scope"


class CustomerKind(StrEnum):
    """business: acts as a taxable person. consumer: everybody else."""

    BUSINESS = "business"
    CONSUMER = "consumer"


class TaxRounding(StrEnum):
    """document: once per category and rate, on the sum of the lines. line: every line by itself, then added up."""

    DOCUMENT = "document"
    LINE = "line"


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
    """country: ISO 3166-1 alpha-2. vat_number: a number valid for the day of supply, or None.

    kind (buyer): business or consumer. registered_in (seller): other countries whose tax it accounts for, by a
    registration there or by the one-stop shop (then all member states). exemption_code (buyer): VATEX code of its own
    exemption; percent (buyer): a rate agreed for everything it buys. doubt (buyer): why its VAT number does not count
    yet, like "is not confirmed yet".
    """

    country: str
    vat_number: str | None = None
    kind: CustomerKind = CustomerKind.BUSINESS
    registered_in: frozenset[str] = frozenset()
    exemption_code: str | None = None
    percent: Decimal | None = None
    doubt: str = ""

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
    """Raise InvalidInput unless category and percent agree: S and B are above zero, L and M zero or above, every other
    category is zero.

    Source: EN 16931, BR-S-5, BR-Z-5, BR-E-5, BR-AE-5, BR-IC-5, BR-G-5 (zero), BR-AF-5, BR-AG-5 (L, M);
    BR-O-5 (no rate, kept as 0).
    """
    if not isinstance(percent, Decimal) or not percent.is_finite() or not 0 <= percent <= 100:
        raise InvalidInput("a tax rate is a percentage from 0 to 100", field="percent")
    if category not in RATE_ZERO_OR_ABOVE and (category in RATE_ABOVE_ZERO) != (percent > 0):
        raise InvalidInput(f"category {category} and {percent} % do not go together", field="percent")


def determine(
    seller: TaxParty,
    buyer: TaxParty,
    rate_for: Mapping[str, Decimal],
    tax_code: TaxCode = TaxCode.STANDARD,
    own_percent: Decimal | None = None,
) -> TaxTreatment:
    """The treatment of an electronically supplied service from seller to buyer.

    rate_for: percent of the product's tax code per country, in force on the tax point day. own_percent: the rate that
    the price itself names.
    - A rate of the price's own; an exemption of the buyer; a rate of the buyer's own: as stated, in this order.
    - A product outside the scope of tax, or a buyer on another side of the EU's border: outside the scope.
    - Same country: that country's rate (zero percent is category Z), or exempt or zero if the product is.
    - Both in the EU, a business in another country: reverse charge if both have a VAT number.
    - Both in the EU, a consumer in another country: the rate of the consumer's country if the seller accounts for tax
      there (registration or one-stop shop), otherwise that of the seller's own country.
    Raises TaxUndetermined if the rate is unknown, or a VAT number that decides is missing: never guessed as 0 %.
    Source: Directive 2006/112/EC, Art. 44, 58, 59, 59c and 196; VATEX codes of EN 16931.

    >>> determine(TaxParty("DE", "DE123456789"), TaxParty("FR", "FR83404833048"), {}).exemption_code
    'VATEX-EU-AE'
    >>> consumer, rates = TaxParty("FR", kind=CustomerKind.CONSUMER), {"DE": Decimal(19), "FR": Decimal(20)}
    >>> determine(TaxParty("DE"), consumer, rates).label
    'DE S 19'
    >>> determine(TaxParty("DE", registered_in=frozenset({"FR"})), consumer, rates).label
    'FR S 20'
    """
    if own_percent is not None:
        return at_rate(seller.country, own_percent)
    if buyer.exemption_code:
        return exempt(seller.country, buyer.exemption_code)
    if buyer.percent is not None:
        return at_rate(seller.country, buyer.percent)
    if tax_code is TaxCode.OUTSIDE_SCOPE:
        return outside_scope(buyer.country)
    if seller.country == buyer.country:
        return _taxed_in(seller.country, rate_for, tax_code)
    if seller.country not in EU_COUNTRIES or buyer.country not in EU_COUNTRIES:
        if buyer.country in seller.registered_in:
            return _taxed_in(buyer.country, rate_for, tax_code)
        return outside_scope(buyer.country)
    if buyer.kind is CustomerKind.CONSUMER:
        place = buyer.country if buyer.country in seller.registered_in else seller.country
        return _taxed_in(place, rate_for, tax_code)
    if not buyer.vat_number:
        raise TaxUndetermined(
            f"a business in {buyer.country} needs a VAT number for the reverse charge", field="tax_ids"
        )
    if buyer.doubt:
        raise TaxUndetermined(f"the VAT number {buyer.vat_number} {buyer.doubt}", field="tax_ids")
    if not seller.vat_number:
        raise TaxUndetermined(
            "the seller needs a VAT number for the reverse charge", field="legal_entity.tax_registrations"
        )
    return TaxTreatment(
        TaxCategory.AE, Decimal(0), buyer.country, "VATEX-EU-AE", "reverse_charge", "Reverse charge"
    )


def outside_scope(country: str) -> TaxTreatment:
    """A supply that the seller's tax does not reach."""
    return TaxTreatment(
        TaxCategory.O, Decimal(0), country, "VATEX-EU-O", "outside_scope", "Outside the scope of VAT"
    )


def exempt(country: str, code: str = "VATEX-EU-132", text: str = "exempt") -> TaxTreatment:
    """A supply that is free of tax in its country by law, or because the buyer is.

    code: VATEX; text: a key of the legal texts, or the sentence itself.
    """
    return TaxTreatment(TaxCategory.E, Decimal(0), country, code, text, "Exempt from VAT")


def at_rate(country: str, percent: Decimal) -> TaxTreatment:
    """A supply taxed in a country at a rate; 0 % is zero rated."""
    category = TaxCategory.S if percent else TaxCategory.Z
    return TaxTreatment(category, percent, country, None, None, f"VAT {format_quantity(percent)} %")


def _taxed_in(country: str, rate_for: Mapping[str, Decimal], tax_code: TaxCode) -> TaxTreatment:
    if tax_code is TaxCode.EXEMPT:
        return exempt(country)
    if tax_code is TaxCode.ZERO:
        return at_rate(country, Decimal(0))
    percent = rate_for.get(country)
    if percent is None:
        raise TaxUndetermined(f"no tax rate is known for {country}", field="tax_rate", country=country)
    return at_rate(country, percent)


def summarize(
    lines: Iterable[TaxableLine], currency: str, rounding: TaxRounding = TaxRounding.DOCUMENT
) -> tuple[TaxSubtotal, ...]:
    """The VAT breakdown of a document: per category and rate the sum of the lines and its tax.

    Rounded half up (away from zero) in minor units of `currency`, once per rate, or per line as `rounding` says;
    sorted by category and rate.
    Raises InvalidMoney for an unknown currency, InvalidInput for a rate that the category excludes.
    Source: EN 16931, BG-23 and BR-CO-17.

    >>> summarize([TaxableLine(n, TaxCategory.S, Decimal(19)) for n in (4972, 3680, 750, 9900)], "EUR")
    (TaxSubtotal(category=<TaxCategory.S: 'S'>, percent=Decimal('19'), base_minor=19302, tax_minor=3667),)
    """
    exponent(currency)
    found: dict[tuple[TaxCategory, Decimal], list[int]] = {}
    for line in lines:
        require_rate(line.category, line.percent)
        found.setdefault((line.category, line.percent), []).append(line.amount_minor)
    rows = []
    for (category, percent), amounts in sorted(found.items(), key=lambda item: item[0]):
        base = sum(amounts)
        taxed = [base] if rounding is TaxRounding.DOCUMENT else amounts
        rows.append(TaxSubtotal(category, percent, base, sum(tax_of(amount, percent) for amount in taxed)))
    return tuple(rows)


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
    return tax_of(credited, original.percent) - tax_before


def tax_of(base_minor: int, percent: Decimal) -> int:
    """The tax of a net amount, in minor units, half up (away from zero).

    >>> tax_of(250, Decimal(1)), tax_of(-250, Decimal(1)), tax_of(19302, Decimal(19))
    (3, -3, 3667)
    """
    exact = EXACT.multiply(Decimal(base_minor), percent).scaleb(-2, EXACT)
    return int(exact.to_integral_value(rounding=ROUND_HALF_UP))
