"""The file beside an import that holds what was not taken in, and why: nothing of the input is lost."""

import csv
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from billing.usage.csv_rows import Row, UnreadableFile

HEADER = ("line", "row", "reason", "field", "message", "content")


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that was not taken in. reason: of the verdict, or broken_row."""

    row: Row
    reason: str
    message: str
    field: str = ""

    def cells(self) -> tuple[str, ...]:
        """The row of the rejects file."""
        return (
            str(self.row.line),
            str(self.row.number),
            self.reason,
            self.field,
            self.message,
            self.row.text,
        )


class RejectsFile:
    """A CSV file of rejects, made with the first of them. Written before the batch is committed, and synced.

    A batch that is tried again replaces what it wrote; an import that goes on drops what was written after its last
    commit. So each reject is listed once.
    """

    def __init__(self, path: Path, *, rows_done: int) -> None:
        """Raises UnreadableFile if something else lies at `path`."""
        self.path = path
        kept = [cells for cells in self._written() if int(cells[1]) <= rows_done]
        path.unlink(missing_ok=True)
        self._end = 0
        if kept:
            self._append([HEADER, *kept])
            self.keep()

    def write(self, rejects: Iterable[Reject]) -> None:
        """Append the rejects of a batch, over those of the same batch before."""
        lines = [reject.cells() for reject in rejects]
        if lines:
            self._append(lines if self._end else [HEADER, *lines])

    def keep(self) -> None:
        """The batch is committed: what it wrote stays."""
        self._end = self.path.stat().st_size if self.path.exists() else 0

    def _append(self, lines: Iterable[tuple[str, ...]]) -> None:
        with self.path.open("a", encoding="utf-8", newline="", errors="backslashreplace") as file:
            file.truncate(self._end)
            csv.writer(file).writerows(lines)
            file.flush()
            os.fsync(file.fileno())

    def _written(self) -> list[tuple[str, ...]]:
        if not self.path.exists():
            return []
        with self.path.open(encoding="utf-8", newline="", errors="replace") as file:
            lines = list(csv.reader(line.replace("\0", "") for line in file))
        if lines and tuple(lines[0]) != HEADER:
            raise UnreadableFile(f"{self.path} is no list of rejects; choose another place with --rejects.")
        # A crash may have cut the last line short.
        return [tuple(cells) for cells in lines[1:] if len(cells) == len(HEADER) and cells[1].isdigit()]
