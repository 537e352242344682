"""Idempotency-Key between connections: two requests at once, and one that never ends."""

import threading
from typing import Any

import pytest
from django.db import connection, transaction
from rest_framework.test import APIClient

from billing.catalog.models import Product
from billing.platform.locks import try_transaction_lock
from tests import factories
from tests.people import client_with_key
from tests.platform.api_answers import assert_problem

pytestmark = pytest.mark.urls("tests.platform.money_urls")

ORDER = {"code": "gold"}


def send(client: APIClient, address: str) -> Any:
    return client.post(address, ORDER, headers={"Idempotency-Key": "key-1"})


@pytest.mark.parametrize("to", ["/atomic", "/recoverable"])
def test_request_that_still_runs_is_told_so_and_its_end_frees_the_key(committed_db: str, to: str) -> None:
    """Another connection holds the key's lock, as a running request does; when it ends, even by a crash, it is free."""
    made = factories.api_key()
    client = client_with_key(made.secret)
    held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                assert try_transaction_lock(f"idempotency:api_key:{made.key.public_id}:key-1")
                held.set()
                may_end.wait(10)
        finally:
            connection.close()

    other = threading.Thread(target=hold)
    other.start()
    assert held.wait(10)
    answer = send(client, to)
    may_end.set()
    other.join(10)
    assert_problem(answer, 409, "request_still_running")
    assert answer.headers["Retry-After"] == "1"
    assert not Product.objects.exists()
    assert send(client, to).status_code == 201


def test_twenty_at_once_have_one_effect(committed_db: str) -> None:
    secret = factories.api_key().secret
    answers: list[Any] = []
    start = threading.Barrier(20)

    def order() -> None:
        try:
            start.wait(10)
            answers.append(send(client_with_key(secret), "/recoverable"))
        finally:
            connection.close()

    threads = [threading.Thread(target=order) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted({answer.status_code for answer in answers}) in ([201], [201, 409])
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert Product.objects.count() == 1
