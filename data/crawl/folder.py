"""The folder of a crawl: its pictures, what is known of each, and where a search goes on.

A line of the log is written when a picture is in its place, and a place in the search when its page is done, so that a
kill at any instant loses no picture that was counted.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from data.crawl.client import CrawlError
from data.disk import move, replace_text
from data.paths import display

STATE = ".retroflex-crawl"
KEPT, DUPLICATE, GONE, REFUSED = "kept", "duplicate", "gone", "refused"


@dataclass(frozen=True)
class Entry:
    """What became of a picture, by its id: the query that found it, its file's name and SHA-256, and its facts."""

    id: str
    outcome: str
    query: str
    file: str = ""
    sha256: str = ""
    reason: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


class CrawlFolder:
    """What a crawl of one service keeps in a folder. Use `opened`."""

    def __init__(self, folder: Path, service: str) -> None:
        self.folder, self._service = folder, service
        self._state = folder / STATE
        self._log = self._state / f"{service}.jsonl"
        self.entries: dict[str, Entry] = {}
        for entry in _read_log(self._log):
            self.entries[entry.id] = entry
        self.by_hash = {one.sha256: one for one in self.entries.values() if one.outcome == KEPT}

    def part(self, number: str) -> Path:
        """Return where a file is while it is not whole."""
        return self._state / f"{self._service}-{number}.part"

    @property
    def calls(self) -> Path:
        """The file that keeps how often the service was asked."""
        return self._state / f"{self._service}-calls.json"

    def keep(self, part: Path, entry: Entry) -> None:
        """Put a whole file in its place and note it. Raises OSError."""
        move(part, self.folder / entry.file)
        self.note(entry)
        self.by_hash[entry.sha256] = entry

    def note(self, entry: Entry) -> None:
        """Note what became of a picture; it survives a kill. Raises OSError."""
        with self._log.open("a", encoding="utf-8") as log:
            log.write(json.dumps(asdict(entry)) + "\n")
            log.flush()
            os.fsync(log.fileno())
        self.entries[entry.id] = entry

    def place(self, query: str) -> dict[str, Any]:
        """Return where a search goes on: {"at": cursor, "done": whether its last page was read}."""
        try:
            stored = json.loads(self._place(query).read_text(encoding="utf-8"))
            return {"at": stored["at"], "done": bool(stored["done"])}
        except (OSError, ValueError, KeyError, TypeError):
            return {"at": None, "done": False}

    def set_place(self, query: str, at: Any, done: bool) -> None:
        """Note where a search goes on, in one step. Raises OSError."""
        replace_text(self._place(query), json.dumps({"at": at, "done": done}))

    def _place(self, query: str) -> Path:
        return self._state / f"{self._service}-{query}.json"


def query_key(text: str, licences: tuple[str, ...], side: int) -> str:
    """Return what stands for a search in the state: the same for the same words, licences and size."""
    said = json.dumps([" ".join(text.split()).casefold(), sorted(licences), side])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


@contextmanager
def opened(folder: Path, service: str) -> Iterator[CrawlFolder]:
    """Yield the folder of a crawl, made if need be; one crawl at a time may have it. Raises CrawlError."""
    state = folder / STATE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if state.is_symlink():
            raise CrawlError(f"{display(state)} is a link; remove it, since the state stays in the folder")
        state.mkdir(exist_ok=True)
        handle = (state / "lock").open("a")
    except OSError as error:
        raise CrawlError(
            f"cannot write to {display(folder)}: {error.strerror or error}; choose another --to"
        ) from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CrawlError(f"another crawl is running in {display(folder)}; wait until it ends") from error
        for left in state.glob("*.part"):
            left.unlink(missing_ok=True)
        _end_line(state / f"{service}.jsonl")
        yield CrawlFolder(folder, service)


def _end_line(log: Path) -> None:
    """End a line that a kill has cut off, so that the next one is read."""
    with suppress(FileNotFoundError), log.open("rb+") as file:
        if file.seek(0, os.SEEK_END) and file.seek(-1, os.SEEK_END) is not None and file.read(1) != b"\n":
            file.write(b"\n")


def _read_log(log: Path) -> Iterator[Entry]:
    """Yield the entries; lines that are damaged are left out, and their pictures fetched again."""
    if not log.exists():
        return
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            with suppress(ValueError, TypeError):
                entry = Entry(**json.loads(line))
                if _is_sound(entry):
                    yield entry


def _is_sound(entry: Entry) -> bool:
    said = {**vars(entry), "facts": ""}
    facts = entry.facts.items() if isinstance(entry.facts, dict) else [(0, 0)]
    return all(isinstance(one, str) for one in said.values()) and all(isinstance(value, str) for _, value in facts)
