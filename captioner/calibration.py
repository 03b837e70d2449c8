"""What was calibrated on a model's features: how scores become relevance, and which cosine makes near copies.

The bundle keeps it with the model. The numbers are valid for that model only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Weights = Mapping[str, float]
"""A logistic model as one flat document: `bias`, and each score's weight under its name."""

FORMAT_1_LIKENESS = {"bias": -6.0, "bleu": 1.0, "cosine": 6.0, "embedding": 4.0}
FORMAT_1_NEAR_COPY = 0.75
"""The program's own values, for bundles of format 1."""


@dataclass(frozen=True)
class Calibration:
    """The weights of the scores of a query by words and of one by a picture, and the cosine of near copies.

    `words` weighs "bleu" and "cosine"; `reranker` scores that are added for the best pictures. `unsaid` and `rarity`
    are added to the logit for words that no caption says, or that captions seldom say (`retrieval.search.strictness`).
    `picture` weighs "bleu", "cosine" (of the encoder's vectors), "neighbours" and "embedding"; pictures are alike from
    the relevance `picture_close` on. Vectors with a cosine of `near_copy` or more belong to near copies. Empty weights:
    the bundle does not use them.
    """

    words: Weights = field(default_factory=dict)
    reranker: Weights = field(default_factory=dict)
    unsaid: float = 0.0
    rarity: float = 0.0
    picture: Weights = field(default_factory=lambda: FORMAT_1_LIKENESS)
    picture_close: float = 0.0
    near_copy: float = FORMAT_1_NEAR_COPY

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    @classmethod
    def from_format_1(cls, relevance: Mapping[str, Weights]) -> Calibration:
        """Read what a bundle of format 1 holds under `relevance`. Raises KeyError."""
        unsaid = relevance.get("unsaid", {}).get("share", 0.0)
        return cls(relevance.get("words", {}), relevance.get("second look", {}), unsaid)
