"""The canonical JSON of a document: the same snapshot always gives the same bytes, so that their hash proves them."""

import hashlib
import json

from billing.invoices.documents.serialization import to_dict
from billing.invoices.documents.snapshot import Snapshot


def canonical_json(snapshot: Snapshot) -> bytes:
    """UTF-8 JSON with sorted keys and no white space between tokens; holds no float, so any parser reads it alike."""
    text = json.dumps(
        to_dict(snapshot), sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    )
    return text.encode("utf-8")


def sha256_hex(content: bytes) -> str:
    """The hash stored beside the bytes of a document, 64 lower-case hexadecimal digits.

    >>> sha256_hex(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(content).hexdigest()
