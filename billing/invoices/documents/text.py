"""Foreign text made safe to print: names come from customers and integrators and may hold anything.

Text reaches the templates as data, never as markup; what is left to do here is to drop what no font can show and to
let a word of any length wrap.
"""

import re
import unicodedata

ZERO_WIDTH_SPACE = "\u200b"
UNKNOWN = "\ufffd"  # what a faulty import left behind; the font has no such sign
REPLACEMENT = "?"
RUN_MAX = 24
_BLANKS = re.compile(r"[^\S\u00a0\u202f]+")  # no-break spaces keep a figure and its unit together
_LONG_RUN = re.compile(rf"[^\s\-]{{{RUN_MAX},}}")
_PIECE = re.compile(rf"[^@./_,;:&+]{{0,{RUN_MAX - 1}}}[@./_,;:&+]+|[^@./_,;:&+]{{1,{RUN_MAX // 2}}}")


def printable(text: str) -> str:
    """One line of text without control, direction and unassigned characters.

    Control characters become blanks, invisible formatting (among it the marks that reverse a text's direction, with
    which a name could fake another) disappears, private and unassigned characters become "?".

    >>> printable("Acme\\u202e GmbH\\n")
    'Acme GmbH'
    """
    return _BLANKS.sub(" ", "".join(_shown(character) for character in text)).strip()


def wrapping(text: str) -> str:
    """`printable` text in which a run of 24 or more characters may break, so that a long name wraps and is not cut.

    Addresses break after their punctuation, other runs every 12 characters.

    >>> wrapping("accounts@averylongdomainname.example").split(ZERO_WIDTH_SPACE)
    ['accounts@', 'averylongdomainname.', 'example']
    """
    return _LONG_RUN.sub(lambda run: _pieces(run.group()), printable(text))


def _shown(character: str) -> str:
    match unicodedata.category(character):
        case "Cc" | "Zl" | "Zp":
            return " "
        case "Cf":
            return ""
        case "Cs" | "Co" | "Cn":
            return REPLACEMENT
        case _ if character == UNKNOWN:
            return REPLACEMENT
        case _:
            return character


def _pieces(run: str) -> str:
    return ZERO_WIDTH_SPACE.join(_PIECE.findall(run))
