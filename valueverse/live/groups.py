"""The groups that a socket can join: one per customer, one per kind of staff page. Their names are public."""

import re
from dataclasses import dataclass
from enum import StrEnum

_ID = "[0-9a-z]{26}"
_NAME = re.compile(rf"customer:cus_{_ID}|run:run_{_ID}|dashboard|approvals")


class GroupKind(StrEnum):
    """What a group is about."""

    CUSTOMER = "customer"
    RUN = "run"
    DASHBOARD = "dashboard"
    APPROVALS = "approvals"


@dataclass(frozen=True, slots=True)
class Group:
    """One group. object_id: public id of the customer or bill run; empty where there is only one of the kind."""

    kind: GroupKind
    object_id: str = ""

    @property
    def name(self) -> str:
        """As pages and frames write it: `customer:cus_...`, `run:run_...`, `dashboard`, `approvals`."""
        return f"{self.kind}:{self.object_id}" if self.object_id else self.kind.value

    @property
    def layer_name(self) -> str:
        """As the channel layer writes it, which takes no colon."""
        return self.name.replace(":", ".")


DASHBOARD = Group(GroupKind.DASHBOARD)
APPROVALS = Group(GroupKind.APPROVALS)


def customer_group(customer_id: str) -> Group:
    """The group of a customer, by public id."""
    return Group(GroupKind.CUSTOMER, customer_id)


def run_group(run_id: str) -> Group:
    """The group of a bill run, by public id."""
    return Group(GroupKind.RUN, run_id)


def group_of(name: object) -> Group | None:
    """The group of that name; None if no group is called so."""
    found = _NAME.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        return None
    kind, _, object_id = found[0].partition(":")
    return Group(GroupKind(kind), object_id)
