"""A captioner on disk: one folder with weights, vocabulary, configuration, model card and checksums.

config.json          name of the model, encoder and its settings, sizes, beam settings, origin
calibration.json     how scores become relevance, see `captioner.calibration`
vocabulary.json      the decoder's words
encoder.safetensors  the encoder's kernels (int8 with scales) and biases
decoder.safetensors  the decoder, its matrices int8 with scales too
decoders_further.safetensors  optional: further decoders of the ensemble, likewise
embedding_*          optional: words, their synonyms, encoders and frequent sentences of the shared space
pooling.safetensors  optional: how a grid becomes a vector, likewise; without it, the plain mean
alike.safetensors    optional: how a grid becomes the vector by which pictures of the same kind of thing are found
activations.json     optional: the largest output of each convolution, for 8-bit products
README.md            the model card
checksums.json       SHA-256 of every other file

This is format 2. Format 1, whose calibration is in config.json and in the program, is read too.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from captioner.calibration import Calibration
from captioner.checksums import (
    ACTIVATIONS,
    ALIKE,
    CALIBRATION,
    CARD,
    CHECKSUMS,
    CONFIG,
    DECODER,
    DECODERS_FURTHER,
    EMBEDDING_PICTURES,
    EMBEDDING_SENTENCES,
    EMBEDDING_SYNONYMS,
    EMBEDDING_TEXT,
    EMBEDDING_WORDS,
    ENCODER,
    POOLING,
    RESTORE_HINT,
    VOCABULARY,
    bundle_version,
    checksums,
    recorded_checksums,
    verify,
    version_of,
)
from captioner.decoder import DecoderConfig
from captioner.embedding import TABLES, Embedding, EmbeddingConfig, TextEmbedder
from captioner.encoders.base import EncoderConfig
from captioner.encoders.pooling import Pooling
from captioner.encoders.registry import EncoderParts, read_config
from captioner.errors import BundleError
from captioner.likelihood import Likelihood
from captioner.quantise import Restored, quantise, restore_rows
from captioner.types import SearchModel
from captioner.vocabulary import Vocabulary

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FORMAT = 2
SENTENCES, SYNONYMS = "sentences", "synonyms"
BUNDLED = Path(__file__).parent / "bundled"


@dataclass(frozen=True)
class SearchConfig:
    """How captions are searched, chosen on dev: see `captioner.beam.beam_search`.

    If the bundle has an embedding, `nearness` times a caption's cosine to its picture is added to its score.
    """

    beam: int = 3
    length_power: float = 0.5
    groups: int = 1
    diversity: float = 0.0
    nearness: float = 0.0


@dataclass(frozen=True)
class Bundle:
    """A captioner in memory; `version` names it in the store, `made_by` says how it was made.

    After a change of weights or settings, leave `version` empty: saving gives the new model its name. `pooling` and
    `activations` are those of `captioner.encoders.registry.EncoderParts`; `alike` makes the vectors of the kind ALIKE.
    """

    encoder: EncoderConfig
    encoder_weights: Mapping[str, np.ndarray]
    decoder: DecoderConfig
    decoder_weights: Mapping[str, np.ndarray]
    vocabulary: Vocabulary
    search: SearchConfig
    made_by: Mapping[str, Any]
    embedding: Embedding | None = None
    calibration: Calibration = field(default_factory=Calibration)
    pooling: Pooling | None = None
    alike: Pooling | None = None
    activations: Mapping[str, float] = field(default_factory=dict)
    further_decoders: Sequence[Mapping[str, np.ndarray]] = ()
    version: str = ""

    @property
    def encoder_parts(self) -> EncoderParts:
        """What the encoder is built from."""
        return EncoderParts(self.encoder_weights, self.pooling, self.activations, model_version=self.version)

    @property
    def search_model(self) -> SearchModel:
        """The part that search needs."""
        model = SearchModel(self.version, self.encoder.name, self.calibration)
        shared = self.embedding
        if shared is None:
            return model
        model = model._replace(
            embedder=TextEmbedder(shared.config, shared.weights, shared.vocabulary, shared.synonyms),
            caption_words=self.vocabulary,
        )
        if not self.calibration.reranker:
            return model
        likelihood = Likelihood(self.decoder, self.decoder_weights, self.vocabulary)
        return model._replace(likelihood=likelihood, sentences=shared.sentences)


def save_bundle(bundle: Bundle, folder: Path, card: Callable[[str], str]) -> None:
    """Write `bundle` beside `folder` and move it into place, so that readers never see half a bundle.

    `card` makes the model card's text from the model's version.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    config = {
        "format": FORMAT,
        "encoder": {"name": bundle.encoder.name, **_fields(bundle.encoder)},
        "decoder": asdict(bundle.decoder),
        "search": asdict(bundle.search),
        "made_by": dict(bundle.made_by),
    }
    if bundle.embedding:
        config["embedding"] = asdict(bundle.embedding.config)
    _save_models(bundle, beside)
    _save_json(config, beside / CONFIG)
    models = {path.name for path in beside.iterdir()}
    version = bundle.version or version_of(checksums(beside, models), bundle.encoder.name)
    _save_json({"model_version": version, **config}, beside / CONFIG)
    _save_json(bundle.calibration.to_json(), beside / CALIBRATION)
    (beside / CARD).write_text(card(version))
    _save_json(checksums(beside, sorted(models | {CARD, CALIBRATION})), beside / CHECKSUMS)
    beside.chmod(0o755)
    for path in beside.iterdir():
        path.chmod(0o644)
    if folder.exists():
        shutil.rmtree(folder)
    beside.replace(folder)


