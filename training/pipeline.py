"""From a data set folder to a captioner bundle: features, decoder, curves, card."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import keras
import numpy as np

from captioner.bundle import BUNDLED, Bundle, bundle_version, load_bundle, save_bundle
from captioner.decoder import Decoder
from captioner.embedding import Embedding
from captioner.encoder import Encoder, EncoderConfig, assign, best_precision, build_vgg16, load_vgg16_weights
from captioner.quantise import quantise, restore
from captioner.twins import double, halve
from data.captioned import CaptionedPicture, Dataset
from data.dataset import read_dataset
from data.errors import RetroflexError
from training.calibrate import calibrate
from training.card import Facts, Story, render_card
from training.config import EmbedConfig, TrainConfig
from training.embed import train_embedding
from training.examples import Split, split_words
from training.features import FeatureCache, cache_features
from training.finetune import fine_tune
from training.narrow import build_narrow
from training.plots import plot_curves
from training.surgery import collapse, widen
from training.train import Trained, train_decoder

BUNDLE = "bundle"
TUNED = ", fine-tuned"


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
    dataset: Path,
    out: Path,
    source: EncoderSource,
    config: TrainConfig,
    story: Story = OWN_STORY,
    before: Path | None = None,
) -> tuple[Path, list[str]]:
    """Train a captioner on a data set; return the bundle's folder and the problems met.

    The decoder learns for `source`; where fine-tuning is asked for, the encoder is then trained with it and the
    decoder goes on with the new encoder. Self-critical training comes last. `story` is what the model card tells
    beside the figures; `before` is a bundle whose decoder is gone on with.
    """
    sets = _read(dataset)
    problems = [problem for one in sets.values() for problem in one.problems]
    tuning = bool(config.narrow_epochs or config.tune_epochs)
    encoded = _encode(source, sets, out / "features")
    first = replace(config, critic_epochs=0) if tuning else config
    trained = train_decoder(encoded.train, encoded.dev, out, first, _decoder_weights(before))
    if tuning:
        source, weights = _tune(source, encoded, trained, out, config)
        encoded = _encode(source, sets, out / "features")
        again = replace(config, epochs=config.epochs // 2, rate=config.rate / 2)
        trained = train_decoder(encoded.train, encoded.dev, out / "again", again, weights)
    plot_curves(out / "log.csv", out / "curves.png")
    sizes = {split: len(one.pictures) for split, one in sets.items()}
    shared = _share(source, encoded, trained, out, config)
    _save(source, trained, shared, config, sizes, story, out / BUNDLE)
    # A bad line of the captions is met in both splits.
    return out / BUNDLE, list(dict.fromkeys([*problems, *encoded.problems]))


def encode_splits(source: EncoderSource, dataset: Path, folder: Path) -> tuple[Split, Split]:
    """Train and dev of a data set as `source` sees them; the grids are kept in `folder`."""
    encoded = _encode(source, _read(dataset), folder)
    return encoded.train, encoded.dev


def _decoder_weights(folder: Path | None) -> dict[str, np.ndarray] | None:
    return dict(load_bundle(folder).decoder_weights) if folder else None


def _read(dataset: Path) -> dict[str, Dataset]:
    return {split: read_dataset(dataset, split) for split in ("train", "dev")}


@dataclass(frozen=True)
class _Encoded:
    """Train and dev as grids, with the pictures they are of, and what could not be read."""

    train: Split
    dev: Split
    pictures: tuple[list[CaptionedPicture], list[CaptionedPicture]]
    problems: list[str]


def _encode(source: EncoderSource, sets: Mapping[str, Dataset], folder: Path) -> _Encoded:
    encoder = Encoder(source.config, source.weights, best_precision())
    key = _weights_key(source.weights)
    caches = {
        name: cache_features(encoder, key, dataset.pictures, folder / name, mirrored=name == "train")
        for name, dataset in sets.items()
    }
    train, train_pictures = _split(sets["train"], caches["train"])
    dev, dev_pictures = _split(sets["dev"], caches["dev"])
    problems = [problem for cache in caches.values() for problem in cache.problems]
    return _Encoded(train, dev, (train_pictures, dev_pictures), problems)


def _split(dataset: Dataset, cache: FeatureCache) -> tuple[Split, list[CaptionedPicture]]:
    rows = np.flatnonzero(cache.usable)
    pictures = [dataset.pictures[row] for row in rows]
    grids = cache.grids if len(rows) == len(cache.grids) else cache.grids[rows]
    return Split([one.name for one in pictures], grids, split_words([one.captions for one in pictures])), pictures


def _tune(
    source: EncoderSource, encoded: _Encoded, trained: Trained, out: Path, config: TrainConfig
) -> tuple[EncoderSource, dict[str, np.ndarray]]:
    """Fine-tune at half width, then at full; gives the encoder and the decoder's weights, the old where dev lost."""
    for name, epochs in (("narrow", config.narrow_epochs), ("tuned", config.tune_epochs)):
        if not epochs:
            continue
        model, start = _tunable(source, name == "narrow", config.seed)
        assign(model, start)
        splits = (encoded.train, encoded.dev)
        tuned = fine_tune(model, trained, encoded.pictures, splits, out / name, config, epochs)
        if tuned:
            weights = restore(quantise(tuned.encoder_weights))
            title = f"{source.name.removesuffix(TUNED)}{TUNED}"
            source = replace(source, name=title, weights=double(weights) if name == "narrow" else weights)
            trained = replace(trained, weights=tuned.decoder_weights, scores=tuned.scores)
    return source, trained.weights


