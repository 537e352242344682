"""F03: a process that dies between writing down what it is about to do and noting the gateway's answer."""

import os
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path

import pytest

from payments.models import Payment
from payments.services.collecting import PaymentInProgress
from payments.tasks import check_open_payments
from tests.payments.test_collecting import attempts, collect, invoiced, taken
from tests.scenarios.story import NOV_1, is_sound

ROOT = Path(__file__).resolve().parents[2]


CRASH_IN_THE_GATEWAY_CALL = """
    import os
    import django
    django.setup()
    from django.conf import settings
    from django.db import connections
    settings.DATABASES["default"]["NAME"] = connections["default"].settings_dict["NAME"] = {database!r}
    from billing.platform.actors import command_actor
    from payments import gateways, services
    from payments.gateways.test import TestGateway

    class DyingGateway(TestGateway):
        def charge(self, request):
            if {after_success}:
                super().charge(request)
            os._exit(137)

    gateways._GATEWAYS["test"] = DyingGateway()
    from customers.selectors import now_for
    from billing.invoices.models import Invoice
    invoice = Invoice.objects.select_related("customer__test_clock").get()
    services.collect_invoice(
        invoice_id=invoice.public_id, actor=command_actor("crash"), at=now_for(invoice.customer)
    )
"""


@pytest.mark.parametrize("after_success", [False, True], ids=["before the money moved", "after it moved"])
def test_f03_a_process_that_dies_in_the_call_leaves_one_charge_and_one_payment(
    committed_db: str, after_success: bool
) -> None:
    story, invoice = invoiced()
    program = CRASH_IN_THE_GATEWAY_CALL.format(database=committed_db, after_success=after_success)
    died = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "valueverse.settings.test"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert died.returncode == 137, died.stderr
    payment = Payment.objects.get()
    assert payment.status == "initiated"
    assert len(taken(payment)) == (1 if after_success else 0)
    with pytest.raises(PaymentInProgress):
        collect(story, invoice)
    story.advance(NOV_1 + timedelta(minutes=5))
    assert check_open_payments() == 1
    assert attempts(invoice) == ["succeeded"]
    assert taken(payment) == [(11781, "succeeded")]
    assert is_sound()
