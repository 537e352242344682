"""Who did it: the actor every service call names.

An actor is stored as (kind, public id, label at that time), without a foreign key: people are deleted and keys
rotate, the record of what they did stays.
"""

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    USER = "user"
    API_KEY = "api_key"
    COMMAND = "command"
    TASK = "task"
    POLICY = "policy"


@dataclass(frozen=True, slots=True)
class Actor:
    """One person, key, command, task or policy that acts.

    kind: what sort of actor. public_id: its opaque id, or its name for commands, tasks and policies.
    label: how it reads in the audit trail, frozen at that time.
    """

    kind: ActorKind
    public_id: str
    label: str

    def __str__(self) -> str:
        return f"{self.label} ({self.kind})"


def command_actor(name: str) -> Actor:
    """The actor of a manage.py command."""
    return Actor(ActorKind.COMMAND, name, f"manage.py {name}")


def task_actor(name: str) -> Actor:
    """The actor of a background task."""
    return Actor(ActorKind.TASK, name, f"task {name}")


def policy_actor(name: str) -> Actor:
    """The actor that stands for a standing rule, such as an approval policy."""
    return Actor(ActorKind.POLICY, name, f"policy {name}")
