"""What a search answers: hits that explain themselves, the same in JSON, in the terminal and over HTTP."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Hit:
    """One picture found: `path` as clean text, `captions` the user's first and then the model's best first.

    `score` is the fused score the hits are ordered by; `scores` are its parts, "bleu" and "cosine".
    """

    id: int
    path: str
    caption: str
    captions: list[str]
    score: float
    scores: dict[str, float]


@dataclass(frozen=True)
class SearchResult:
    """One page of hits.

    `query` is {"text", "captions": []} for words, {"captions": [...]} for a picture; `total` counts all hits.
    """

    query: dict[str, Any]
    total: int
    hits: list[Hit]

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values for JSON."""
        return asdict(self)
