"""A captioner at rest: one folder with weights, vocabulary, configuration, model card and checksums.

config.json          sizes, input side, grid layer, beam settings, where it came from
vocabulary.json      the decoder's words
encoder.safetensors  VGG16 kernels (int8 with scales) and biases
decoder.safetensors  the decoder, its matrices int8 with scales too
decoders_further.safetensors  where there are several: those that caption beside the first, likewise
embedding_*          where there is one: words, their synonyms, encoders and usual sentences of the shared space
pooling.safetensors  how a grid becomes a vector, likewise; where it is missing, the plain mean
activations.json     the largest output of each convolution, for products of 8 bits; where it is missing, there are none
README.md            the model card
checksums.json       SHA-256 of every other file
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from captioner.checksums import (
    ACTIVATIONS,
    CARD,
    CHECKSUMS,
    DECODER,
    DECODERS_FURTHER,
    EMBEDDING_PICTURES,
    EMBEDDING_SENTENCES,
    EMBEDDING_SYNONYMS,
    EMBEDDING_TEXT,
    EMBEDDING_WORDS,
    MEND,
    POOLING,
    VOCABULARY,
    checksums,
    recorded_checksums,
    verify,
    version_of,
)
from captioner.decoder import DecoderConfig
from captioner.embedding import TABLES, Embedding, EmbeddingConfig, TextEmbedder
from captioner.encoder import EncoderConfig
from captioner.errors import BundleError
from captioner.likelihood import Likelihood
from captioner.pooling import Pooling
from captioner.quantise import quantise, restore, restore_rows
from captioner.types import TextModel
from captioner.vocabulary import Vocabulary

FORMAT = 1
SENTENCES, SYNONYMS = "sentences", "synonyms"
BUNDLED = Path(__file__).parent / "bundled"
UNSAID = "unsaid"
"""Of `Bundle.relevance`: what it adds, `share`, that no caption says the content words of a query."""
SECOND_LOOK = "second look"
"""Of `Bundle.relevance`: what a second look at a sentence's best pictures adds."""


@dataclass(frozen=True)
class SearchConfig:
    """How captions are searched for, chosen on dev: see `captioner.beam.beam_search`.

    Where the bundle has an embedding, `nearness` times a caption's cosine to its picture counts for it, too.
    """

    beam: int = 3
    length_power: float = 0.5
    groups: int = 1
    diversity: float = 0.0
    nearness: float = 0.0


@dataclass(frozen=True)
class Bundle:
    """A captioner in memory; `version` names it in the store, `made_by` says how it came to be.

    `relevance` belongs to `embedding`, see `captioner.types.TextModel`; `activations` are those of `captioner.int8`.
    """

    encoder: EncoderConfig
    encoder_weights: Mapping[str, np.ndarray]
    decoder: DecoderConfig
    decoder_weights: Mapping[str, np.ndarray]
    vocabulary: Vocabulary
    search: SearchConfig
    made_by: Mapping[str, Any]
    embedding: Embedding | None = None
    relevance: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    pooling: Pooling | None = None
    activations: Mapping[str, float] = field(default_factory=dict)
    further_decoders: Sequence[Mapping[str, np.ndarray]] = ()
    version: str = ""

    @property
    def text_model(self) -> TextModel | None:
        """The part that search by words needs, where there is one."""
        if self.embedding is None or "words" not in self.relevance:
            return None
        shared = self.embedding
        embedder = TextEmbedder(shared.config, shared.weights, shared.vocabulary, shared.synonyms)
        model = TextModel(self.version, embedder, self.relevance)
        if SECOND_LOOK not in self.relevance:
            return model
        likelihood = Likelihood(self.decoder, self.decoder_weights, self.vocabulary)
        return model._replace(likelihood=likelihood, sentences=self.embedding.sentences)


