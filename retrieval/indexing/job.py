"""One run of indexing, as clients see it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

FINISHED = frozenset({"done", "stopped", "failed"})


@dataclass(frozen=True)
class Job:
    """One run of indexing: `state` is "running", "stopping", "done", "stopped" or "failed".

    `folder` is the id of the only folder that it goes through, None for all; `total` is None until files were
    counted; `rate` is in pictures a second since then; `error` is one line where it failed.
    """

    id: str
    state: str
    folder: str | None
    recaption: bool
    started_at: str
    done: int = 0
    total: int | None = None
    captioned: int = 0
    skipped: int = 0
    rate: float | None = None
    seconds_left: float | None = None
    error: str | None = None

    @property
    def finished(self) -> bool:
        """Whether nothing will come any more."""
        return self.state in FINISHED

    def to_json(self) -> dict[str, Any]:
        """Return the job as plain values for JSON."""
        return asdict(self)
