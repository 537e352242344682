"""How much is generated, and how it spreads over sellers and months."""

from dataclasses import dataclass
from datetime import date

from billing.core.errors import BillingError, InvalidInput, Kind

SELLERS = 4
"""Sellers number their invoices one after the other; several of them can be written at the same time."""

CUSTOMERS_MAX = 1_000_000
MONTHS_MAX = 36


class LiveData(BillingError):
    """The installation has a legal entity that is not marked as test: generated data has no place beside it."""

    code = "live_data"
    kind = Kind.CONFLICT


class GeneratedAlready(BillingError):
    """Data was generated here before, with other sizes or completely."""

    code = "generated_already"
    kind = Kind.CONFLICT


@dataclass(frozen=True, slots=True)
class Share:
    """What one seller gets: customers 1 to `customers`, each billed once a month until `invoices` are reached."""

    seller: int
    customers: int
    invoices: int

    @property
    def months(self) -> int:
        return -(-self.invoices // self.customers)

    def invoices_in(self, month: int) -> int:
        """How many invoices the month with this index has; all but the last have one per customer."""
        return min(self.customers, self.invoices - month * self.customers)


@dataclass(frozen=True, slots=True)
class Size:
    """What was asked for. The same size and seed give the same data."""

    customers: int
    invoices: int
    seed: int

    def __post_init__(self) -> None:
        if not 1 <= self.customers <= CUSTOMERS_MAX:
            raise InvalidInput(f"Ask for 1 to {CUSTOMERS_MAX:,} customers.", field="customers")
        if not self.customers <= self.invoices <= self.customers * MONTHS_MAX:
            raise InvalidInput(
                f"Ask for 1 to {MONTHS_MAX} invoices per customer: here {self.customers:,} to "
                f"{self.customers * MONTHS_MAX:,}.",
                field="invoices",
            )

    @property
    def label(self) -> str:
        """What the sellers' register entry says, by which a later run knows its own data."""
        return f"Generated: {self.customers} customers, {self.invoices} invoices, seed {self.seed}"

    def shares(self) -> list[Share]:
        count = min(SELLERS, self.customers)
        shares = [
            Share(
                seller=index + 1,
                customers=self.customers // count + (index < self.customers % count),
                invoices=0,
            )
            for index in range(count)
        ]
        months = -(-self.invoices // self.customers)
        left = self.invoices - (months - 1) * self.customers  # billed in the last month
        filled = []
        for share in shares:
            last = min(share.customers, left)
            left -= last
            filled.append(Share(share.seller, share.customers, (months - 1) * share.customers + last))
        return filled


def month_starts(count: int, *, today: date) -> list[date]:
    """The first days of the last `count` months, this month's last."""
    first = today.year * 12 + today.month - count
    return [date((first + n) // 12, (first + n) % 12 + 1, 1) for n in range(count)]
