"""Asking VIES, the register of VAT numbers of the EU, over its REST interface.

Another register can take its place: the setting VAT_REGISTER names a callable without arguments that makes an object
with `check`. Answers are plain values; no answer is an answer of its own kind and never a "no".
"""

import json
from dataclasses import dataclass
from functools import cache
from http.client import HTTPException
from typing import Any, Protocol
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from django.conf import settings
from django.utils.module_loading import import_string

ANSWER_MAX = 65_536
"""Bytes of an answer that are read."""

ANSWERS = {"VALID": True, "INVALID": False, "INVALID_INPUT": False}
"""What `userError` says beside `valid`; everything else (MS_UNAVAILABLE, TIMEOUT ...) is no answer."""


@dataclass(frozen=True, slots=True)
class VatAnswer:
    """is_valid: None if there was no answer, then error says why. consultation_number: proof for who asked."""

    is_valid: bool | None
    consultation_number: str = ""
    name: str = ""
    address: str = ""
    error: str = ""


class VatRegister(Protocol):
    """Knows whether a VAT number exists. Numbers carry their prefix; requester may be empty. Never raises."""

    def check(self, *, vat_number: str, requester: str) -> VatAnswer: ...


class Vies:
    """The register of the European Commission (VIES REST, check-vat-number)."""

    def check(self, *, vat_number: str, requester: str) -> VatAnswer:
        """One question, one answer within VIES_TIMEOUT seconds."""
        asked = {"countryCode": vat_number[:2], "vatNumber": vat_number[2:]}
        if requester:
            asked |= {"requesterMemberStateCode": requester[:2], "requesterNumber": requester[2:]}
        request = Request(  # noqa: S310 - the address is a setting
            settings.VIES_URL,
            data=json.dumps(asked).encode(),
            headers={"Content-Type": "application/json", "Accept": "application/json"},
        )
        try:
            with urlopen(request, timeout=settings.VIES_TIMEOUT) as response:  # noqa: S310
                return _answer(response.read(ANSWER_MAX))
        except HTTPError as error:
            return VatAnswer(None, error=_refusal(error))
        except (OSError, HTTPException, ValueError) as error:
            return VatAnswer(None, error=f"{type(error).__name__}: {error}"[:200])


@cache
def _register(path: str) -> VatRegister:
    made: VatRegister = import_string(path)()
    return made


def vat_register() -> VatRegister:
    """The register that this installation asks."""
    return _register(settings.VAT_REGISTER)


def _answer(body: bytes) -> VatAnswer:
    """The answer as VIES writes it. Raises ValueError for what is none."""
    found: Any = json.loads(body)
    if not isinstance(found, dict) or not isinstance(found.get("valid"), bool):
        return VatAnswer(None, error=_codes(found) or "The answer does not say whether the number is valid.")
    told = found.get("userError") or ("VALID" if found["valid"] else "INVALID")
    if told not in ANSWERS:
        return VatAnswer(None, error=str(told)[:200])
    return VatAnswer(
        is_valid=found["valid"] and ANSWERS[told],
        consultation_number=_text(found.get("requestIdentifier"), 40),
        name=_text(found.get("name"), 300),
        address=_text(found.get("address"), 500),
    )


def _refusal(error: HTTPError) -> str:
    try:
        codes = _codes(json.loads(error.read(ANSWER_MAX)))
    except (OSError, ValueError):
        codes = ""
    return f"HTTP {error.code} {codes}".strip()[:200]


def _codes(found: Any) -> str:
    """The error codes of a refusal: {"errorWrappers": [{"error": "MS_UNAVAILABLE"}]}."""
    wrappers = found.get("errorWrappers") if isinstance(found, dict) else None
    if not isinstance(wrappers, list):
        return ""
    return ", ".join(str(one.get("error", "")) for one in wrappers if isinstance(one, dict))[:200]


def _text(value: object, length: int) -> str:
    """A text of the register on one line; it writes --- where a member state does not tell."""
    text = " ".join(value.replace("\x00", "").split()) if isinstance(value, str) else ""
    return "" if text.strip("-") == "" else text[:length]
