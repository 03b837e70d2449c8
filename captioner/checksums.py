"""The files of a bundle and their checksums, which reveal damage and name the model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from captioner.errors import BundleError

CARD = "README.md"
CONFIG, VOCABULARY = "config.json", "vocabulary.json"
ENCODER, DECODER = "encoder.safetensors", "decoder.safetensors"
MODEL_FILES = (CONFIG, VOCABULARY, ENCODER, DECODER)
FILES = (*MODEL_FILES, CARD)
EMBEDDING_WORDS, EMBEDDING_TEXT, EMBEDDING_PICTURES, EMBEDDING_SENTENCES = (
    "embedding_words.json",
    "embedding_text.safetensors",
    "embedding_pictures.safetensors",
    "embedding_sentences.safetensors",
)
EMBEDDING_SYNONYMS = "embedding_synonyms.safetensors"
POOLING, ALIKE = "pooling.safetensors", "alike.safetensors"
DECODERS_FURTHER = "decoders_further.safetensors"
ACTIVATIONS, CALIBRATION = "activations.json", "calibration.json"
OPTIONAL = (
    EMBEDDING_WORDS,
    EMBEDDING_TEXT,
    EMBEDDING_PICTURES,
    EMBEDDING_SENTENCES,
    EMBEDDING_SYNONYMS,
    POOLING,
    ALIKE,
    ACTIVATIONS,
    DECODERS_FURTHER,
)
"""Files that are part of the model if the checksums name them."""
CHECKSUMS = "checksums.json"
RESTORE_HINT = "restore it from its source, or train it again"


def bundle_version(folder: Path) -> str:
    """Return the name of a bundle's model. Raises BundleError."""
    recorded = recorded_checksums(folder)
    if CALIBRATION not in recorded:  # format 1
        return version_of(recorded)
    try:
        return str(json.loads((folder / CONFIG).read_text())["model_version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{folder}: {CONFIG} is damaged; {RESTORE_HINT}") from error


def verify(folder: Path, names: Sequence[str] = ()) -> dict[str, str]:
    """Check `names`, by default all files, against their checksums; return all checksums. Raises BundleError."""
    recorded = recorded_checksums(folder)
    names = names or (*FILES, *(name for name in (*OPTIONAL, CALIBRATION) if name in recorded))
    try:
        actual = checksums(folder, names)
    except OSError as error:
        raise BundleError(f"{folder}: the bundle cannot be read ({error}); {RESTORE_HINT}") from error
    damaged = [name for name in names if recorded.get(name) != actual[name]]
    if damaged:
        raise BundleError(f"{folder}: {', '.join(damaged)} does not match its checksum; {RESTORE_HINT}")
    return recorded


def recorded_checksums(folder: Path) -> dict[str, str]:
    """Read the checksum of each file, hexadecimal SHA-256. Raises BundleError."""
    try:
        recorded = json.loads((folder / CHECKSUMS).read_text())
        return {str(name): str(checksum) for name, checksum in recorded.items()}
    except OSError as error:
        raise BundleError(f"{folder}: no {CHECKSUMS}, so this is no captioner bundle; {RESTORE_HINT}") from error
    except (ValueError, AttributeError) as error:
        raise BundleError(f"{folder}: {CHECKSUMS} is damaged; {RESTORE_HINT}") from error


def version_of(recorded: Mapping[str, str], encoder: str = "vgg16") -> str:
    """Return the name of the model whose files have these checksums: the encoder's, and twelve hex digits.

    Card and calibration are left out, as they do not change what the model returns for a picture.
    """
    names = (*MODEL_FILES, *(name for name in OPTIONAL if name in recorded))
    together = "".join(f"{name} {recorded.get(name)}\n" for name in names)
    return f"{encoder}-lstm-{hashlib.sha256(together.encode()).hexdigest()[:12]}"


def checksums(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Compute the checksum of each file. Raises OSError."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
