"""What a captioner says of a picture; imported without any deep-learning framework."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Caption:
    """One sentence and its log-probability given the picture (natural logarithm, end mark included)."""

    text: str
    logprob: float


@dataclass(frozen=True)
class Description:
    """All that is kept of a picture: captions, best first, and an L2-normalised float32 vector (d,)."""

    captions: list[Caption]
    vector: np.ndarray
