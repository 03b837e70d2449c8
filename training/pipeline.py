"""From a data set folder to a captioner bundle: features, decoder, curves, card."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from captioner.bundle import BUNDLED, Bundle, bundle_version, load_bundle, save_bundle
from captioner.encoder import Encoder, EncoderConfig, best_precision, load_vgg16_weights
from captioner.quantise import quantise, restore
from data.captioned import Dataset
from data.dataset import read_dataset
from data.errors import RetroflexError
from training.card import Facts, Story, render_card
from training.config import TrainConfig
from training.features import FeatureCache, cache_features
from training.plots import plot_curves
from training.train import Split, Trained, split_words, train_decoder

BUNDLE = "bundle"


@dataclass(frozen=True)
class EncoderSource:
    """A VGG16 with its configuration; `name` says where it came from."""

    name: str
    config: EncoderConfig
    weights: dict[str, np.ndarray]


def load_encoder_source(name: str, config: EncoderConfig | None = None) -> EncoderSource:
    """Resolve `bundled`, `imagenet`, a bundle folder or a Keras VGG16 file. Raises RetroflexError.

    The weights are rounded as a bundle stores them, so that the decoder learns from what it will be given.
    """
    folder = BUNDLED if name == "bundled" else Path(name)
    if name == "bundled" or folder.is_dir():
        bundle = load_bundle(folder)
        return EncoderSource(bundle_version(folder), config or bundle.encoder, dict(bundle.encoder_weights))
    return EncoderSource(Path(name).name, config or EncoderConfig(), restore(quantise(load_vgg16_weights(name))))


OWN_STORY: Story = {
    "data": [{"name": "the training folder", "used_for": "the decoder", "terms": "those of the folder's owner"}],
    "commands": ["retroflex train --dataset DIR --out DIR"],
    "examples": [],
    "limits": ["It knows what its training pictures show; other subjects are described in the words it has."],
}


def read_story(path: Path | None) -> Story:
    """Read the part of a model card that no training can know, from a JSON file. Raises RetroflexError."""
    if path is None:
        return OWN_STORY
    try:
        told = json.loads(path.read_text())
        return {name: told[name] for name in OWN_STORY}  # type: ignore[return-value]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RetroflexError(f"{path}: a card's story is JSON with {', '.join(OWN_STORY)} ({error})") from error


def train_bundle(
    dataset: Path, out: Path, source: EncoderSource, config: TrainConfig, story: Story = OWN_STORY
) -> tuple[Path, list[str]]:
    """Train a decoder for `source` on a data set; return the bundle's folder and the problems met.

    `story` is what the model card tells beside the figures.
    """
    train_set, dev_set = read_dataset(dataset, "train"), read_dataset(dataset, "dev")
    encoder = Encoder(source.config, source.weights, best_precision())
    key = _weights_key(source.weights)
    train_cache = cache_features(encoder, key, train_set.pictures, out / "features" / "train", mirrored=True)
    dev_cache = cache_features(encoder, key, dev_set.pictures, out / "features" / "dev", mirrored=False)
    trained = train_decoder(_split(train_set, train_cache), _split(dev_set, dev_cache), out, config)
    plot_curves(out / "log.csv", out / "curves.png")
    said = [*train_set.problems, *dev_set.problems, *train_cache.problems, *dev_cache.problems]
    problems = list(dict.fromkeys(said))  # A bad line of the captions is met in both splits.
    sizes = {"train": len(train_set.pictures), "dev": len(dev_set.pictures)}
    _save(source, trained, config, sizes, story, out / BUNDLE)
    return out / BUNDLE, problems


def _split(dataset: Dataset, cache: FeatureCache) -> Split:
    rows = np.flatnonzero(cache.usable)
    pictures = [dataset.pictures[row] for row in rows]
    grids = cache.grids if len(rows) == len(cache.grids) else cache.grids[rows]
    return Split([one.name for one in pictures], grids, split_words([one.captions for one in pictures]))


def _weights_key(weights: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + np.ascontiguousarray(weights[name]).tobytes())
    return digest.hexdigest()


def _save(
    source: EncoderSource, trained: Trained, config: TrainConfig, sizes: dict[str, int], story: Story, folder: Path
) -> None:
    made_by = {"encoder": source.name, "training": asdict(config), "pictures": sizes, "dev": trained.scores}
    bundle = Bundle(
        source.config, source.weights, trained.config, trained.weights, trained.vocabulary, config.search, made_by
    )
    facts: Facts = {
        "name": "Retroflex captioner",
        "model_version": "",
        "summary": f"A VGG16 encoder ({source.name}) and an LSTM decoder with attention that captions photographs.",
        "splits": sizes,
        "seeds": {"train": config.seed},
        "figures": {"captions, dev": trained.scores},
        **story,
    }
    save_bundle(bundle, folder, lambda version: render_card({**facts, "model_version": version}))
