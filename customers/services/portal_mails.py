"""The mails that let people in: invitation, sign-in link, the staff's link; text and HTML saying the same."""

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string

from customers.models import Customer, LegalEntity, User
from customers.services.people import staff_link
from customers.services.portal import NewPortalLink

INVITATION_PATH = "/portal/invitation/"
SIGN_IN_PATH = "/portal/link/"

_WORDS = {
    "en": {
        "invitation_subject": "Access to {customer}'s billing at {seller}",
        "invitation_first": "{seller} invites you to see {customer}'s usage, invoices and payments.",
        "invitation_button": "Set up access",
        "invitation_note": "The link works once, for seven days.",
        "sign_in_subject": "Your sign-in link",
        "sign_in_first": "Somebody asked for a link to sign in to the billing portal with this address.",
        "sign_in_button": "Sign in",
        "sign_in_note": "The link works once, for 15 minutes. If it was not you, ignore this mail.",
        "staff_subject": "Access to the ValueVerse back office",
        "staff_first": "With this link you choose the password you sign in with. Your address is your name there.",
        "staff_button": "Choose a password",
        "staff_note": "The link works once, for three days. After that, ask whoever invited you for a new one.",
    },
    "de": {
        "invitation_subject": "Zugang zur Abrechnung von {customer} bei {seller}",
        "invitation_first": "{seller} lädt Sie ein, Nutzung, Rechnungen und Zahlungen von {customer} einzusehen.",
        "invitation_button": "Zugang einrichten",
        "invitation_note": "Der Link gilt einmal, sieben Tage lang.",
        "sign_in_subject": "Ihr Anmeldelink",
        "sign_in_first": "Mit dieser Adresse wurde ein Link zur Anmeldung am Abrechnungsportal angefordert.",
        "sign_in_button": "Anmelden",
        "sign_in_note": "Der Link gilt einmal, 15 Minuten lang. Waren Sie es nicht, ignorieren Sie diese Mail.",
    },
}


def mail_invitation(*, made: NewPortalLink, customer: Customer) -> str:
    """Mail an invitation in the customer's language; returns its link."""
    seller: LegalEntity = customer.legal_entity
    url = f"{settings.SITE_URL}{INVITATION_PATH}{made.token}/"
    names = {"customer": customer.name, "seller": seller.name}
    _send("invitation", customer.language, made.link.email, url, names, seller.legal_name)
    return url


def mail_sign_in_link(*, made: NewPortalLink, language: str) -> str:
    """Mail a sign-in link; returns it."""
    url = f"{settings.SITE_URL}{SIGN_IN_PATH}{made.token}/"
    _send("sign_in", language, made.link.email, url, {}, "")
    return url


def mail_staff_link(*, user: User) -> str:
    """Mail somebody on the staff the link with which they choose a password; returns it."""
    url = staff_link(user)
    _send("staff", "en", user.email, url, {}, "")
    return url


def _send(kind: str, language: str, to: str, url: str, names: dict[str, str], footer: str) -> None:
    text = _WORDS.get(language, _WORDS["en"])
    # One line, whatever a name holds: a line break in a subject would start another mail header.
    one_line = {name: " ".join(value.split()) for name, value in names.items()}
    content = {
        "language": language,
        "title": text[f"{kind}_subject"].format(**one_line),
        "first_line": text[f"{kind}_first"].format(**one_line),
        "button": text[f"{kind}_button"],
        "note": text[f"{kind}_note"],
        "url": url,
        "footer": footer,
    }
    message = EmailMultiAlternatives(
        subject=content["title"],
        body=render_to_string("emails/access.txt", content),
        from_email=settings.DEFAULT_FROM_EMAIL,
        to=[to],
    )
    message.attach_alternative(render_to_string("emails/access.html", content), "text/html")
    message.send()
