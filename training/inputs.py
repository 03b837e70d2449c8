"""The inputs of a training run: the encoder, the splits of a data set and their features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from captioner.bundle import BUNDLED, load_bundle
from captioner.checksums import bundle_version
from captioner.encoders.base import Encoder, EncoderConfig
from captioner.encoders.registry import EncoderParts, build, families, family, read_weights
from captioner.encoders.vgg16 import IMAGENET, VGG16Config, load_vgg16_weights
from captioner.encoders.weights import weights_key
from captioner.quantise import rounded
from data.captioned import CaptionedPicture, Dataset
from data.dataset import read_dataset
from data.errors import RetroflexError
from training.batches import Split, split_words
from training.features import FeatureCache, cache_features


@dataclass(frozen=True)
class EncoderSource:
    """The settings and weights of an encoder that makes grids; `name` is its origin."""

    name: str
    config: EncoderConfig
    weights: Mapping[str, np.ndarray]

    def build(self) -> Encoder:
        """Return the encoder. Raises BundleError if the weights do not fit."""
        return build(self.config, EncoderParts(self.weights))


def load_encoder_source(
    name: str, settings: Mapping[str, Any] | None = None, bits: int = 8, weights: Path | None = None
) -> EncoderSource:
    """Load an encoder by its name, `bundled`, a bundle folder, `imagenet` or a VGG16 file. Raises RetroflexError.

    `settings` replace the encoder's own, `weights` is a file for an encoder by its name. The weights are rounded as a
    bundle stores them, so that the decoder is trained on the grids of inference.
    """
    settings = settings or {}
    named = name in {one.name for one in families()}
    if weights and not named:
        raise RetroflexError("--weights goes with the name of an encoder, as in --encoder resnet50")
    if named:
        config = _gridded(name, settings)
        origin = f"{name}, {weights.name if weights else 'ImageNet'}"
        return EncoderSource(origin, config, rounded(read_weights(config, weights), bits))
    folder = BUNDLED if name == "bundled" else Path(name)
    if folder.is_dir():
        bundle = load_bundle(folder)
        return EncoderSource(bundle_version(folder), _changed(bundle.encoder, settings), dict(bundle.encoder_weights))
    if name != IMAGENET and not folder.exists() and folder.name == name and not folder.suffix:
        family(name)  # which names the nearest
    config = _changed(VGG16Config(), settings)
    return EncoderSource(folder.name, config, rounded(load_vgg16_weights(name), bits))


def _gridded(name: str, settings: Mapping[str, Any]) -> EncoderConfig:
    """Return the settings of an encoder. Raises RetroflexError unless it makes grids."""
    config = family(name).config()
    if not config.cells:
        with_grid = ", ".join(one.name for one in families() if one.config().cells)
        raise RetroflexError(f"{name} makes no grid that a decoder could attend to; these do: {with_grid}")
    return _changed(config, settings)


def _changed(config: EncoderConfig, settings: Mapping[str, Any]) -> EncoderConfig:
    try:
        return replace(cast("Any", config), **settings)
    except TypeError as error:
        options = ", ".join(f"--{name}" for name in settings)
        raise RetroflexError(f"{config.name} cannot be changed by {options}") from error


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
    encoder, key = source.build(), weights_key(source.weights)
    caches = {
        name: cache_features(encoder, source.config, key, one.pictures, folder / name, crops if name == "train" else 1)
        for name, one in sets.items()
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
