"""A data set's train and dev splits as an encoder sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from captioner.encoders.vgg16 import KerasVGG16
from captioner.frameworks import best_precision
from data.captioned import CaptionedPicture, Dataset
from data.dataset import read_dataset
from training.decoder.examples import Split, split_words
from training.features import FeatureCache, cache_features
from training.sources import EncoderSource, weights_key


@dataclass(frozen=True)
class EncodedSplits:
    """Train and dev as grids, with the pictures they are of, and what could not be read."""

    train: Split
    dev: Split
    pictures: tuple[list[CaptionedPicture], list[CaptionedPicture]]
    problems: list[str]

    def through(self, further: Callable[[np.ndarray], np.ndarray]) -> EncodedSplits:
        """The same after `further` layers, from grids (n, views, cells, channels) to such grids."""
        train, dev = (replace(one, grids=further(one.grids)) for one in (self.train, self.dev))
        return replace(self, train=train, dev=dev)


def encode(source: EncoderSource, sets: Mapping[str, Dataset], folder: Path, views: int = 2) -> EncodedSplits:
    """Encode the splits `train`, of whose pictures `views` are taken, and `dev`; their grids are kept in `folder`."""
    encoder = KerasVGG16(source.config, source.weights, best_precision())
    key = weights_key(source.weights)
    caches = {
        name: cache_features(encoder, key, dataset.pictures, folder / name, views if name == "train" else 1)
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
    """Read train and dev of a data set; all pictures of `also` join the training ones. Raises RetroflexError."""
    sets = {split: read_dataset(dataset, split) for split in ("train", "dev")}
    if also:
        more, train = read_dataset(also, None), sets["train"]
        sets["train"] = Dataset("train", [*train.pictures, *more.pictures], [*train.problems, *more.problems])
    return sets


def encode_splits(source: EncoderSource, dataset: Path, folder: Path) -> tuple[Split, Split]:
    """Train and dev of a data set as `source` sees them; the grids are kept in `folder`."""
    encoded = encode(source, read_splits(dataset), folder)
    return encoded.train, encoded.dev