def _save_models(bundle: Bundle, folder: Path) -> None:
    if bundle.embedding:
        _save_embedding(bundle.embedding, folder)
    for pooling, name in ((bundle.pooling, POOLING), (bundle.alike, ALIKE)):
        if pooling:
            arrays = {part: value for part, value in asdict(pooling).items() if value is not None}
            save_file(quantise(arrays), folder / name)
    if bundle.activations:
        _save_json(dict(bundle.activations), folder / ACTIVATIONS)
    _save_words(bundle.vocabulary, folder / VOCABULARY)
    save_file(quantise(bundle.encoder_weights), folder / ENCODER)
    save_file(quantise(bundle.decoder_weights), folder / DECODER)
    if bundle.further_decoders:
        members = enumerate(bundle.further_decoders)
        named = {f"{number}/{name}": value for number, own in members for name, value in own.items()}
        save_file(quantise(named), folder / DECODERS_FURTHER)


def _fields(config: EncoderConfig) -> dict[str, Any]:
    return asdict(cast("DataclassInstance", config))


def _save_json(document: Any, path: Path) -> None:
    path.write_text(json.dumps(document, indent=2) + "\n")


def load_bundle(folder: Path) -> Bundle:
    """Read and verify a bundle. Raises BundleError, one line, if it is missing, damaged or inconsistent."""
    if not folder.is_dir():
        raise BundleError(f"{folder}: no captioner bundle there; give a folder that `retroflex train` wrote")
    recorded = verify(folder)
    try:
        config = _load_config(folder)
        bundle = Bundle(
            encoder=read_config(config["encoder"]),
            encoder_weights=Restored(load_file(folder / ENCODER)),
            decoder=DecoderConfig(**config["decoder"]),
            decoder_weights=Restored(load_file(folder / DECODER)),
            further_decoders=_load_further(folder / DECODERS_FURTHER) if DECODERS_FURTHER in recorded else (),
            vocabulary=_load_words(folder / VOCABULARY),
            search=SearchConfig(**config["search"]),
            made_by=config["made_by"],
            embedding=_load_embedding(folder, config, recorded),
            calibration=_load_calibration(folder, config),
            pooling=Pooling(**Restored(load_file(folder / POOLING))) if POOLING in recorded else None,
            alike=Pooling(**Restored(load_file(folder / ALIKE))) if ALIKE in recorded else None,
            activations=_load_activations(folder / ACTIVATIONS) if ACTIVATIONS in recorded else {},
            version=bundle_version(folder),
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise BundleError(f"{folder}: the bundle cannot be read ({error}); {RESTORE_HINT}") from error
    if len(bundle.vocabulary) != bundle.decoder.vocabulary:
        raise BundleError(f"{folder}: vocabulary and decoder do not belong together; {RESTORE_HINT}")
    if bundle.encoder.channels != bundle.decoder.grid_channels:
        raise BundleError(f"{folder}: encoder and decoder do not belong together; {RESTORE_HINT}")
    return bundle


def _load_config(folder: Path) -> dict[str, Any]:
    """Read config.json; of format 1 in the form of format 2. Raises BundleError, OSError, ValueError or KeyError."""
    config: dict[str, Any] = json.loads((folder / CONFIG).read_text())
    if config["format"] not in (1, FORMAT):
        raise BundleError(f"{folder}: bundle format {config['format']} is not known, this version reads 1 to {FORMAT}")
    if config["format"] == 1:
        config["encoder"] = {"name": "vgg16", **config["encoder"]}
    return config


def _load_calibration(folder: Path, config: Mapping[str, Any]) -> Calibration:
    if config["format"] == 1:
        return Calibration.from_format_1(config.get("relevance", {}))
    return Calibration(**json.loads((folder / CALIBRATION).read_text()))


def load_search_model(folder: Path) -> SearchModel:
    """Read the part of a bundle that search needs, and no more. Raises BundleError."""
    recorded = recorded_checksums(folder)
    needed = (CONFIG, CALIBRATION, VOCABULARY, EMBEDDING_WORDS, EMBEDDING_TEXT)
    verify(folder, [name for name in needed if name in recorded])
    try:
        config = _load_config(folder)
        model = SearchModel(bundle_version(folder), config["encoder"]["name"], _load_calibration(folder, config))
        if EMBEDDING_TEXT not in recorded:
            return model
        weights = restore_rows(load_file(folder / EMBEDDING_TEXT), TABLES)
        sizes, words = EmbeddingConfig(**config["embedding"]), _load_words(folder / EMBEDDING_WORDS)
        embedder = TextEmbedder(sizes, weights, words, _load_synonyms(folder, recorded))
        model = model._replace(embedder=embedder, caption_words=_load_words(folder / VOCABULARY))
        return _with_reranker(model, folder, config) if model.calibration.reranker else model
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise BundleError(f"{folder}: the bundle cannot be read ({error}); {RESTORE_HINT}") from error


def _with_reranker(model: SearchModel, folder: Path, config: Mapping[str, Any]) -> SearchModel:
    assert model.caption_words is not None
    verify(folder, (DECODER, EMBEDDING_SENTENCES))
    weights = Restored(load_file(folder / DECODER))
    likelihood = Likelihood(DecoderConfig(**config["decoder"]), weights, model.caption_words)
    return model._replace(likelihood=likelihood, sentences=_load_sentences(folder))


def _save_embedding(embedding: Embedding, folder: Path) -> None:
    text = embedding.config.text_shapes()
    for name, belongs in ((EMBEDDING_TEXT, True), (EMBEDDING_PICTURES, False)):
        part = {key: value for key, value in embedding.weights.items() if (key.split("/", 1)[1] in text) == belongs}
        save_file(quantise(part), folder / name)
    # One scale for each sentence, as `quantise` keeps one for each column.
    save_file(quantise({SENTENCES: np.ascontiguousarray(embedding.sentences.T)}), folder / EMBEDDING_SENTENCES)
    if embedding.synonyms is not None:
        save_file({SYNONYMS: embedding.synonyms}, folder / EMBEDDING_SYNONYMS)
    _save_words(embedding.vocabulary, folder / EMBEDDING_WORDS)


def _load_embedding(folder: Path, config: Mapping[str, Any], recorded: Mapping[str, str]) -> Embedding | None:
    if "embedding" not in config:
        return None
    weights = {**load_file(folder / EMBEDDING_TEXT), **load_file(folder / EMBEDDING_PICTURES)}
    sizes, words = EmbeddingConfig(**config["embedding"]), _load_words(folder / EMBEDDING_WORDS)
    return Embedding(
        sizes, restore_rows(weights, TABLES), words, _load_sentences(folder), _load_synonyms(folder, recorded)
    )


def _load_synonyms(folder: Path, recorded: Mapping[str, str]) -> np.ndarray | None:
    if EMBEDDING_SYNONYMS not in recorded:
        return None
    verify(folder, (EMBEDDING_SYNONYMS,))
    return np.asarray(load_file(folder / EMBEDDING_SYNONYMS)[SYNONYMS])


def _load_sentences(folder: Path) -> np.ndarray:
    return np.ascontiguousarray(Restored(load_file(folder / EMBEDDING_SENTENCES))[SENTENCES].T)


def _load_further(path: Path) -> list[Restored]:
    members: dict[str, dict[str, np.ndarray]] = {}
    for named, value in load_file(path).items():
        number, name = named.split("/", 1)
        members.setdefault(number, {})[name] = value
    return [Restored(members[number]) for number in sorted(members, key=int)]


def _load_activations(path: Path) -> dict[str, float]:
    return {name: float(largest) for name, largest in dict(json.loads(path.read_text())).items()}


def _save_words(vocabulary: Vocabulary, path: Path) -> None:
    path.write_text(json.dumps(vocabulary.words, ensure_ascii=False, indent=0) + "\n")


def _load_words(path: Path) -> Vocabulary:
    return Vocabulary(json.loads(path.read_text()))
