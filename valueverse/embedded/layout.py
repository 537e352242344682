"""Where the embedded servers keep their things, and the small files that hold one value each."""

import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths below one var folder. Nothing is created by looking at them."""

    root: Path

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def valkey(self) -> Path:
        return self.root / "valkey"

    @property
    def logs(self) -> Path:
        return self.root / "log"

    @property
    def lock(self) -> Path:
        """Held while servers are started or stopped, so that parallel starters wait for each other."""
        return self.root / "servers.lock"

    def create(self) -> None:
        """Make the folders; only their owner may enter, since passwords and books lie in them."""
        self.root.mkdir(parents=True, exist_ok=True)
        for folder in (self.postgres, self.valkey, self.logs):
            folder.mkdir(mode=0o700, exist_ok=True)


def read_value(path: Path) -> str | None:
    """The stripped text of a one-value file, or None if it is missing or empty."""
    try:
        return path.read_text().strip() or None
    except (FileNotFoundError, NotADirectoryError):
        return None


def write_value(path: Path, value: str) -> None:
    """Replace a one-value file in one step; only its owner may read it."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    temporary.touch(mode=0o600)
    temporary.write_text(value + "\n")
    temporary.replace(path)


def secret_in(path: Path) -> str:
    """The secret kept in `path`, made up (256 bits) and stored at the first call."""
    path.parent.mkdir(parents=True, exist_ok=True)
    value = read_value(path)
    if value is None:
        value = secrets.token_urlsafe(32)
        write_value(path, value)
    return value
