"""Descriptions and what makes them; imports no deep-learning framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from captioner.calibration import Calibration
from captioner.embedding import TextEmbedder
from captioner.encoders.base import Features
from captioner.likelihood import Likelihood
from captioner.vocabulary import Vocabulary

JOINT = "joint"
"""The kind of a picture's vector in the space that it shares with sentences, see `captioner.embedding`."""
ALIKE = "alike"
"""The kind of a picture's vector that is near those of pictures of the same kind of thing (`Bundle.alike`)."""


class SearchModel(NamedTuple):
    """The part of a bundle that search needs, read without its networks for pictures.

    `version` names the model whose vectors and cells a query can be compared with, `encoder` the kind of the encoder's
    vectors. `embedder` reads words; None if the bundle has no shared space. The reranker needs the decoder's
    `likelihood` and the vectors of frequent `sentences` (m, e), which may be None. `caption_words` are the words of
    captions, most frequent first.
    """

    version: str
    encoder: str
    calibration: Calibration
    embedder: TextEmbedder | None = None
    likelihood: Likelihood | None = None
    sentences: np.ndarray | None = None
    caption_words: Vocabulary | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of vectors that a captioner makes, the encoder's first; a bundle may lack the others."""
        return (self.encoder, ALIKE, JOINT)


@dataclass(frozen=True)
class Caption:
    """One sentence and its log-probability given the picture (natural logarithm, end mark included)."""

    text: str
    logprob: float


SKETCH = "sketch"
"""The kind of vectors that sketches are compared by, see `captioner.encoders.descriptors.sketch`."""
CELLS = "cells"
"""The kind of the packed cells that the decoder attends to, see `captioner.cells`."""


@dataclass(frozen=True)
class Description:
    """What the store keeps of a picture: captions, best first, and features by kind.

    `vectors` are L2-normalised float32 (d,): the encoder's under its name, JOINT if the captioner has that space, and
    ALIKE if it learnt kinds of things. `blobs` are bytes that only the captioner reads, such as CELLS. `captioned` is
    false if only an encoder described the picture; existing captions are kept then.
    """

    captions: list[Caption]
    vectors: Mapping[str, np.ndarray]
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    captioned: bool = True


class Describer(Protocol):
    """Describes pictures: `captioner.captioner.Captioner`, one in another process, or a stand-in."""

    @property
    def model_version(self) -> str: ...

    @property
    def input_side(self) -> int: ...

    def describe(self, pictures: np.ndarray) -> list[Description]:
        """Describe uint8 RGB pictures (n, input_side, input_side, 3)."""


class StagedDescriber(Describer, Protocol):
    """A describer in two halves; several threads may call each at once."""

    def encode(self, pictures: np.ndarray) -> Features:
        """Encode uint8 RGB pictures (n, input_side, input_side, 3)."""

    def caption(self, features: Features) -> list[Description]:
        """Describe encoded pictures."""


class SearchDescriber(StagedDescriber, Protocol):
    """A describer with the part of its bundle that search needs, for evaluation."""

    @property
    def search_model(self) -> SearchModel: ...


class KindDescriber(StagedDescriber, Protocol):
    """A describer by vectors of one kind, without captions."""

    @property
    def kind(self) -> str:
        """The kind of its vectors."""
