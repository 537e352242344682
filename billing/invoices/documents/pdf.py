"""PDF documents: one kept typst compiler per process, data in as JSON, bytes out.

The same snapshot gives the same bytes: the only clock in the file is the day of issue. File access of the templates
ends at templates/documents; system fonts are never looked at.
"""

import json
import threading
from datetime import UTC, datetime, time
from functools import cache, lru_cache
from pathlib import Path

import typst

from billing.core.errors import BillingError, Kind
from billing.invoices.documents.page import page_content
from billing.invoices.documents.snapshot import Snapshot

TEMPLATES = Path(__file__).resolve().parents[3] / "templates" / "documents"
FONTS = TEMPLATES / "fonts"


class DocumentNotRenderable(BillingError):
    """The PDF could not be made, for instance because the logo is not a valid SVG."""

    code = "document_not_renderable"
    kind = Kind.CONFLICT


# A compiler keeps fonts and parsed templates in memory (twice as fast as a fresh one) but holds one document at a time.
_lock = threading.Lock()


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[FONTS])


@cache
def _compiler() -> typst.Compiler:
    return typst.Compiler(TEMPLATES / "invoice.typ", root=TEMPLATES, font_paths=_fonts())


def render_pdf(snapshot: Snapshot) -> bytes:
    """The document as PDF/A-3a, tagged, in the snapshot's language; the same bytes on every call.

    A name in letters that no font of templates/documents/fonts has cannot be PDF/A: such a document is rendered as a
    plain tagged PDF, with boxes for the letters. A font file put into that folder is used at the next start.
    Raises DocumentNotRenderable.
    """
    try:
        data = json.dumps(page_content(snapshot), ensure_ascii=False)
    except ValueError as error:
        raise DocumentNotRenderable(
            f"The payment code of {snapshot.number} cannot be made: {error}", field="payment.bank_account"
        ) from error
    created = int(datetime.combine(snapshot.issued_on, time(), UTC).timestamp())
    try:
        return _compile(data, created, archival=True)
    except typst.TypstError as error:
        if "font" not in error.message:
            message = f"The PDF of {snapshot.number} cannot be made: {error.message}"
            raise DocumentNotRenderable(message) from error
        return _compile(data, created, archival=False)


@lru_cache(maxsize=32)
def logo_problem(logo_svg: str) -> str:
    """Why a logo cannot be printed, or "": asked before issuing, since an issued snapshot cannot change any more."""
    source = b'#image(bytes(sys.inputs.logo), format: "svg", alt: "logo")'
    try:
        # Not by the kept compiler, which would take this source for the template of the next document.
        compiler = typst.Compiler(source, root=TEMPLATES, font_paths=_fonts(), sys_inputs={"logo": logo_svg})
        compiler.compile(format="pdf")
    except typst.TypstError as error:
        return error.message
    return ""


def _compile(data: str, created: int, *, archival: bool) -> bytes:
    """archival: ISO 19005-3 level A (fonts embedded, tagged, language set), which also takes an attached e-invoice."""
    with _lock:
        content = _compiler().compile(
            format="pdf",
            sys_inputs={"data": data},
            pdf_standards=["a-3a"] if archival else [],
            timestamp=created,
        )
    assert isinstance(content, bytes)
    return content
