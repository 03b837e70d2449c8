"""Lists that may become very long: counted, the first few in memory, all of them in a temporary file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from typing import Any

SHOWN = 5


class Listing:
    """Entries that JSON can hold; memory does not grow with their number."""

    def __init__(self) -> None:
        self.count = 0
        self.first: list[Any] = []
        self._file = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115  closed with the list itself

    def append(self, entry: Any) -> None:
        """Add an entry."""
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(entry)
        self._file.write(json.dumps(entry) + "\n")

    def __iter__(self) -> Iterator[Any]:
        self._file.seek(0)
        for line in self._file:
            yield json.loads(line)
        self._file.seek(0, 2)

    def __len__(self) -> int:
        """How many there are."""
        return self.count

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
