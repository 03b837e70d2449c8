"""How a decoder is trained."""

from __future__ import annotations

from dataclasses import dataclass, field

from captioner.bundle import SearchConfig


@dataclass(frozen=True)
class TrainConfig:
    """How a captioner is trained; `batch` counts pictures, each with up to five captions.

    `dropout` multiplies the usual dropout; `average` is the momentum of the moving average of weights (0: none);
    `own_words` the chance, reached at the last epoch, that a word fed is the model's own guess (scheduled
    sampling). `text_epochs` of captions without pictures come first, where there are some
    (`training.decoder.paraphrase`). `tune_epochs` says how many epochs the encoder's last block is trained with the
    decoder (`training.tuning`), `critic_epochs` how many epochs of self-critical training follow, with `distinction`
    (`training.decoder.selfcritical`). `sentinel` and `tied` are parts of the decoder (`DecoderConfig`).
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
    text_epochs: int = 2
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
    search: SearchConfig = field(default_factory=lambda: SearchConfig(beam=5, nearness=3.0))


@dataclass(frozen=True)
class EmbedConfig:
    """How the text encoders are trained; `batch` counts pictures, each with `captions` captions.

    Where there are texts of other pictures, `pairs` of them take part in each batch, `reading` batches of them alone
    come first, and words are spelt out into `buckets` (`captioner.embedding`): of those that occur `min_count` times the
    `kept_words` most frequent stay in the bundle. Large tables have `bits`: 4 cost nothing that was measured.
    """

    members: int = 3
    epochs: int = 18
    batch: int = 256
    captions: int = 3
    pairs: int = 256
    reading: int = 400
    buckets: int = 8192
    kept_words: int = 20_000
    rate: float = 1e-3
    min_count: int = 4
    seed: int = 0
    bits: int = 4
