"""The interface of encoders: other networks, descriptors and face encoders implement it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Features:
    """An encoder's result for n pictures: `vectors` float32 (n, d), L2-normalised, and `grids` (n, cells, channels).

    `grids` are float32, for a decoder to attend to; None from an encoder that only makes vectors.
    """

    vectors: np.ndarray
    grids: np.ndarray | None = None

    @classmethod
    def joined(cls, parts: Sequence[Features]) -> Features:
        """Join the features of several batches of one encoder, in order."""
        grids = [part.grids for part in parts if part.grids is not None]
        return cls(np.concatenate([part.vectors for part in parts]), np.concatenate(grids) if grids else None)


class EncoderConfig(Protocol):
    """The settings of an encoder, a frozen dataclass whose fields a bundle keeps as JSON.

    Pictures are squeezed to `side` x `side` pixels; the grid has `cells` of `channels` numbers each.
    """

    @property
    def name(self) -> str:
        """The name of its family in the registry, and the kind of its vectors in the store."""

    @property
    def side(self) -> int: ...

    @property
    def cells(self) -> int: ...

    @property
    def channels(self) -> int: ...


class Encoder(Protocol):
    """Turns pictures into features; several threads may call `encode` at once."""

    @property
    def name(self) -> str:
        """The kind of its vectors in the store, the index and the scores of a hit."""

    @property
    def model_version(self) -> str:
        """The name of weights and settings; vectors of two versions cannot be compared."""

    @property
    def side(self) -> int:
        """The side of its input squares, in pixels."""

    def encode(self, pictures: np.ndarray) -> Features:
        """Encode uint8 RGB pictures (n, side, side, 3)."""
