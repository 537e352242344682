"""Signing in."""

from billing.platform.api.fields import TextField
from billing.platform.api.serializers import Input, Output


class Credentials(Input):
    """Mail address and password of a person."""

    email = TextField(max_length=254)
    password = TextField(max_length=1024, trim_whitespace=False, style={"input_type": "password"})


class RefreshInput(Input):
    """A refresh token."""

    refresh = TextField(max_length=4096)


class TokenPairOutput(Output):
    """access: send it as `Authorization: Bearer ...`; it lasts 15 minutes. refresh: good once, for the next pair."""

    access = TextField()
    refresh = TextField()
