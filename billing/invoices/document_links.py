"""Links in mails that show one document without signing in, for 90 days.

The link carries the document's id and the day it was made, signed with the installation's key; nothing is stored, so
that a mail sent again carries a link that is good for another 90 days. Whoever has the mail has the document anyway:
it is attached.
"""

from datetime import timedelta

from django.conf import settings
from django.core import signing

from billing.core.errors import BillingError, Kind
from billing.invoices.models import CreditNote, Invoice

LIFETIME = timedelta(days=90)
PATH = "/portal/documents/"
_SALT = "billing.invoices.document_links"

Document = Invoice | CreditNote


class DocumentLinkUnknown(BillingError):
    """Not a link that we made, or its document is gone."""

    code = "document_link_unknown"
    kind = Kind.NOT_FOUND


class DocumentLinkExpired(BillingError):
    """The link was ours, and is older than 90 days. document: what it showed."""

    code = "document_link_expired"
    kind = Kind.CONFLICT

    def __init__(self, document: Document) -> None:
        super().__init__("This link has run out. Sign in to see the document.")
        self.document = document


def document_url(document: Document) -> str:
    """The address under which a document is shown to whoever got the mail."""
    return f"{settings.SITE_URL}{PATH}{document_token(document)}/"


def document_token(document: Document) -> str:
    """The part of the address that says which document, since when, and that we said so."""
    return signing.dumps(document.public_id, salt=_SALT, compress=False)


def document_behind(token: str) -> Document:
    """The issued document of a link. Raises DocumentLinkUnknown, DocumentLinkExpired."""
    try:
        public_id = signing.loads(token, salt=_SALT)
    except signing.BadSignature as error:
        raise DocumentLinkUnknown("There is no such document.") from error
    kind = Invoice if str(public_id).startswith("inv_") else CreditNote
    found = (
        kind.objects.select_related("customer__legal_entity", "customer__test_clock", "legal_entity")
        .filter(public_id=public_id, snapshot__isnull=False)
        .first()
    )
    if not isinstance(found, Invoice | CreditNote):
        raise DocumentLinkUnknown("There is no such document.")
    try:
        signing.loads(token, salt=_SALT, max_age=LIFETIME)
    except signing.SignatureExpired as error:
        raise DocumentLinkExpired(found) from error
    return found