def save_bundle(bundle: Bundle, folder: Path, card: Callable[[str], str]) -> None:
    """Write `bundle` beside `folder` and move it into place, so that no half bundle is ever seen.

    `card` makes the model card's text from the model's version.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}-"))
    config = {
        "format": FORMAT,
        "encoder": asdict(bundle.encoder),
        "decoder": asdict(bundle.decoder),
        "search": asdict(bundle.search),
        "made_by": dict(bundle.made_by),
    }
    if bundle.embedding:
        config |= {"embedding": asdict(bundle.embedding.config), "relevance": dict(bundle.relevance)}
        _save_embedding(bundle.embedding, beside)
    if bundle.pooling:
        save_file(quantise(asdict(bundle.pooling)), beside / POOLING)
    if bundle.activations:
        (beside / ACTIVATIONS).write_text(json.dumps(dict(bundle.activations), indent=2) + "\n")
    (beside / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    _save_words(bundle.vocabulary, beside / VOCABULARY)
    save_file(quantise(bundle.encoder_weights), beside / "encoder.safetensors")
    save_file(quantise(bundle.decoder_weights), beside / DECODER)
    if bundle.further_decoders:
        named = {
            f"{place}/{name}": one for place, own in enumerate(bundle.further_decoders) for name, one in own.items()
        }
        save_file(quantise(named), beside / DECODERS_FURTHER)
    models = {path.name for path in beside.iterdir()}
    (beside / CARD).write_text(card(version_of(checksums(beside, models))))
    (beside / CHECKSUMS).write_text(json.dumps(checksums(beside, models | {CARD}), indent=2) + "\n")
    beside.chmod(0o755)
    for path in beside.iterdir():
        path.chmod(0o644)
    if folder.exists():
        shutil.rmtree(folder)
    beside.replace(folder)


def load_bundle(folder: Path) -> Bundle:
    """Read and verify a bundle. Raises BundleError, one line, where it is missing, damaged or does not fit."""
    if not folder.is_dir():
        raise BundleError(f"{folder}: no captioner bundle there; give a folder that `retroflex train` wrote")
    recorded = verify(folder)
    try:
        config = json.loads((folder / "config.json").read_text())
        if config["format"] != FORMAT:
            raise BundleError(f"{folder}: bundle format {config['format']} is not known, this version reads {FORMAT}")
        bundle = Bundle(
            encoder=EncoderConfig(**config["encoder"]),
            encoder_weights=restore(load_file(folder / "encoder.safetensors")),
            decoder=DecoderConfig(**config["decoder"]),
            decoder_weights=restore(load_file(folder / DECODER)),
            further_decoders=_load_further(folder / DECODERS_FURTHER) if DECODERS_FURTHER in recorded else (),
            vocabulary=_load_words(folder / VOCABULARY),
            search=SearchConfig(**config["search"]),
            made_by=config["made_by"],
            embedding=_load_embedding(folder, config, recorded),
            relevance=config.get("relevance", {}),
            pooling=Pooling(**restore(load_file(folder / POOLING))) if POOLING in recorded else None,
            activations=_load_activations(folder / ACTIVATIONS) if ACTIVATIONS in recorded else {},
            version=version_of(recorded),
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise BundleError(f"{folder}: the bundle cannot be read ({error}); {MEND}") from error
    if len(bundle.vocabulary) != bundle.decoder.vocabulary:
        raise BundleError(f"{folder}: vocabulary and decoder do not belong together; {MEND}")
    return bundle


def load_text_model(folder: Path) -> TextModel | None:
    """Read the part of a bundle that search by words needs, and no more; None where it has none. Raises BundleError."""
    if EMBEDDING_TEXT not in recorded_checksums(folder):
        return None
    recorded = verify(folder, ("config.json", EMBEDDING_WORDS, EMBEDDING_TEXT))
    try:
        config = json.loads((folder / "config.json").read_text())
        weights = restore_rows(load_file(folder / EMBEDDING_TEXT), TABLES)
        sizes, words = EmbeddingConfig(**config["embedding"]), _load_words(folder / EMBEDDING_WORDS)
        embedder = TextEmbedder(sizes, weights, words, _load_synonyms(folder, recorded))
        model = TextModel(version_of(recorded), embedder, config["relevance"])
        return _with_second_look(model, folder, config) if SECOND_LOOK in model.relevance else model
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise BundleError(f"{folder}: the bundle cannot be read ({error}); {MEND}") from error


def _with_second_look(model: TextModel, folder: Path, config: Mapping[str, Any]) -> TextModel:
    verify(folder, (VOCABULARY, DECODER, EMBEDDING_SENTENCES))
    weights, words = restore(load_file(folder / DECODER)), _load_words(folder / VOCABULARY)
    likelihood = Likelihood(DecoderConfig(**config["decoder"]), weights, words)
    return model._replace(likelihood=likelihood, sentences=_load_sentences(folder))


def _save_embedding(embedding: Embedding, folder: Path) -> None:
    text = embedding.config.text_shapes()
    for name, belongs in ((EMBEDDING_TEXT, True), (EMBEDDING_PICTURES, False)):
        part = {one: value for one, value in embedding.weights.items() if (one.split("/", 1)[1] in text) == belongs}
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
    known = _load_sentences(folder) if SECOND_LOOK in config["relevance"] else np.zeros((0, 0), np.float32)
    return Embedding(sizes, restore(weights), words, known, _load_synonyms(folder, recorded))


def _load_synonyms(folder: Path, recorded: Mapping[str, str]) -> np.ndarray | None:
    if EMBEDDING_SYNONYMS not in recorded:
        return None
    verify(folder, (EMBEDDING_SYNONYMS,))
    return np.asarray(load_file(folder / EMBEDDING_SYNONYMS)[SYNONYMS])


def _load_sentences(folder: Path) -> np.ndarray:
    return np.ascontiguousarray(restore(load_file(folder / EMBEDDING_SENTENCES))[SENTENCES].T)


def _load_further(path: Path) -> list[dict[str, np.ndarray]]:
    members: dict[str, dict[str, np.ndarray]] = {}
    for named, value in restore(load_file(path)).items():
        place, name = named.split("/", 1)
        members.setdefault(place, {})[name] = value
    return [members[place] for place in sorted(members, key=int)]


def _load_activations(path: Path) -> dict[str, float]:
    return {name: float(largest) for name, largest in dict(json.loads(path.read_text())).items()}


def _save_words(vocabulary: Vocabulary, path: Path) -> None:
    path.write_text(json.dumps(vocabulary.words, ensure_ascii=False, indent=0) + "\n")


def _load_words(path: Path) -> Vocabulary:
    return Vocabulary(json.loads(path.read_text()))
