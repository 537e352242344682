"""Text that no spreadsheet takes for a formula, wherever a file of rows is written."""

import re

_FORMULA = re.compile(r"[=+\-@\t\r\n]")
_NEGATIVE = re.compile(r"-\d+(\.\d+)?")


def safe_text(text: str) -> str:
    """The text with an apostrophe before it if a spreadsheet would run it; a negative number stays one.

    Source: CWE-1236; OWASP, CSV injection.

    >>> safe_text("=cmd()"), safe_text("-12.00"), safe_text("-1+2"), safe_text("Müller")
    ("'=cmd()", '-12.00', "'-1+2", 'Müller')
    """
    return f"'{text}" if _FORMULA.match(text) and not _NEGATIVE.fullmatch(text) else text
