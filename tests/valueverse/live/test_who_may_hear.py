"""Who may open a socket, and which groups it may join (S03, S04): over real connections to a started process."""

import pytest
from django.contrib.auth.models import Group
from websockets.exceptions import ConnectionClosed

from billing.invoices.services import start_bill_run
from billing.platform.clock import now
from billing.platform.ids import new_public_id
from billing.platform.scopes import Scope
from customers import services
from customers.models import Customer, PortalRole
from tests import factories
from tests.factories import ACTOR
from tests.people import client_with_key
from tests.valueverse.backoffice.office import person
from tests.valueverse.live.site import LiveSite, closed_with, closing_of, raw_answer, session_of, subscribe

NO_SUCH_GROUP = (4404, "no such group")


def member_of(customer: Customer, role: str = PortalRole.VIEWER) -> str:
    """The session of somebody at a customer."""
    user = factories.user()
    services.grant_portal_access(customer=customer, user=user, role=role, actor=ACTOR, at=now())
    return session_of(user)


def token_for(customer: Customer, *, bound: bool = False) -> str:
    """A token from the API."""
    key = factories.api_key(scopes=[Scope.LIVE_READ], customer=customer if bound else None)
    answer = client_with_key(key.secret).post("/api/v1/live-tokens", {"customer": customer.public_id})
    assert answer.status_code == 201, answer.content
    return str(answer.json()["token"])


def test_every_caller_hears_the_groups_that_the_table_says(live: LiveSite) -> None:
    acme, globex = factories.customer(), factories.customer()
    run = start_bill_run(as_of=now(), actor=ACTOR, at=now())
    groups = {
        "acme": f"customer:{acme.public_id}",
        "globex": f"customer:{globex.public_id}",
        "unknown customer": f"customer:{new_public_id('cus')}",
        "run": f"run:{run.public_id}",
        "unknown run": f"run:{new_public_id('run')}",
        "dashboard": "dashboard",
        "approvals": "approvals",
        "no group at all": "customer:' OR 1=1",
    }
    every_page = {"acme", "globex", "run", "dashboard", "approvals"}
    both = factories.user()
    for customer in (acme, globex):
        services.grant_portal_access(
            customer=customer, user=both, role=PortalRole.VIEWER, actor=ACTOR, at=now()
        )
    callers = {
        "manager of acme": (lambda: {"cookie": member_of(acme, PortalRole.MANAGER)}, {"acme"}),
        "viewer of acme": (lambda: {"cookie": member_of(acme)}, {"acme"}),
        "mallory of globex": (lambda: {"cookie": member_of(globex)}, {"globex"}),
        "somebody at both": (lambda: {"cookie": session_of(both)}, {"acme", "globex"}),
        "signed in, nobody's": (lambda: {"cookie": session_of(factories.user())}, set()),
        "finance manager": (lambda: {"cookie": session_of(person("Finance manager"))}, every_page),
        "finance clerk": (lambda: {"cookie": session_of(person("Finance clerk"))}, every_page),
        "auditor": (lambda: {"cookie": session_of(person("Auditor"))}, every_page),
        "support": (lambda: {"cookie": session_of(person("Support"))}, {"acme", "globex", "dashboard"}),
        "staff without a group": (lambda: {"cookie": session_of(person(None))}, set()),
        "token of acme": (lambda: {"token": token_for(acme), "origin": None}, {"acme"}),
        "token of acme's own key": (lambda: {"token": token_for(acme, bound=True)}, {"acme"}),
    }
    found = {
        (caller, group): outcome(live, credentials(), name)
        for caller, (credentials, _) in callers.items()
        for group, name in groups.items()
    }
    wanted = {
        (caller, group): [name] if group in heard else NO_SUCH_GROUP
        for caller, (_, heard) in callers.items()
        for group, name in groups.items()
    }
    assert found == wanted


def outcome(live: LiveSite, credentials: dict[str, str], group: str) -> object:
    """The groups joined, or code and reason of the closing."""
    with live.connect(**credentials) as connection:
        try:
            return subscribe(connection, group)
        except ConnectionClosed as closing:
            return closing_of(closing)


def test_one_foreign_group_among_own_ones_joins_none(live: LiveSite) -> None:
    acme, globex = factories.customer(), factories.customer()
    with live.connect(cookie=member_of(acme)) as connection:
        with pytest.raises(ConnectionClosed):
            subscribe(connection, f"customer:{acme.public_id}", f"customer:{globex.public_id}")
        assert closed_with(connection) == NO_SUCH_GROUP


@pytest.mark.parametrize(
    ("origin", "headers", "status"),
    [
        ("", {}, 101),
        ("https://shown.example", {}, 101),
        (None, {}, 403),
        ("null", {}, 403),
        ("https://evil.example", {}, 403),
        ("http://127.0.0.1:1", {}, 403),
        ("http://127.0.0.1.evil.example", {}, 403),
        ("https://shown.example.evil.example", {}, 403),
        ("file://", {}, 403),
        ("http://127.0.0.1:port", {}, 403),
    ],
)
def test_cookie_counts_only_from_pages_of_this_site(
    live: LiveSite, origin: str | None, headers: dict[str, str], status: int
) -> None:
    cookie = member_of(factories.customer())
    assert live.status(cookie=cookie, origin=origin, **headers) == status


def test_another_name_for_our_address_is_not_this_site(live: LiveSite) -> None:
    """DNS rebinding: Origin and Host agree, and neither is ours."""
    cookie = member_of(factories.customer())
    request = (
        "GET /ws/live HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        f"Cookie: session={cookie}\r\n\r\n"
    )
    assert raw_answer(live.port, request.encode()).startswith(b"HTTP/1.1 403 ")


def test_nobody_gets_a_socket_without_being_somebody(live: LiveSite) -> None:
    gone = factories.user()
    cookie = session_of(gone)
    gone.is_active = False
    gone.save()
    assert live.status() == 401
    assert live.status(cookie="a" * 32) == 401
    assert live.status(cookie="../../etc") == 401
    assert live.status(cookie=cookie) == 401
    assert live.status(token="nonsense") == 401


def test_groups_of_the_office_are_those_of_the_table(live: LiveSite) -> None:
    """The table above names every group; a new one has to be added to it."""
    found = sorted(Group.objects.values_list("name", flat=True))
    assert found == ["Auditor", "Finance clerk", "Finance manager", "Support"]
