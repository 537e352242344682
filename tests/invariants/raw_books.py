"""Journal entries in plain SQL."""

from datetime import date
from typing import Any

from billing.ledger.models import Account, AccountingPeriod
from billing.ledger.services import ensure_period
from billing.platform.clock import now
from billing.platform.ids import new_public_id
from customers.models import LegalEntity
from tests import factories
from tests.invariants.hostile import sql

DAY = date(2023, 11, 15)


class Books:
    """A legal entity with two accounts in EUR, and raw inserts of entries and postings."""

    def __init__(self) -> None:
        self.entity: LegalEntity = factories.legal_entity()
        self.period: AccountingPeriod = ensure_period(legal_entity=self.entity, on=DAY)
        self.bank = self.account("1000")
        self.receivable = self.account("1100")

    def account(self, role: str, currency: str = "EUR", entity: LegalEntity | None = None) -> Account:
        return Account.objects.create(
            legal_entity=entity or self.entity, role=role, currency=currency, gl_code=role
        )

    def entry(self, **changes: Any) -> int:
        row = {
            "public_id": new_public_id("jrn"),
            "legal_entity_id": self.entity.pk,
            "period_id": self.period.pk,
            "accounting_on": DAY,
            "currency": "EUR",
            "accounting_currency": "EUR",
            "exchange_rate": 1,
            "exchange_rate_source": "",
            "source_type": "payment",
            "source_id": new_public_id("pay"),
            "purpose": "succeed",
            "reference": "",
            "is_late": False,
            "posted_at": now(),
            "actor_kind": "command",
            "actor_id": "tests",
            "actor_label": "tests",
        } | changes
        return insert("ledger_journalentry", row)

    def post(self, entry_id: int, account: Account, minor: int, accounting_minor: int, **changes: Any) -> int:
        row = {
            "entry_id": entry_id,
            "account_id": account.pk,
            "legal_entity_id": self.entity.pk,
            "currency": "EUR",
            "amount_minor": minor,
            "accounting_amount_minor": accounting_minor,
            "line_id": "",
            "product_code": "",
            "tax_rate": "",
        } | changes
        return insert("ledger_posting", row)

    def balanced(self, minor: int = 100, **changes: Any) -> int:
        entry_id = self.entry(**changes)
        self.post(entry_id, self.bank, minor, minor)
        self.post(entry_id, self.receivable, -minor, -minor)
        return entry_id


def insert(table: str, row: dict[str, Any]) -> int:
    columns, places = ", ".join(row), ", ".join(["%s"] * len(row))
    ((row_id,),) = sql(f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING id", *row.values())
    return int(row_id)
