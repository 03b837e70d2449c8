"""A captioner at rest: one folder with weights, vocabulary, configuration, model card and checksums.

config.json          sizes, input side, grid layer, beam settings, where it came from
vocabulary.json      the decoder's words
encoder.safetensors  VGG16 kernels (int8 with scales) and biases; one of each where channels are exact twins
decoder.safetensors  the decoder, its matrices int8 with scales too
embedding_*          where there is one: words and encoders of the space shared by pictures and sentences, likewise
README.md            the model card
checksums.json       SHA-256 of every other file
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from captioner.decoder import DecoderConfig
from captioner.embedding import Embedding, EmbeddingConfig, TextEmbedder
from captioner.encoder import EncoderConfig
from captioner.errors import BundleError
from captioner.quantise import quantise, restore
from captioner.twins import double, halve
from captioner.types import TextModel
from captioner.vgg16 import BLOCKS, FIRST
from captioner.vocabulary import Vocabulary

FORMAT = 1
BUNDLED = Path(__file__).parent / "bundled"
CARD = "README.md"
MODEL_FILES = ("config.json", "vocabulary.json", "encoder.safetensors", "decoder.safetensors")
FILES = (*MODEL_FILES, CARD)
EMBEDDING_WORDS, EMBEDDING_TEXT, EMBEDDING_PICTURES = (
    "embedding_words.json",
    "embedding_text.safetensors",
    "embedding_pictures.safetensors",
)
OPTIONAL = (EMBEDDING_WORDS, EMBEDDING_TEXT, EMBEDDING_PICTURES)


@dataclass(frozen=True)
class SearchConfig:
    """How captions are searched for, chosen on dev: see `captioner.beam.beam_search`."""

    beam: int = 3
    length_power: float = 0.5
    groups: int = 1
    diversity: float = 0.0


@dataclass(frozen=True)
class Bundle:
    """A captioner in memory; `version` names it in the store, `made_by` says how it came to be.

    `relevance` belongs to `embedding`, see `captioner.types.TextModel`.
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
    version: str = ""

    @property
    def text_model(self) -> TextModel | None:
        """The part that search by words needs, where there is one."""
        if self.embedding is None:
            return None
        embedder = TextEmbedder(self.embedding.config, self.embedding.weights, self.embedding.vocabulary)
        return TextModel(self.version, embedder, self.relevance)


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
    (beside / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    _save_words(bundle.vocabulary, beside / "vocabulary.json")
    save_file(quantise(halve(bundle.encoder_weights) or bundle.encoder_weights), beside / "encoder.safetensors")
    save_file(quantise(bundle.decoder_weights), beside / "decoder.safetensors")
    models = {path.name for path in beside.iterdir()}
    (beside / CARD).write_text(card(_version(_checksums(beside, models))))
    (beside / "checksums.json").write_text(json.dumps(_checksums(beside, models | {CARD}), indent=2) + "\n")
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
    version = _verify(folder)
    try:
        config = json.loads((folder / "config.json").read_text())
        if config["format"] != FORMAT:
            raise BundleError(f"{folder}: bundle format {config['format']} is not known, this version reads {FORMAT}")
        bundle = Bundle(
            encoder=EncoderConfig(**config["encoder"]),
            encoder_weights=_whole(restore(load_file(folder / "encoder.safetensors"))),
            decoder=DecoderConfig(**config["decoder"]),
            decoder_weights=restore(load_file(folder / "decoder.safetensors")),
            vocabulary=_load_words(folder / "vocabulary.json"),
            search=SearchConfig(**config["search"]),
            made_by=config["made_by"],
            embedding=_load_embedding(folder, config),
            relevance=config.get("relevance", {}),
            version=version,
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise BundleError(f"{folder}: the bundle cannot be read ({error}); {_MEND}") from error
    if len(bundle.vocabulary) != bundle.decoder.vocabulary:
        raise BundleError(f"{folder}: vocabulary and decoder do not belong together; {_MEND}")
    return bundle


def load_text_model(folder: Path) -> TextModel | None:
    """Read the part of a bundle that search by words needs, and no more; None where it has none. Raises BundleError."""
    recorded = _recorded(folder)
    if EMBEDDING_TEXT not in recorded:
        return None
    _check(folder, recorded, ("config.json", EMBEDDING_WORDS, EMBEDDING_TEXT))
    try:
        config = json.loads((folder / "config.json").read_text())
        weights = restore(load_file(folder / EMBEDDING_TEXT))
        sizes, words = EmbeddingConfig(**config["embedding"]), _load_words(folder / EMBEDDING_WORDS)
        return TextModel(_version(recorded), TextEmbedder(sizes, weights, words), config["relevance"])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise BundleError(f"{folder}: the bundle cannot be read ({error}); {_MEND}") from error


def _save_embedding(embedding: Embedding, folder: Path) -> None:
    text = embedding.config.text_shapes()
    for name, belongs in ((EMBEDDING_TEXT, True), (EMBEDDING_PICTURES, False)):
        part = {one: value for one, value in embedding.weights.items() if (one.split("/", 1)[1] in text) == belongs}
        save_file(quantise(part), folder / name)
    _save_words(embedding.vocabulary, folder / EMBEDDING_WORDS)


def _load_embedding(folder: Path, config: Mapping[str, Any]) -> Embedding | None:
    if "embedding" not in config:
        return None
    weights = {**load_file(folder / EMBEDDING_TEXT), **load_file(folder / EMBEDDING_PICTURES)}
    return Embedding(EmbeddingConfig(**config["embedding"]), restore(weights), _load_words(folder / EMBEDDING_WORDS))


def _save_words(vocabulary: Vocabulary, path: Path) -> None:
    path.write_text(json.dumps(vocabulary.words, ensure_ascii=False, indent=0) + "\n")


def _load_words(path: Path) -> Vocabulary:
    return Vocabulary(json.loads(path.read_text()))


def bundle_version(folder: Path) -> str:
    """The name of a bundle's model, from its checksums alone: `vgg16-lstm-` and twelve hex digits.

    The card is left out: a word changed in it does not make another model.
    """
    return _version(_recorded(folder))


def _whole(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """An encoder of twin channels is kept at half its width."""
    first = weights[f"{FIRST}/bias"]
    return double(weights) if len(first) == BLOCKS[0][1] // 2 else weights


_MEND = "restore it from where it came, or train it again"


def _verify(folder: Path) -> str:
    recorded = _recorded(folder)
    _check(folder, recorded, (*FILES, *(name for name in OPTIONAL if name in recorded)))
    return _version(recorded)


def _check(folder: Path, recorded: Mapping[str, str], names: Sequence[str]) -> None:
    try:
        found = _checksums(folder, names)
    except OSError as error:
        raise BundleError(f"{folder}: the bundle cannot be read ({error}); {_MEND}") from error
    damaged = [name for name in names if recorded.get(name) != found[name]]
    if damaged:
        raise BundleError(f"{folder}: {', '.join(damaged)} does not match its checksum; {_MEND}")


def _recorded(folder: Path) -> dict[str, str]:
    try:
        recorded = json.loads((folder / "checksums.json").read_text())
        return {str(name): str(checksum) for name, checksum in recorded.items()}
    except OSError as error:
        raise BundleError(f"{folder}: no checksums.json, so this is no captioner bundle; {_MEND}") from error
    except (ValueError, AttributeError) as error:
        raise BundleError(f"{folder}: checksums.json is damaged; {_MEND}") from error


def _version(checksums: Mapping[str, str]) -> str:
    names = (*MODEL_FILES, *(name for name in OPTIONAL if name in checksums))
    together = "".join(f"{name} {checksums.get(name)}\n" for name in names)
    return f"vgg16-lstm-{hashlib.sha256(together.encode()).hexdigest()[:12]}"


def _checksums(folder: Path, names: Iterable[str]) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
