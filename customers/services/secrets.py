"""Encryption of what second factors keep: the key of an authenticator app and the seed of recovery codes.

Fernet (AES-128-CBC with HMAC-SHA256) with keys derived from the settings. The first key encrypts, all decrypt, so a
new key is put first, `manage.py reencrypt_second_factors` rewrites what is stored, and the old one goes.
"""

import base64
import hashlib

from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from billing.core.errors import BillingError, Kind

ISSUER = "ValueVerse"


class SecretUnreadable(BillingError):
    """A stored secret fits none of the configured keys."""

    code = "secret_unreadable"
    kind = Kind.UNAVAILABLE


def _fernet() -> MultiFernet:
    texts = settings.SECOND_FACTOR_KEYS or [settings.SECRET_KEY]
    return MultiFernet([Fernet(_derived(text)) for text in texts])


def _derived(text: str) -> bytes:
    """A Fernet key from a long secret text; the label keeps it apart from other uses of the same text."""
    return base64.urlsafe_b64encode(hashlib.sha256(b"second factors\0" + text.encode()).digest())


def encrypt_secret(text: str) -> str:
    """The text, encrypted with the first key."""
    return _fernet().encrypt(text.encode()).decode()


def decrypt_secret(encrypted: str) -> str:
    """What `encrypt_secret` was given, by any of the keys. Raises SecretUnreadable."""
    try:
        return _fernet().decrypt(encrypted.encode()).decode()
    except InvalidToken as error:
        raise SecretUnreadable(
            "A stored second factor fits none of the keys in SECOND_FACTOR_KEYS. An operator can put the key back."
        ) from error


def rotate_secret(encrypted: str) -> str:
    """The same secret under the first key. Raises SecretUnreadable."""
    return encrypt_secret(decrypt_secret(encrypted))


class EncryptingAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """django-allauth's hooks: everything it stores in secret goes through the functions above."""

    def encrypt(self, text: str) -> str:
        return encrypt_secret(text)

    def decrypt(self, encrypted_text: str) -> str:
        return decrypt_secret(encrypted_text)

    def get_totp_issuer(self) -> str:
        return ISSUER

    def _get_site_name(self) -> str:
        return ISSUER
