"""How a decoder is trained."""

from __future__ import annotations

from dataclasses import dataclass, field

from captioner.bundle import SearchConfig


@dataclass(frozen=True)
class TrainConfig:
    """How the decoder is trained; `batch` counts pictures, each with up to five captions."""

    epochs: int = 20
    batch: int = 32
    rate: float = 1.5e-3
    smoothing: float = 0.1
    min_count: int = 4
    seed: int = 0
    search: SearchConfig = field(default_factory=SearchConfig)
