"""Hyperparameters of training."""

from __future__ import annotations

from dataclasses import dataclass, field

from captioner.bundle import SearchConfig


@dataclass(frozen=True)
class TrainConfig:
    """How a captioner is trained. The fields are stored in the bundle under these names.

    - `batch`: pictures in a batch, each with up to five captions.
    - `dropout`: a factor of the default dropout; `average`: the momentum of a moving average of weights (0: none).
    - `own_words`: scheduled sampling: the probability, reached at the last epoch, of feeding a predicted word.
    - `text_epochs`: epochs of pretraining on captions without pictures, if there are any
      (`training.decoder.pretraining`).
    - `tune_epochs`: epochs of joint training of the encoder's last block and the decoder (`training.fine_tuning`).
    - `critic_epochs`: epochs of self-critical training, with `distinction` (`training.decoder.self_critical`).
    - `sentinel`, `tied`: parts of the decoder (`DecoderConfig`).
    - `text_encoders`: pairs of encoders for the space of pictures and sentences (`training.embedding.trainer`).
    - `views`: crops of each train picture that are encoded (`training.features`).
    - `bits`: bits of the numbers in large kernels (`captioner.quantise`).
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

    With captions without pictures, `pairs` of them are added to each batch, `text_steps` batches of them alone come
    first, and words are also read as character n-grams in `buckets` (`captioner.embedding`): of the words that occur
    `min_count` times, the `kept_words` most frequent stay in the bundle. Large tables have `bits`; 4 bits cost no
    measurable quality.
    """

    members: int = 3
    epochs: int = 18
    batch: int = 256
    captions: int = 3
    pairs: int = 256
    text_steps: int = 400
    buckets: int = 8192
    kept_words: int = 20_000
    rate: float = 1e-3
    min_count: int = 4
    seed: int = 0
    bits: int = 4
