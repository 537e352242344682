"""Payment gateways: one protocol, one file each; the provider's SDK is imported nowhere else."""

from billing.core.errors import BillingError, Kind
from payments.gateways.base import Gateway
from payments.gateways.test import TestGateway


class UnknownGateway(BillingError):
    """No gateway has this code."""

    code = "unknown_gateway"
    kind = Kind.NOT_FOUND


_GATEWAYS: dict[str, Gateway] = {TestGateway.code: TestGateway()}


def gateway(code: str) -> Gateway:
    """The gateway with a code. Raises UnknownGateway."""
    if code not in _GATEWAYS:
        raise UnknownGateway(
            f"There is no payment gateway '{code}'; there is: {', '.join(sorted(_GATEWAYS))}."
        )
    return _GATEWAYS[code]


def gateway_codes() -> list[str]:
    """The codes of the gateways that there are."""
    return sorted(_GATEWAYS)
