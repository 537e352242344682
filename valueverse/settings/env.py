"""Typed readers for environment variables, and the list of all of them.

Every variable is declared by reading it; `deploy/configuration.md` is generated from these declarations. A wrong
value does not stop the reading: `finish()` names all wrong variables at once. A secret may come from a file
instead: NAME_FILE holds the path. Setting both is an error, as the reader could not know which one is meant.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

T = TypeVar("T")

TRUE = frozenset({"1", "true", "on"})
FALSE = frozenset({"0", "false", "off"})
DURATION = re.compile(r"(\d+)(ms|s|m|h|d)")
DURATION_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


class ConfigurationError(ImproperlyConfigured):
    """One or more environment variables are wrong; the message names every one and why."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(
            "The configuration has errors:\n" + "\n".join(f"  - {problem}" for problem in problems)
        )


@dataclass(frozen=True, slots=True)
class Variable:
    """One declared variable, as the documentation shows it."""

    name: str
    kind: str
    default: str
    meaning: str
    secret: bool


@dataclass(slots=True)
class Environment:
    """Reads from `values` (os.environ in production) and remembers what was declared and what was wrong."""

    values: Mapping[str, str]
    variables: list[Variable] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def text(self, name: str, default: str, meaning: str) -> str:
        return self._read(name, "text", default, str, default, meaning)

    def choice(self, name: str, default: str, choices: tuple[str, ...], meaning: str) -> str:
        def parse(raw: str) -> str:
            if raw not in choices:
                raise ValueError(f"may be one of {', '.join(choices)}")
            return raw

        return self._read(name, " / ".join(choices), default, parse, default, meaning)

    def boolean(self, name: str, default: bool, meaning: str) -> bool:
        def parse(raw: str) -> bool:
            if raw.lower() not in TRUE | FALSE:
                raise ValueError("must be true or false (also 1, 0, on, off)")
            return raw.lower() in TRUE

        return self._read(name, "true / false", default, parse, str(default).lower(), meaning)

    def integer(
        self, name: str, default: int, meaning: str, *, minimum: int = 0, maximum: int = 2**31
    ) -> int:
        def parse(raw: str) -> int:
            if not re.fullmatch(r"-?\d{1,12}", raw):
                raise ValueError("must be a whole number")
            if not minimum <= int(raw) <= maximum:
                raise ValueError(f"must lie between {minimum} and {maximum}")
            return int(raw)

        return self._read(name, "whole number", default, parse, str(default), meaning)

    def decimal(self, name: str, default: Decimal, meaning: str) -> Decimal:
        def parse(raw: str) -> Decimal:
            try:
                value = Decimal(raw)
            except InvalidOperation:
                raise ValueError("must be a decimal number, like 0.25") from None
            if not value.is_finite():
                raise ValueError("must be a finite number")
            return value

        return self._read(name, "decimal number", default, parse, str(default), meaning)

    def duration(self, name: str, default: str, meaning: str) -> timedelta:
        return self._read(name, "duration", parse_duration(default), parse_duration, default, meaning)

    def url(
        self, name: str, default: str, schemes: tuple[str, ...], meaning: str, *, secret: bool = False
    ) -> str:
        """An address with one of `schemes` and, unless the scheme is a local one, a host. "" if unset."""

        def parse(raw: str) -> str:
            parts = urlsplit(raw)
            if parts.scheme not in schemes:
                raise ValueError(f"must begin with {' or '.join(scheme + '://' for scheme in schemes)}")
            if not parts.hostname and parts.scheme != "file":
                raise ValueError("names no host")
            _ = parts.port  # raises ValueError for a port that is no number
            return raw

        return self._read(name, "address", default, parse, default or "unset", meaning, secret=secret)

    def strings(self, name: str, default: list[str], meaning: str) -> list[str]:
        def parse(raw: str) -> list[str]:
            return [item.strip() for item in raw.split(",") if item.strip()]

        return self._read(
            name, "comma-separated list", default, parse, ", ".join(default) or "empty", meaning
        )

    def networks(self, name: str, default: list[str], meaning: str) -> list[str]:
        def parse(raw: str) -> list[str]:
            items = [item.strip() for item in raw.split(",") if item.strip()]
            for item in items:
                ip_network(item)  # ValueError says which one is wrong
            return items

        return self._read(name, "comma-separated networks", default, parse, ", ".join(default), meaning)

    def secret(self, name: str, meaning: str, *, shortest: int = 0) -> str:
        """A secret from NAME or from the file that NAME_FILE names; "" if neither is set."""

        def parse(raw: str) -> str:
            if len(raw) < shortest:
                raise ValueError(f"must have at least {shortest} characters")
            return raw

        return self._read(name, "secret", "", parse, "unset", meaning, secret=True)

    def wrong(self, problem: str) -> None:
        """Report a problem that concerns several variables together."""
        self.problems.append(problem)

    def finish(self) -> None:
        """Raise ConfigurationError naming everything that was wrong, if anything was."""
        if self.problems:
            raise ConfigurationError(self.problems)

    def _read(
        self,
        name: str,
        kind: str,
        default: T,
        parse: Callable[[str], T],
        shown_default: str,
        meaning: str,
        *,
        secret: bool = False,
    ) -> T:
        self.variables.append(Variable(name, kind, shown_default, meaning, secret))
        raw = self._raw(name, secret=secret)
        if raw is None:
            return default
        try:
            return parse(raw)
        except ValueError as error:
            shown = "its value" if secret else repr(raw)  # a secret never appears in a message
            self.problems.append(f"{name}: {shown} {error}")
            return default

    def _raw(self, name: str, *, secret: bool) -> str | None:
        raw = self.values.get(name, "").strip() or None
        path = self.values.get(f"{name}_FILE", "").strip() if secret else ""
        if not path:
            return raw
        if raw is not None:
            self.problems.append(f"{name}: set both directly and by {name}_FILE; remove one of them")
            return None
        try:
            content = Path(path).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            self.problems.append(f"{name}_FILE: cannot read {path}: {reason}")
            return None
        if not content:
            self.problems.append(f"{name}_FILE: {path} is empty")
        return content or None


def parse_duration(raw: str) -> timedelta:
    """A duration like `500ms`, `30s`, `15m`, `12h` or `7d`; ValueError for anything else."""
    match = DURATION.fullmatch(raw)
    if match is None:
        raise ValueError("must be a duration like 500ms, 30s, 15m, 12h or 7d")
    return int(match[1]) * DURATION_UNITS[match[2]]