def _tunable(source: EncoderSource, narrow: bool, seed: int) -> tuple[keras.Model, dict[str, np.ndarray]]:
    """The model to fine-tune and its weights; exact twins are parted, or full width would be wasted on them."""
    if narrow:
        return build_narrow(source.config, best_precision()), collapse(source.weights)
    halved = halve(source.weights)
    return build_vgg16(source.config, best_precision()), widen(halved, seed) if halved else source.weights


@dataclass(frozen=True)
class _Shared:
    """What search by words gets: the shared space, how relevance is told, and its figures on dev."""

    embedding: Embedding | None = None
    relevance: dict[str, dict[str, float]] = field(default_factory=dict)
    figures: dict[str, dict[str, float]] = field(default_factory=dict)


def _share(source: EncoderSource, encoded: _Encoded, trained: Trained, out: Path, config: TrainConfig) -> _Shared:
    if not config.text_encoders:
        return _Shared()
    how = EmbedConfig(members=config.text_encoders, seed=config.seed)
    folder = out / f"embedding-{_weights_key(source.weights)[:12]}-{how.members}-{how.seed}"
    embedding = train_embedding(encoded.train, folder, how)
    decoder = Decoder(trained.config, trained.weights)
    relevance, figures = calibrate(embedding, decoder, trained.vocabulary, encoded.dev, config.search)
    return _Shared(embedding, {"words": relevance}, {"words to pictures, dev, cross-validated": figures})


def _weights_key(weights: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode() + np.ascontiguousarray(weights[name]).tobytes())
    return digest.hexdigest()


def _save(
    source: EncoderSource,
    trained: Trained,
    shared: _Shared,
    config: TrainConfig,
    sizes: dict[str, int],
    story: Story,
    folder: Path,
) -> None:
    made_by = {"encoder": source.name, "training": asdict(config), "pictures": sizes, "dev": trained.scores}
    bundle = Bundle(
        source.config,
        source.weights,
        trained.config,
        trained.weights,
        trained.vocabulary,
        config.search,
        made_by,
        shared.embedding,
        shared.relevance,
    )
    facts: Facts = {
        "name": "Retroflex captioner",
        "model_version": "",
        "summary": f"A VGG16 encoder ({source.name}) and an LSTM decoder with attention that captions photographs.",
        "splits": sizes,
        "seeds": {"train": config.seed},
        "figures": {"captions, dev": trained.scores, **shared.figures},
        **story,
    }
    save_bundle(bundle, folder, lambda version: render_card({**facts, "model_version": version}))
