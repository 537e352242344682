"""VAT numbers asked about in VIES: what is kept, what no answer means, and how often one is asked for again."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from billing.core.errors import TaxUndetermined
from billing.invoices.taxes import tax_treatment
from customers import services, tasks
from customers.models import Customer, VatCheck
from customers.services import Address, TaxIdInput
from customers.vies import VatAnswer, Vies
from tests import factories
from tests.invariants.hostile import not_permitted, sql
from valueverse.outbox import drain_outbox

pytestmark = pytest.mark.django_db
ACTOR, AT = factories.ACTOR, datetime(2023, 11, 1, 12, tzinfo=UTC)
NUMBERS = {"FR": "FR83404833048", "AT": "ATU13585627", "DE": "DE136695976"}


@pytest.fixture(scope="module")
def stand_in() -> Iterator[str]:
    """The address of a stand-in for VIES that runs as a process of its own."""
    program = Path(__file__).with_name("vies_stand_in.py")
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/check-vat-number"
        process.terminate()


@pytest.fixture(autouse=True)
def asked(stand_in: str, settings: Any) -> None:
    settings.VIES_URL, settings.VIES_TIMEOUT = stand_in, 1


def buyer(country: str = "FR", policy: str = "confirm_or_refuse", number: str = "") -> Customer:
    seller = factories.legal_entity(vat_id_policy=policy)
    return factories.customer(
        legal_entity=seller,
        address=Address(country=country, line1="1", postal_code="1", city="City"),
        tax_ids=[TaxIdInput(country=country, vat_number=number or NUMBERS[country])],
    )


def category(customer: Customer) -> str:
    return tax_treatment(legal_entity=customer.legal_entity, customer=customer, on=AT).label


def test_answer_is_kept_with_its_time_and_the_consultation_number() -> None:
    customer = buyer()
    check = services.check_vat_number(customer=customer, actor=ACTOR, at=AT)
    assert (check.outcome, check.consultation_number, check.asked_at) == ("valid", "WAPIAAAAYtest", AT)
    assert (check.vat_number, check.requester) == ("FR83404833048", "DE136695976")
    assert (check.name, check.address) == ("SA EXEMPLE", "1 RUE DE RIVOLI 75001 PARIS")
    assert category(customer) == "FR AE 0"


def test_number_without_an_answer_is_never_billed_at_zero() -> None:
    customer = buyer("AT")
    factories.tax_rate("DE", "19")
    with pytest.raises(TaxUndetermined, match="ATU13585627 is not confirmed yet"):
        category(customer)
    check = services.check_vat_number(customer=customer, actor=ACTOR, at=AT)
    assert (check.outcome, check.error) == ("unavailable", "HTTP 500 MS_UNAVAILABLE")
    with pytest.raises(TaxUndetermined):
        category(customer)


def test_seller_may_tax_what_is_not_confirmed_like_a_consumer() -> None:
    factories.tax_rate("DE", "19")
    assert category(buyer("AT", "confirm_or_tax")) == "DE S 19"
    assert category(buyer("AT", "checksum")) == "AT AE 0"


def test_number_that_is_not_valid_is_refused_until_a_later_answer_says_otherwise() -> None:
    customer = buyer()
    VatCheck.objects.create(
        customer=customer, country="FR", vat_number=NUMBERS["FR"], outcome="invalid", asked_at=AT
    )
    with pytest.raises(TaxUndetermined, match="is not valid, as the register said on 2023-11-01"):
        category(customer)
    services.check_vat_number(customer=customer, actor=ACTOR, at=AT)
    assert category(customer) == "FR AE 0"


@pytest.mark.parametrize(
    ("vat_number", "answer"),
    [
        ("FR83404833040", VatAnswer(False, "WAPIAAAAYtest")),
        ("ATU13585627", VatAnswer(None, error="HTTP 500 MS_UNAVAILABLE")),
        ("IT00743110157", VatAnswer(None, error="MS_MAX_CONCURRENT_REQ")),
    ],
)
def test_client_tells_no_from_no_answer(vat_number: str, answer: VatAnswer) -> None:
    assert Vies().check(vat_number=vat_number, requester="DE136695976") == answer


@pytest.mark.parametrize("vat_number", ["ESX9999999X", "PL7680002466"])
def test_nonsense_and_silence_are_no_answer(vat_number: str) -> None:
    answer = Vies().check(vat_number=vat_number, requester="")
    assert answer.is_valid is None
    assert answer.error


def test_unreachable_register_is_no_answer(settings: Any) -> None:
    settings.VIES_URL = "http://127.0.0.1:9/nobody"
    assert Vies().check(vat_number="FR83404833048", requester="").is_valid is None


def test_pending_numbers_are_asked_for_again_ever_more_slowly_and_not_forever() -> None:
    customer = buyer("AT")
    waits: list[int] = []
    at = AT
    for minute in range(0, 60 * 24 * 4, 2):
        if services.check_pending_vat_numbers(actor=ACTOR, at=AT + timedelta(minutes=minute)):
            now_at = AT + timedelta(minutes=minute)
            waits.append(int((now_at - at).total_seconds() // 60))
            at = now_at
    assert waits == [0, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360]
    assert customer.vat_checks.count() == 12


def test_answered_and_undecided_numbers_are_not_asked_about_again() -> None:
    buyer()
    buyer("FR", "checksum")
    buyer("DE")
    assert services.check_pending_vat_numbers(actor=ACTOR, at=AT) == 1
    assert services.check_pending_vat_numbers(actor=ACTOR, at=AT + timedelta(days=1)) == 0


def test_check_now_over_the_api_follows_after_the_commit() -> None:
    customer = buyer()
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {factories.api_key().secret}")
    address = f"/api/v1/customers/{customer.public_id}/vat-checks"
    assert client.post(address).status_code == 202
    assert client.get(address).json()["data"] == []
    drain_outbox()
    (found,) = client.get(address).json()["data"]
    assert (found["outcome"], found["vat_number"]) == ("valid", "FR83404833048")


def test_customer_without_a_number_of_the_union_has_nothing_to_check() -> None:
    customer = factories.customer()
    with pytest.raises(services.NoVatNumber):
        services.request_vat_check(customer=customer, actor=ACTOR, at=AT)
    with pytest.raises(services.NoVatNumber):
        services.check_vat_number(customer=customer, actor=ACTOR, at=AT)
    tasks.check_vat_number(customer.public_id)
    tasks.check_pending_vat_numbers()
    assert not VatCheck.objects.exists()


def test_an_answer_never_changes() -> None:
    check = services.check_vat_number(customer=buyer(), actor=ACTOR, at=AT)
    with not_permitted():
        sql("UPDATE customers_vatcheck SET outcome = 'invalid' WHERE id = %s", check.pk)
    with not_permitted():
        sql("DELETE FROM customers_vatcheck WHERE id = %s", check.pk)
