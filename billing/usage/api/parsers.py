"""Reading the body of a usage request: fast, bounded, and with every number exactly as it was sent."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

from billing.usage import exact_json

BODY_BYTES_MAX = 2 * 1024 * 1024
"""A batch of 1,000 events takes about 300 KiB."""


class BodyTooLarge(APIException):
    """The body is larger than a usage request may be."""

    status_code = 413
    default_code = "request_too_large"
    default_detail = f"A usage request has at most {BODY_BYTES_MAX} bytes. Send smaller batches."


class ExactJSONParser(BaseParser):
    """JSON up to 2 MiB, with numbers as int or Decimal."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        body = stream.read(BODY_BYTES_MAX + 1)
        if len(body) > BODY_BYTES_MAX:
            raise BodyTooLarge
        try:
            return exact_json.decode(body)
        except ValueError as error:
            raise ParseError(f"The body is not valid JSON: {str(error)[:200]}") from error
