"""Who calls the API in tests, and how each is known to it.

Fiona works in finance, Oscar operates; Ada and Bob are at Acme, Mallory at Globex. Programs call with keys.
"""

from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Permission
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import RefreshToken

from billing.platform.scopes import ALL_SCOPES, Scope
from customers.models import Customer
from customers.services.api_keys import SCOPES_FOR_ALL_CUSTOMERS
from tests import factories

READING = [scope for scope in ALL_SCOPES if scope.value.endswith(":read")]
OF_ONE_CUSTOMER = [scope for scope in ALL_SCOPES if scope not in SCOPES_FOR_ALL_CUSTOMERS]


def client_with_key(secret: str) -> APIClient:
    """A program that sends an API key."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def client_of(user: Any) -> APIClient:
    """A person who signed in with JWT."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {RefreshToken.for_user(user).access_token}")
    return client


def integrator() -> APIClient:
    """A program with all scopes for all customers."""
    return client_with_key(factories.api_key().secret)


@dataclass
class People:
    """Everybody, each as a client. acme and globex are customers of one legal entity."""

    acme: Customer = field(default_factory=factories.customer)
    globex: Customer = field(init=False)
    clients: dict[str, APIClient] = field(init=False)

    def __post_init__(self) -> None:
        self.globex = factories.customer(legal_entity=self.acme.legal_entity)
        fiona = factories.user("fiona@seller.example", is_staff=True)
        fiona.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
        boss = factories.user("boss@seller.example", is_staff=True)
        boss.is_superuser = True
        boss.save()
        self.clients = {
            "anonymous": APIClient(),
            "bob of acme, no staff": client_of(factories.user("bob@acme.example")),
            "oscar, staff without permissions": client_of(
                factories.user("oscar@seller.example", is_staff=True)
            ),
            "fiona, staff who may view": client_of(fiona),
            "superuser": client_of(boss),
            "key for all": integrator(),
            "key that reads": client_with_key(factories.api_key(scopes=READING).secret),
            "key for usage only": client_with_key(factories.api_key(scopes=[Scope.USAGE_WRITE]).secret),
            "key of acme": self.key_of(self.acme),
            "key of globex": self.key_of(self.globex),
        }

    @staticmethod
    def key_of(customer: Customer) -> APIClient:
        """A program that acts for one customer."""
        return client_with_key(factories.api_key(scopes=OF_ONE_CUSTOMER, customer=customer).secret)
