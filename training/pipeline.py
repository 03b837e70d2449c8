"""Train a captioner: from a data set to a bundle, by way of features, decoder, text encoders and calibration."""

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
from captioner.encoders.vgg16 import VGG16Config
from captioner.encoders.vgg16_int8 import calibrate_activations
from captioner.encoders.weights import weights_key
from captioner.quantise import rounded
from data.captioned import Dataset
from data.decoding.pool import read_square
from data.errors import RetroflexError
from training.batches import Split
from training.card import Facts, Notes, render_card
from training.checkpoints import save_tensors
from training.config import EmbedConfig, TrainConfig
from training.decoder.pretraining import pretrain
from training.decoder.trainer import TrainedDecoder, score_split, train_decoder
from training.embedding.trainer import train_embedding, train_first_pair
from training.fine_tuning import before_tail, build_tail, fine_tune, through_tail, with_tail
from training.inputs import EncodedSplits, EncoderSource, encode, read_splits
from training.plots import plot_curves
from training.relevance.calibrate import calibrate
from training.relevance.crowd import Crowd, with_crowd
from training.relevance.whitening import Poolings, learn_poolings
from training.texts import Texts

BUNDLE = "bundle"
CALIBRATED = 104
"""The number of pictures that the ranges of activations are measured on."""
TUNED = ", last block fine-tuned"

DEFAULT_NOTES: Notes = {
    "data": [{"name": "the training folder", "used_for": "the decoder", "terms": "those of the folder's owner"}],
    "commands": ["retroflex train --dataset DIR --out DIR"],
    "examples": [],
    "limits": ["It knows what its training pictures show; other subjects are described in the words it has."],
}


def read_notes(path: Path | None) -> Notes:
    """Read the hand-written part of a model card from a JSON file. Raise RetroflexError."""
    if path is None:
        return DEFAULT_NOTES
    try:
        document = json.loads(path.read_text())
        return {name: document[name] for name in DEFAULT_NOTES}  # type: ignore[return-value]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RetroflexError(f"{path} must be JSON with {', '.join(DEFAULT_NOTES)} ({error})") from error


@dataclass(frozen=True)
class TrainingInputs:
    """The inputs of a training: a data set, one whose pictures are added (`also`), captions without pictures.

    Training starts from the decoder of `initial_bundle`, if there is one. How rare words are treated is learnt in a
    `crowd` of pictures that do not show them; a large crowd also teaches the whitening of vectors.
    """

    dataset: Path
    also: Path | None = None
    texts: Texts = field(default_factory=Texts)
    initial_bundle: Path | None = None
    crowd: Crowd | None = None


def train_bundle(
    inputs: TrainingInputs, out: Path, source: EncoderSource, config: TrainConfig, notes: Notes = DEFAULT_NOTES
) -> tuple[Path, list[str]]:
    """Train a captioner; return the bundle's folder and the problems of the data set, a line each.

    The decoder is trained on the grids of `source`. With fine-tuning, the encoder's last block is then trained jointly
    and the decoder continues on the new grids. Self-critical training comes last. `notes` are the hand-written part of
    the model card.
    """
    sets = read_splits(inputs.dataset, inputs.also)
    problems = [problem for one in sets.values() for problem in one.problems]
    supervised = replace(config, critic_epochs=0)
    if config.tune_epochs:
        source, encoded, trained = _fine_tune(source, sets, inputs, out, supervised)
    else:
        encoded = encode(source, sets, out / "features", config.views)
        start = _start(encoded.train, inputs, out, config)
        trained = train_decoder(encoded.train, encoded.dev, out, supervised, start)
    trained = _train_self_critical(trained, encoded, out, config)
    plot_curves(out / "log.csv", out / "curves.png")
    sizes = {split: len(one.pictures) for split, one in sets.items()}
    shared = _train_search(source, encoded, trained, inputs.texts, out, config)
    vectors = _Vectors(
        _poolings(source, encoded, inputs.crowd, config.seed), _activations(source, encoded, config.seed)
    )
    bundle = _bundle(source, trained, vectors, shared, config, sizes)
    problems += encoded.problems
    if inputs.crowd:
        bundle, unread = with_crowd(bundle, inputs.crowd, config.seed)
        problems += unread
    save_bundle(bundle, out / BUNDLE, partial(_card, bundle, shared.figures, notes))
    # Both splits report a bad line of the caption file.
    return out / BUNDLE, list(dict.fromkeys(problems))


def _start(train: Split, inputs: TrainingInputs, out: Path, config: TrainConfig) -> dict[str, np.ndarray] | None:
    """Return the decoder's initial weights: another bundle's, or pretrained on texts alone; None for neither."""
    if inputs.initial_bundle:
        return dict(load_bundle(inputs.initial_bundle).decoder_weights)
    if not inputs.texts.unpaired_own or not config.text_epochs:
        return None
    path = out / "texts.safetensors"
    if not path.exists():
        out.mkdir(parents=True, exist_ok=True)
        captions = [*inputs.texts.unpaired_own, *train.captions]
        save_tensors(pretrain(captions, train.captions, train.grids.shape[-1], config), path)
    return load_file(path)


