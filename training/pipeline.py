"""From a data set folder to a captioner bundle: features, decoder, sentences, curves, card."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from captioner.bundle import Bundle, load_bundle, save_bundle
from captioner.calibration import Calibration
from captioner.embedding import Embedding
from captioner.encoders.pooling import Pooling
from captioner.encoders.vgg16 import KerasVGG16
from captioner.encoders.vgg16_int8 import calibrate_activations
from captioner.frameworks import best_precision
from captioner.quantise import rounded
from data.captioned import Dataset
from data.errors import RetroflexError
from data.pictures import read_square
from training.card import Facts, Story, render_card
from training.config import EmbedConfig, TrainConfig
from training.decoder.examples import Split
from training.decoder.paraphrase import pretrain
from training.decoder.train import Trained, score_split, train_decoder
from training.embedding.train import first_meeting, train_embedding
from training.plots import plot_curves
from training.relevance.calibrate import calibrate
from training.relevance.whitening import learn_pooling
from training.sources import EncoderSource, weights_key
from training.splits import EncodedSplits, encode, read_splits
from training.state import save_tensors
from training.tail import before_tail, build_tail, through_tail, with_tail
from training.texts import Texts
from training.tuning import fine_tune

BUNDLE = "bundle"
CALIBRATED = 104
"""Pictures that the ranges of activations are read from."""
TUNED = ", last block fine-tuned"

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


@dataclass(frozen=True)
class Material:
    """What a captioner is trained on: a data set, one whose pictures join in (`also`), captions without pictures.

    `go_on` is a bundle whose decoder is gone on with.
    """

    dataset: Path
    also: Path | None = None
    texts: Texts = field(default_factory=Texts)
    go_on: Path | None = None


def train_bundle(
    material: Material, out: Path, source: EncoderSource, config: TrainConfig, story: Story = OWN_STORY
) -> tuple[Path, list[str]]:
    """Train a captioner; return the bundle's folder and the problems met.

    The decoder learns for `source`; where fine-tuning is asked for, the encoder's last block is then trained with it
    and the decoder goes on with the new grids. Self-critical training comes last. `story` is what the model card tells
    beside the figures.
    """
    sets = read_splits(material.dataset, material.also)
    problems = [problem for one in sets.values() for problem in one.problems]
    teaching = replace(config, critic_epochs=0)
    if config.tune_epochs:
        source, encoded, trained = _tuned(source, sets, material, out, teaching)
    else:
        encoded = encode(source, sets, out / "features", config.views)
        start = _start(encoded.train, material, out, config)
        trained = train_decoder(encoded.train, encoded.dev, out, teaching, start)
    trained = _criticised(trained, encoded, out, config)
    plot_curves(out / "log.csv", out / "curves.png")
    sizes = {split: len(one.pictures) for split, one in sets.items()}
    shared = _share(source, encoded, trained, material.texts, out, config)
    vectors = _Vectors(_pooling(source, encoded, config.seed), _activations(source, encoded, config.seed))
    _save(source, trained, vectors, shared, config, sizes, story, out / BUNDLE)
    # A bad line of the captions is met in both splits.
    return out / BUNDLE, list(dict.fromkeys([*problems, *encoded.problems]))


def _start(train: Split, material: Material, out: Path, config: TrainConfig) -> dict[str, np.ndarray] | None:
    """What the decoder starts from: another's weights, or what texts alone have taught it; None for nothing."""
    if material.go_on:
        return dict(load_bundle(material.go_on).decoder_weights)
    if not material.texts.spoken or not config.text_epochs:
        return None
    path = out / "texts.safetensors"
    if not path.exists():
        out.mkdir(parents=True, exist_ok=True)
        told = [*material.texts.spoken, *train.captions]
        save_tensors(pretrain(told, train.captions, train.grids.shape[-1], config), path)
    return load_file(path)


