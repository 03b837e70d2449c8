"""What a captioner says of a picture; imported without any deep-learning framework."""

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


class SearchModel(NamedTuple):
    """The part of a bundle that search needs, read without its networks for pictures.

    `version` names the model whose vectors and cells a query can be compared with, `encoder` the kind of the vectors
    that tell what a picture looks like. `embedder` reads words; None where
    the bundle has no space that pictures and sentences share. The reranker needs the decoder's `likelihood` and the
    vectors of usual `sentences` (m, e); None where there is none. `spoken` are the words of captions, most frequent
    first.
    """

    version: str
    encoder: str
    calibration: Calibration
    embedder: TextEmbedder | None = None
    likelihood: Likelihood | None = None
    sentences: np.ndarray | None = None
    spoken: Vocabulary | None = None


@dataclass(frozen=True)
class Caption:
    """One sentence and its log-probability given the picture (natural logarithm, end mark included)."""

    text: str
    logprob: float


JOINT = "joint"
"""The kind of the vector that places a picture in the space it shares with sentences, see `captioner.embedding`."""
CELLS = "cells"
"""The kind of the packed cells that the decoder attends to, see `captioner.cells`."""


@dataclass(frozen=True)
class Description:
    """All that is kept of a picture: captions, best first, and features by kind.

    `vectors` are L2-normalised float32 (d,): the encoder's under its name, and JOINT where the captioner has that
    space. `blobs` are bytes that only the captioner reads, such as CELLS. `captioned` is false where an encoder alone
    described the picture: captions that it has are then kept.
    """

    captions: list[Caption]
    vectors: Mapping[str, np.ndarray]
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    captioned: bool = True


class Describer(Protocol):
    """Whatever describes pictures: `captioner.captioner.Captioner`, one in another process, or a stand-in."""

    @property
    def model_version(self) -> str: ...

    @property
    def input_side(self) -> int: ...

    def describe(self, pictures: np.ndarray) -> list[Description]:
        """Describe uint8 RGB pictures (n, input_side, input_side, 3)."""


class StagedDescriber(Describer, Protocol):
    """A describer in two halves, each of which several threads may call at once."""

    def encode(self, pictures: np.ndarray) -> Features:
        """Encode uint8 RGB pictures (n, input_side, input_side, 3)."""

    def caption(self, features: Features) -> list[Description]:
        """Describe encoded pictures."""


class SearchDescriber(StagedDescriber, Protocol):
    """A describer that also tells how its pictures are searched, for evaluation."""

    @property
    def search_model(self) -> SearchModel: ...
