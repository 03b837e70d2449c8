"""The inputs of a training run: the encoder, the splits of a data set and their features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from captioner.bundle import BUNDLED, load_bundle
from captioner.checksums import bundle_version
from captioner.encoders.vgg16 import KerasVGG16, VGG16Config, load_vgg16_weights
from captioner.encoders.weights import weights_key
from captioner.frameworks import best_precision
from captioner.quantise import rounded
from data.captioned import CaptionedPicture, Dataset
from data.dataset import read_dataset
from data.errors import RetroflexError
from data.paths import display
from training.batches import Split, split_words
from training.features import FeatureCache, cache_features


@dataclass(frozen=True)
class EncoderSource:
    """A VGG16 with its configuration; `name` is its origin."""

    name: str
    config: VGG16Config
    weights: dict[str, np.ndarray]


def load_encoder_source(name: str, config: VGG16Config | None = None, bits: int = 8) -> EncoderSource:
    """Load `bundled`, `imagenet`, a bundle folder or a Keras VGG16 file. Raise RetroflexError.

    The weights are rounded as a bundle stores them, so that the decoder is trained on the grids of inference.
    """
    folder = BUNDLED if name == "bundled" else Path(name)
    if name == "bundled" or folder.is_dir():
        bundle = load_bundle(folder)
        own = bundle.encoder
        if not isinstance(own, VGG16Config):
            raise RetroflexError(f"{display(folder)} has the encoder {own.name}; training needs vgg16")
        return EncoderSource(bundle_version(folder), config or own, dict(bundle.encoder_weights))
    return EncoderSource(Path(name).name, config or VGG16Config(), rounded(load_vgg16_weights(name), bits))


@dataclass(frozen=True)
class EncodedSplits:
    """Train and dev as grids, with their pictures, and a line for each picture that cannot be read."""

    train: Split
    dev: Split
    pictures: tuple[list[CaptionedPicture], list[CaptionedPicture]]
    problems: list[str]

    def map_grids(self, layers: Callable[[np.ndarray], np.ndarray]) -> EncodedSplits:
        """Return the splits after further `layers`, which map grids (n, crops, cells, channels) to such grids."""
        train, dev = (replace(split, grids=layers(split.grids)) for split in (self.train, self.dev))
        return replace(self, train=train, dev=dev)


def encode(source: EncoderSource, sets: Mapping[str, Dataset], folder: Path, crops: int = 2) -> EncodedSplits:
    """Encode the splits `train`, with `crops` of each picture, and `dev`; the grids are cached in `folder`."""
    encoder = KerasVGG16(source.config, source.weights, best_precision())
    key = weights_key(source.weights)
    caches = {
        name: cache_features(encoder, key, dataset.pictures, folder / name, crops if name == "train" else 1)
        for name, dataset in sets.items()
    }
    train, train_pictures = _split(sets["train"], caches["train"])
    dev, dev_pictures = _split(sets["dev"], caches["dev"])
    problems = [problem for cache in caches.values() for problem in cache.problems]
    return EncodedSplits(train, dev, (train_pictures, dev_pictures), problems)


def _split(dataset: Dataset, cache: FeatureCache) -> tuple[Split, list[CaptionedPicture]]:
    rows = np.flatnonzero(cache.usable)
    pictures = [dataset.pictures[row] for row in rows]
    grids = cache.grids if len(rows) == len(cache.grids) else cache.grids[rows]
    return Split([one.name for one in pictures], grids, split_words([one.captions for one in pictures])), pictures


def read_splits(dataset: Path, also: Path | None = None) -> dict[str, Dataset]:
    """Read train and dev of a data set, and add all pictures of `also` to train. Raise RetroflexError."""
    sets = {split: read_dataset(dataset, split) for split in ("train", "dev")}
    if also:
        more, train = read_dataset(also, None), sets["train"]
        sets["train"] = Dataset("train", [*train.pictures, *more.pictures], [*train.problems, *more.problems])
    return sets


def encode_splits(source: EncoderSource, dataset: Path, folder: Path) -> tuple[Split, Split]:
    """Encode train and dev of a data set with `source`; the grids are cached in `folder`."""
    encoded = encode(source, read_splits(dataset), folder)
    return encoded.train, encoded.dev