def _tuned(
    source: EncoderSource,
    sets: Mapping[str, Dataset],
    material: Material,
    out: Path,
    config: TrainConfig,
) -> tuple[EncoderSource, EncodedSplits, Trained]:
    """Train the decoder, then the encoder's last block with it and a pair of text encoders, then the decoder again.

    Where dev gains nothing by it, the encoder stays as it is.
    """
    before = encode(before_tail(source), sets, out / "features", config.views)
    tail = build_tail(source)
    encoded = before.through(partial(through_tail, tail))
    start = _start(encoded.train, material, out, config)
    trained = train_decoder(encoded.train, encoded.dev, out, config, start)
    meeting, meetings = first_meeting(encoded.train, material.texts, _embed_config(config), out / "meeting.safetensors")
    tuned = fine_tune(tail, meeting, trained, (before.train, before.dev), meetings, out / "tuned", config)
    weights = trained.weights
    if tuned:
        source = with_tail(source, rounded(tuned.encoder_weights, config.bits), f"{source.name}{TUNED}")
        encoded, weights = before.through(partial(through_tail, build_tail(source))), tuned.decoder_weights
    again = replace(config, epochs=config.epochs * 2 // 3, rate=0.4 * config.rate, batch=max(1, config.batch // 2))
    return source, encoded, train_decoder(encoded.train, encoded.dev, out / "again", again, weights)


def _criticised(trained: Trained, encoded: EncodedSplits, out: Path, config: TrainConfig) -> Trained:
    """`trained`, and what self-critical training makes of it beside it, where it is asked for.

    The decoder from before stays the first: its probabilities are those of what people say.
    """
    if not config.critic_epochs:
        return trained
    after = train_decoder(encoded.train, encoded.dev, out / "critic", replace(config, epochs=0), trained.weights)
    both = replace(trained, further=(after.weights,))
    return replace(both, scores=score_split(both.decoder, both.vocabulary, encoded.dev, config.search))


@dataclass(frozen=True)
class _Shared:
    """What search by words gets: the shared space, how relevance is told, and its figures on dev."""

    embedding: Embedding | None = None
    calibration: Calibration = field(default_factory=Calibration)
    figures: dict[str, dict[str, float]] = field(default_factory=dict)


def _embed_config(config: TrainConfig) -> EmbedConfig:
    return EmbedConfig(members=config.text_encoders, seed=config.seed)


def _share(
    source: EncoderSource, encoded: EncodedSplits, trained: Trained, texts: Texts, out: Path, config: TrainConfig
) -> _Shared:
    if not config.text_encoders:
        return _Shared()
    how = _embed_config(config)
    folder = out / f"embedding-{weights_key(source.weights)[:12]}-{how.members}-{how.seed}"
    embedding = train_embedding(encoded.train, folder, how, texts)
    calibration, figures = calibrate(embedding, trained, encoded.dev, config.search, texts)
    return _Shared(embedding, calibration, {"words to pictures, dev, cross-validated": figures})


def _pooling(source: EncoderSource, encoded: EncodedSplits, seed: int) -> Pooling:
    encoder = KerasVGG16(source.config, source.weights, best_precision())
    return learn_pooling(encoder, encoded.train.grids, [one.path for one in encoded.pictures[0]], seed)


def _activations(source: EncoderSource, encoded: EncodedSplits, seed: int) -> dict[str, float]:
    """The range of each convolution's output, for products of 8 bits, on CALIBRATED train pictures."""
    files = [one.path for one in encoded.pictures[0]]
    rows = np.random.default_rng(seed).permutation(len(files))[:CALIBRATED]
    squares = np.stack([read_square(files[row], source.config.side) for row in rows])
    return calibrate_activations(source.config, source.weights, squares)


@dataclass(frozen=True)
class _Vectors:
    """What belongs to the encoder: how its grids become vectors, and the ranges of its activations."""

    pooling: Pooling
    activations: dict[str, float]


def _save(
    source: EncoderSource,
    trained: Trained,
    vectors: _Vectors,
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
        calibration=shared.calibration,
        pooling=vectors.pooling,
        activations=vectors.activations,
        further_decoders=trained.further,
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
