"""PDF as an answer of the API."""

from collections.abc import Mapping
from typing import Any

from rest_framework.renderers import JSONRenderer


class PdfRenderer(JSONRenderer):
    """Lets a caller accept PDF. The bytes go out as they are; what is rendered is a refusal, and that is JSON."""

    media_type = "application/pdf"
    format = "pdf"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return bytes(super().render(data, "application/json", renderer_context))
