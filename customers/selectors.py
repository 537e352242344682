"""Questions about customers, legal entities and clocks."""

from datetime import datetime

from billing.platform.clock import now
from customers.models import Customer


def now_for(customer: Customer) -> datetime:
    """What time it is for this customer: its test clock's time, or the machine's.

    Whoever asks for the time about a customer asks here, and passes the answer on as `at=`.
    """
    return customer.test_clock.now_at if customer.test_clock else now()
