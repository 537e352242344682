"""Decimal places per currency, as dated data.

Source: ISO 4217:2015, List One (current currency and fund codes; maintenance agency: SIX Group), as of
1 January 2026; the circulating currencies were compared with Unicode CLDR. Codes without a minor unit (metals,
XDR, XSU, XUA, XTS, XXX) cannot be billed and are left out. Currencies withdrawn since 2023 stay, with their last
day, so that old documents can be read. A change of exponent is a new row with a date, never an edit: an amount
stored in minor units means what the exponent of its day says.
"""

from datetime import date
from typing import NamedTuple


class CurrencyExponent(NamedTuple):
    """`exponent` decimal places for `code` on days with valid_from <= day < valid_to (None: no bound)."""

    code: str
    exponent: int
    valid_from: date | None = None
    valid_to: date | None = None


_ZERO = "BIF CLP DJF GNF JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_TWO = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE "
    "CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD "
    "HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK "
    "MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD "
    "RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH "
    "USD USN UYU UZS VED VES WST XAD XCD YER ZAR ZMW"
)
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"

_DATED = (
    CurrencyExponent("ANG", 2, None, date(2025, 7, 1)),  # replaced by XCG
    CurrencyExponent("BGN", 2, None, date(2026, 1, 1)),  # Bulgaria joined the euro
    CurrencyExponent("HRK", 2, None, date(2023, 1, 1)),  # Croatia joined the euro
    CurrencyExponent("ISK", 2, None, date(2007, 1, 1)),  # the aurar were abolished
    CurrencyExponent("ISK", 0, date(2007, 1, 1), None),
    CurrencyExponent("SLL", 2, None, date(2024, 4, 1)),  # replaced by SLE
    CurrencyExponent("XCG", 2, date(2025, 3, 31), None),
    CurrencyExponent("ZWG", 2, date(2024, 6, 25), None),
    CurrencyExponent("ZWL", 2, None, date(2024, 9, 1)),  # replaced by ZWG
)

EXPONENTS: tuple[CurrencyExponent, ...] = (
    *(CurrencyExponent(code, 0) for code in _ZERO.split()),
    *(CurrencyExponent(code, 2) for code in _TWO.split()),
    *(CurrencyExponent(code, 3) for code in _THREE.split()),
    *(CurrencyExponent(code, 4) for code in _FOUR.split()),
    *_DATED,
)
"""Every row; the rows of one code do not overlap and stand in the order of time."""
