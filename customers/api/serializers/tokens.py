"""Signing in."""

from billing.platform.api.fields import TextField
from billing.platform.api.serializers import Input, Output


class Credentials(Input):
    """Mail address and password of a person; of staff with a second factor also a code of it."""

    email = TextField(max_length=254)
    password = TextField(max_length=1024, trim_whitespace=False, style={"input_type": "password"})
    code = TextField(
        max_length=40,
        required=False,
        allow_blank=True,
        help_text="Of the authenticator app, or a recovery code. Staff only.",
    )


class RefreshInput(Input):
    """A refresh token."""

    refresh = TextField(max_length=4096)


class TokenPairOutput(Output):
    """access: send it as `Authorization: Bearer ...`; it lasts 15 minutes. refresh: good once, for the next pair."""

    access = TextField()
    refresh = TextField()
