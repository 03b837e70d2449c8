"""What a search answers: hits that explain themselves, the same in JSON, in the terminal and over HTTP."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Hit:
    """One picture found: `path` as clean text, `captions` the user's first and then the model's best first.

    `score` is the relevance the hits are ordered by; `scores` are its parts: "bleu", "cosine" and the like, or
    "words.bleu", "like1.cosine", "unlike1.embedding" where several things were asked for.
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

    `query` is {"text", "captions": []} for words, {"captions": [...]} for a picture; `total` counts all hits, or with
    `more` those among the best candidates: in a large library not every picture that shares a word is looked at.
    `closest` is the best relevance of any picture, hit or not; None where nothing at all speaks for one.
    """

    query: dict[str, Any]
    total: int
    more: bool
    closest: float | None
    hits: list[Hit]

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain values for JSON."""
        return asdict(self)
