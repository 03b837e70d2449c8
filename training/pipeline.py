"""From a data set folder to a captioner bundle: features, decoder, curves, card."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import keras
import numpy as np

from captioner.bundle import Bundle, load_bundle, save_bundle
from captioner.embedding import Embedding
from captioner.encoder import Encoder, assign, best_precision, build_narrow, build_vgg16
from captioner.pooling import Pooling
from captioner.quantise import rounded
from captioner.twins import double, halve
from data.errors import RetroflexError
from training.card import Facts, Story, render_card
from training.config import EmbedConfig, TrainConfig
from training.decoder.finetune import fine_tune
from training.decoder.train import Trained, train_decoder
from training.distillation.surgery import collapse, widen
from training.embedding.train import train_embedding
from training.plots import plot_curves
from training.relevance.calibrate import calibrate
from training.relevance.whitening import learn_pooling
from training.sources import EncoderSource, weights_key
from training.splits import EncodedSplits, encode, read_splits

BUNDLE = "bundle"
TUNED = ", fine-tuned"


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
    beside the figures; `before` is a bundle whose decoder is gone on with, and whose sentences keep their places in the
    space that they share with pictures.
    """
    sets = read_splits(dataset)
    problems = [problem for one in sets.values() for problem in one.problems]
    tuning = bool(config.narrow_epochs or config.tune_epochs)
    encoded = encode(source, sets, out / "features", config.views)
    first = replace(config, critic_epochs=0) if tuning else config
    known = load_bundle(before) if before else None
    trained = train_decoder(encoded.train, encoded.dev, out, first, dict(known.decoder_weights) if known else None)
    if tuning:
        source, weights = _tune(source, encoded, trained, out, config)
        encoded = encode(source, sets, out / "features", config.views)
        again = replace(config, epochs=config.epochs // 2, rate=config.rate / 2)
        trained = train_decoder(encoded.train, encoded.dev, out / "again", again, weights)
    plot_curves(out / "log.csv", out / "curves.png")
    sizes = {split: len(one.pictures) for split, one in sets.items()}
    shared = _share(source, encoded, trained, out, config, known.embedding if known else None)
    _save(source, trained, _pooling(source, encoded, config.seed), shared, config, sizes, story, out / BUNDLE)
    # A bad line of the captions is met in both splits.
    return out / BUNDLE, list(dict.fromkeys([*problems, *encoded.problems]))


def _tune(
    source: EncoderSource, encoded: EncodedSplits, trained: Trained, out: Path, config: TrainConfig
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
            weights = rounded(tuned.encoder_weights, config.bits)
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


def _share(
    source: EncoderSource,
    encoded: EncodedSplits,
    trained: Trained,
    out: Path,
    config: TrainConfig,
    known: Embedding | None,
) -> _Shared:
    if not config.text_encoders:
        return _Shared()
    how = EmbedConfig(members=config.text_encoders, seed=config.seed, bits=config.bits)
    folder = out / f"embedding-{weights_key(source.weights)[:12]}-{how.members}-{how.seed}"
    embedding = train_embedding(encoded.train, folder, how, known)
    relevance, figures = calibrate(embedding, trained, encoded.dev, config.search)
    return _Shared(embedding, relevance, {"words to pictures, dev, cross-validated": figures})


def _pooling(source: EncoderSource, encoded: EncodedSplits, seed: int) -> Pooling:
    encoder = Encoder(source.config, source.weights, best_precision())
    return learn_pooling(encoder, encoded.train.grids, [one.path for one in encoded.pictures[0]], seed)


def _save(
    source: EncoderSource,
    trained: Trained,
    pooling: Pooling,
    shared: _Shared,
    config: TrainConfig,
    sizes: dict[str, int],
    story: Story,
    folder: Path,
) -> None:
    made_by = {"encoder": source.name, "training": asdict(config), "pictures": sizes, "dev": trained.scores}
    bundle = Bundle(
        encoder=source.config,
        encoder_weights=source.weights,
        decoder=trained.config,
        decoder_weights=trained.weights,
        vocabulary=trained.vocabulary,
        search=config.search,
        made_by=made_by,
        embedding=shared.embedding,
        relevance=shared.relevance,
        pooling=pooling,
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
