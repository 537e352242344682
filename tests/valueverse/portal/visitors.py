"""People at customers, signed in to the portal through its own page."""

from django.test import Client

from billing.platform.clock import now
from customers import services
from customers.models import Customer, PortalRole
from tests import factories
from tests.factories import ACTOR, PASSWORD


def visitor(customer: Customer, *, role: str = PortalRole.MANAGER, language: str = "") -> Client:
    """Somebody at a customer who has signed in with a password."""
    user = factories.user()
    services.grant_portal_access(customer=customer, user=user, role=role, actor=ACTOR, at=now())
    client = Client()
    answer = client.post("/portal/sign-in/", {"email": user.email, "password": PASSWORD})
    assert answer.status_code == 302, answer.content
    if language:
        client.post("/portal/language/", {"language": language})
    return client


def text_of(client: Client, path: str, status: int = 200) -> str:
    """What a page says."""
    answer = client.get(path)
    assert answer.status_code == status, (path, answer.status_code)
    return answer.content.decode().replace("\u00a0", " ")
