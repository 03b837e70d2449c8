"""How a decoder is trained."""

from __future__ import annotations

from dataclasses import dataclass, field

from captioner.bundle import SearchConfig


@dataclass(frozen=True)
class TrainConfig:
    """How a captioner is trained; `batch` counts pictures, each with up to five captions.

    `dropout` multiplies the usual dropout; `average` is the momentum of the moving average of weights (0: none);
    `own_words` the chance, reached at the last epoch, that a word fed is the model's own guess (scheduled
    sampling). `tune_epochs` says how many epochs the encoder is trained with the decoder, `narrow_epochs` how many
    before that at half its width, and `critic_epochs` how many epochs of self-critical training follow, with
    `distinction` (`training.decoder.selfcritical`). `sentinel` and `tied` are parts of the decoder (`DecoderConfig`).
    `text_encoders` pairs of encoders put pictures and sentences into one space (`training.embedding.train`).
    `views` counts what is encoded of a train picture (`training.features`), `bits` those of a large kernel's numbers
    (`captioner.quantise`).
    """

    epochs: int = 12
    batch: int = 32
    rate: float = 2e-3
    smoothing: float = 0.1
    dropout: float = 1.0
    min_count: int = 4
    seed: int = 0
    average: float = 0.0
    own_words: float = 0.0
    narrow_epochs: int = 0
    tune_epochs: int = 0
    tune_rate: float = 3e-5
    critic_epochs: int = 0
    critic_rate: float = 5e-5
    distinction: float = 0.0
    sentinel: bool = True
    tied: bool = True
    text_encoders: int = 3
    views: int = 2
    bits: int = 8
    search: SearchConfig = field(default_factory=lambda: SearchConfig(nearness=2.0))


@dataclass(frozen=True)
class EmbedConfig:
    """How the text encoders are trained; `batch` counts pictures, each with `captions` captions."""

    members: int = 3
    epochs: int = 15
    batch: int = 256
    captions: int = 2
    rate: float = 1e-3
    min_count: int = 3
    seed: int = 0
    bits: int = 8
