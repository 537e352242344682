"""Reading JSON strictly."""

import json
import math
import re
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class StrictJSONParser(JSONParser):
    """JSON as RFC 8259 has it, in UTF-8: no NaN or infinity, no name twice in an object, no absurd nesting."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            text = bytes(stream.read()).decode("utf-8")
            data = json.loads(
                text, parse_float=_finite, parse_constant=_refuse, object_pairs_hook=_unique_names
            )
            if _SURROGATE.search(text):  # pairs are characters, halves are nothing: only encoding tells
                json.dumps(data, ensure_ascii=False).encode("utf-8")
            return data
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply.") from error
        except ValueError as error:  # bad JSON, bad UTF-8, absurdly long numbers
            raise ParseError(f"The body is not valid JSON: {str(error)[:200]}") from error


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON value")


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("an object has the same name twice")
    return found