def _fine_tune(
    source: EncoderSource,
    sets: Mapping[str, Dataset],
    inputs: TrainingInputs,
    out: Path,
    config: TrainConfig,
) -> tuple[EncoderSource, EncodedSplits, TrainedDecoder]:
    """Train the decoder, then the encoder's last block with it and a pair of text encoders, then the decoder again.

    The encoder stays as it is if dev CIDEr does not improve.
    """
    before = encode(before_tail(source), sets, out / "features", config.views)
    tail = build_tail(source)
    encoded = before.map_grids(partial(through_tail, tail))
    start = _start(encoded.train, inputs, out, config)
    trained = train_decoder(encoded.train, encoded.dev, out, config, start)
    pair, sampler = train_first_pair(encoded.train, inputs.texts, _embed_config(config), out / "meeting.safetensors")
    tuned = fine_tune(tail, pair, trained, (before.train, before.dev), sampler, out / "tuned", config)
    weights = trained.weights
    if tuned:
        source = with_tail(source, rounded(tuned.encoder_weights, config.bits), f"{source.name}{TUNED}")
        encoded, weights = before.map_grids(partial(through_tail, build_tail(source))), tuned.decoder_weights
    again = replace(config, epochs=config.epochs * 2 // 3, rate=0.4 * config.rate, batch=max(1, config.batch // 2))
    return source, encoded, train_decoder(encoded.train, encoded.dev, out / "again", again, weights)


def _train_self_critical(
    trained: TrainedDecoder, encoded: EncodedSplits, out: Path, config: TrainConfig
) -> TrainedDecoder:
    """Return `trained` together with the decoder after self-critical training, if it is configured.

    The decoder from before stays the first, because its probabilities fit the human captions.
    """
    if not config.critic_epochs:
        return trained
    after = train_decoder(encoded.train, encoded.dev, out / "critic", replace(config, epochs=0), trained.weights)
    both = replace(trained, further=(after.weights,))
    return replace(both, scores=score_split(both.decoder, both.vocabulary, encoded.dev, config.search))


@dataclass(frozen=True)
class _SearchParts:
    """The parts of search by words: the shared space, the weights of relevance, and its figures on dev."""

    embedding: Embedding | None = None
    calibration: Calibration = field(default_factory=Calibration)
    figures: dict[str, dict[str, float]] = field(default_factory=dict)


def _embed_config(config: TrainConfig) -> EmbedConfig:
    return EmbedConfig(members=config.text_encoders, seed=config.seed)


def _train_search(
    source: EncoderSource, encoded: EncodedSplits, trained: TrainedDecoder, texts: Texts, out: Path, config: TrainConfig
) -> _SearchParts:
    if not config.text_encoders:
        return _SearchParts()
    embed_config = _embed_config(config)
    folder = out / f"embedding-{weights_key(source.weights)[:12]}-{embed_config.members}-{embed_config.seed}"
    embedding = train_embedding(encoded.train, folder, embed_config, texts)
    calibration, figures = calibrate(embedding, trained, encoded.dev, config.search, texts)
    return _SearchParts(embedding, calibration, {"words to pictures, dev, cross-validated": figures})


def _poolings(source: EncoderSource, encoded: EncodedSplits, crowd: Crowd | None, seed: int) -> Poolings:
    files = [one.path for one in encoded.pictures[0]]
    return learn_poolings(source.build(), encoded.train.grids, files, seed, crowd.pictures if crowd else None)


def _activations(source: EncoderSource, encoded: EncodedSplits, seed: int) -> dict[str, float]:
    """Return the range of each convolution's output on CALIBRATED train pictures, for VGG16's 8-bit products."""
    if not isinstance(source.config, VGG16Config):
        return {}
    files = [one.path for one in encoded.pictures[0]]
    rows = np.random.default_rng(seed).permutation(len(files))[:CALIBRATED]
    squares = np.stack([read_square(files[row], source.config.side) for row in rows])
    return calibrate_activations(source.config, source.weights, squares)


@dataclass(frozen=True)
class _Vectors:
    """Calibration of the encoder: the pooling of its grids into vectors, and the ranges of its activations."""

    poolings: Poolings
    activations: dict[str, float]


def _bundle(
    source: EncoderSource,
    trained: TrainedDecoder,
    vectors: _Vectors,
    shared: _SearchParts,
    config: TrainConfig,
    sizes: dict[str, int],
) -> Bundle:
    made_by = {"encoder": source.name, "training": asdict(config), "pictures": sizes, "dev": trained.scores}
    return Bundle(
        encoder=source.config,
        encoder_weights=source.weights,
        decoder=trained.config,
        decoder_weights=trained.weights,
        vocabulary=trained.vocabulary,
        search=config.search,
        made_by=made_by,
        embedding=shared.embedding,
        calibration=shared.calibration,
        pooling=vectors.poolings.copies,
        alike=vectors.poolings.alike,
        activations=vectors.activations,
        further_decoders=trained.further,
    )


def _card(bundle: Bundle, figures: dict[str, dict[str, float]], notes: Notes, version: str) -> str:
    made_by = bundle.made_by
    name = bundle.encoder.name
    parts = f"The encoder {name} ({made_by['encoder']}) and an LSTM decoder with attention"
    facts: Facts = {
        "name": "Retroflex captioner",
        "model_version": version,
        "summary": f"{parts} that captions photographs.",
        "splits": made_by["pictures"],
        "seeds": {"train": made_by["training"]["seed"]},
        "figures": {"captions, dev": made_by["dev"], **figures},
        **notes,
    }
    return render_card(facts)
