"""The payment code on invoices: a SEPA credit transfer as a QR code that banking apps read.

Source: European Payments Council, EPC069-12 version 3.1 (level M, version 13 at most, 331 bytes at most).
"""

import io
from decimal import Decimal

from segno import helpers

NAME_MAX = 70
REFERENCE_MAX = 140
AMOUNT_MAX_MINOR = 99_999_999_999
QUIET_ZONE_MODULES = 4


def payment_code_svg(*, holder: str, iban: str, bic: str, amount_minor: int, reference: str) -> str:
    """The code as SVG text with its quiet zone.

    amount_minor: cents, EUR only, above 0 and at most 999,999,999.99 EUR.
    A longer holder or reference is cut to what the standard allows: banks match by IBAN and read the reference whole.
    Raises ValueError for an IBAN, BIC or amount the standard does not allow.
    """
    code = helpers.make_epc_qr(
        name=_one_line(holder)[:NAME_MAX],
        iban="".join(iban.split()).upper(),
        amount=Decimal(amount_minor).scaleb(-2),
        text=_one_line(reference)[:REFERENCE_MAX],
        bic="".join(bic.split()).upper() or None,
    )
    buffer = io.BytesIO()
    code.save(buffer, kind="svg", border=QUIET_ZONE_MODULES, xmldecl=False, svgns=True)
    return buffer.getvalue().decode("utf-8")


def _one_line(text: str) -> str:
    """Line feeds separate the fields of the code, so none may come from outside."""
    return " ".join(text.split())
