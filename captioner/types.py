"""What a captioner says of a picture; imported without any deep-learning framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from captioner.embedding import TextEmbedder
from captioner.likelihood import Likelihood


class TextModel(NamedTuple):
    """What search by words needs of a bundle.

    `relevance` holds, for each kind of query, how its evidence adds up (`retrieval.search.relevance`); `version` says
    whose embeddings and views the sentences can be compared with. For a second look at the best pictures there are
    the decoder's `likelihood` and where usual `sentences` (m, e) lie; None where the bundle has no such look.
    """

    version: str
    embedder: TextEmbedder
    relevance: Mapping[str, Mapping[str, float]]
    likelihood: Likelihood | None = None
    sentences: np.ndarray | None = None


@dataclass(frozen=True)
class Caption:
    """One sentence and its log-probability given the picture (natural logarithm, end mark included)."""

    text: str
    logprob: float


@dataclass(frozen=True)
class Description:
    """All that is kept of a picture: captions, best first, and an L2-normalised float32 vector (d,).

    `embedding`, L2-normalised float32 (e,), is where the picture lies in the space that it shares with sentences
    (`captioner.embedding`); None where the captioner has no such space. `views` are what the decoder sees
    (`captioner.views`), packed.
    """

    captions: list[Caption]
    vector: np.ndarray
    embedding: np.ndarray | None = None
    views: bytes | None = None


class Describes(Protocol):
    """Whatever describes pictures; `captioner.facade.Captioner` does, and so may a stand-in."""

    @property
    def model_version(self) -> str: ...

    @property
    def text_model(self) -> TextModel | None: ...

    @property
    def input_side(self) -> int: ...

    def describe(self, pictures: np.ndarray) -> list[Description]:
        """Describe uint8 RGB pictures (n, input_side, input_side, 3)."""
