"""`manage.py reencrypt_second_factors`."""

from typing import Any

from billing.platform.commands import BillingCommand
from customers.services import reencrypt_second_factors


class Command(BillingCommand):
    help = "Rewrite the secrets of second factors under the first key of SECOND_FACTOR_KEYS; older keys may go then."

    def handle(self, *args: Any, **options: Any) -> None:
        count = reencrypt_second_factors()
        self.report(f"Rewrote {count} under the first key.", {"rewritten": count})
