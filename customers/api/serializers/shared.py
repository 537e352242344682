"""Parts that several objects of this app have."""

from typing import Any

from billing.platform.api.fields import TextField
from billing.platform.api.serializers import Input, Output
from customers.services import Address


class AddressInput(Input):
    """A postal address."""

    line1 = TextField(required=False, allow_blank=True, max_length=200, help_text="Street and number.")
    line2 = TextField(required=False, allow_blank=True, max_length=200)
    postal_code = TextField(required=False, allow_blank=True, max_length=20)
    city = TextField(required=False, allow_blank=True, max_length=120)
    region = TextField(required=False, allow_blank=True, max_length=120)
    country = TextField(max_length=2, help_text="ISO 3166-1 alpha-2, for example DE.")

    def to_internal_value(self, data: Any) -> Address:
        return Address(**super().to_internal_value(data))


class AddressOutput(Output):
    """A postal address; the columns lie beside the object's others."""

    line1 = TextField()
    line2 = TextField()
    postal_code = TextField()
    city = TextField()
    region = TextField()
    country = TextField()
