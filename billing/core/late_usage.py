"""What happens to a difference of usage that is found after its period was billed: a policy of the plan version."""

from enum import StrEnum


class LateUsagePolicy(StrEnum):
    """bill: a line of the next invoice. forgive: the same, but what the customer would owe is let go up to an amount
    per item and period. ask: nothing is billed until somebody decides.
    """

    BILL = "bill"
    FORGIVE = "forgive"
    ASK = "ask"


def is_forgiven(policy: LateUsagePolicy, amount_minor: int, up_to_minor: int) -> bool:
    """Whether a difference is let go by itself. What the customer gets back never is.

    >>> is_forgiven(LateUsagePolicy.FORGIVE, 50, 50), is_forgiven(LateUsagePolicy.FORGIVE, -50, 50)
    (True, False)
    """
    return policy is LateUsagePolicy.FORGIVE and 0 < amount_minor <= up_to_minor
