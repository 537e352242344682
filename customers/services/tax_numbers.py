"""VAT identification numbers: the form that is stored, and whether a number can be real."""

import re

from stdnum.eu import vat as eu_vat
from stdnum.exceptions import ValidationError

from billing.core.errors import InvalidInput
from billing.core.tax import EU_COUNTRIES
from billing.platform.validation import require_country

_PREFIXES = {"GR": "EL"}  # VAT numbers of Greece begin with EL (Directive 2006/112/EC, Art. 215)
_FOREIGN = re.compile(r"[0-9A-Z][0-9A-Z ./-]{0,19}")


def clean_vat_number(*, country: str, vat_number: str) -> str:
    """The number as stored: with its country's prefix, without spaces.

    Numbers of EU countries are checked by their national rules (length and check digits, python-stdnum), not by
    asking the tax office whether they exist. Numbers of other countries are kept as written, in capitals.
    Raises InvalidInput naming `country` or `vat_number`.
    """
    require_country(country)
    number = vat_number.upper().strip()
    if country not in EU_COUNTRIES:
        if not _FOREIGN.fullmatch(number):
            raise InvalidInput(
                "A tax number has 1 to 20 letters, digits, spaces or . / -", field="vat_number"
            )
        return number
    prefix = _PREFIXES.get(country, country)
    if not number.startswith(prefix):
        raise InvalidInput(f"A VAT number of {country} begins with {prefix}.", field="vat_number")
    try:
        return str(eu_vat.validate(number))
    except ValidationError as error:
        raise InvalidInput(f"This is not a valid VAT number of {country}.", field="vat_number") from error
