"""PDF documents: one kept typst compiler per process, data in as JSON, bytes out.

The same snapshot gives the same bytes: the only clock in the file is the day of issue. File access of the templates
ends at templates/documents; system fonts are never looked at.
"""

import json
import threading
from datetime import UTC, datetime, time
from functools import cache
from pathlib import Path

import typst

from billing.core.errors import BillingError, Kind
from billing.invoices.documents.page import page_content
from billing.invoices.documents.snapshot import Snapshot

TEMPLATES = Path(__file__).resolve().parents[3] / "templates" / "documents"
FONTS = TEMPLATES / "fonts"

# ISO 19005-3, level A: embedded fonts, tagged for screen readers, language set; takes an attached e-invoice.
PDF_STANDARD = "a-3a"


class DocumentNotRenderable(BillingError):
    """The PDF could not be made, for instance because the logo is not a valid SVG."""

    code = "document_not_renderable"
    kind = Kind.CONFLICT


# A compiler keeps fonts and parsed templates in memory (twice as fast as a fresh one) but holds one document at a time.
_lock = threading.Lock()


@cache
def _compiler() -> typst.Compiler:
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[FONTS])
    return typst.Compiler(TEMPLATES / "invoice.typ", root=TEMPLATES, font_paths=fonts)


def render_pdf(snapshot: Snapshot) -> bytes:
    """The document as PDF/A-3a, tagged, in the snapshot's language; the same bytes on every call.

    A name in letters that no font of templates/documents/fonts has cannot be PDF/A: such a document is rendered as a
    plain tagged PDF, with boxes for the letters. A font file put into that folder is used at the next start.
    Raises DocumentNotRenderable.
    """
    data = json.dumps(page_content(snapshot), ensure_ascii=False)
    created = int(datetime.combine(snapshot.issued_on, time(), UTC).timestamp())
    try:
        return _compile(data, created, PDF_STANDARD)
    except typst.TypstError as error:
        if "font" not in error.message:
            raise DocumentNotRenderable(
                f"The PDF of {snapshot.number} cannot be made: {error.message}"
            ) from error
        return _compile(data, created, None)


def _compile(data: str, created: int, standard: str | None) -> bytes:
    with _lock:
        content = _compiler().compile(
            format="pdf",
            sys_inputs={"data": data},
            pdf_standards=[standard] if standard else [],
            timestamp=created,
        )
    assert isinstance(content, bytes)
    return content
