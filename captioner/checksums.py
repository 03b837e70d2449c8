"""The files of a bundle and their checksums: damage is noticed, and the checksums name the model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from captioner.errors import BundleError

CARD = "README.md"
VOCABULARY, DECODER = "vocabulary.json", "decoder.safetensors"
MODEL_FILES = ("config.json", VOCABULARY, "encoder.safetensors", DECODER)
FILES = (*MODEL_FILES, CARD)
EMBEDDING_WORDS, EMBEDDING_TEXT, EMBEDDING_PICTURES, EMBEDDING_SENTENCES = (
    "embedding_words.json",
    "embedding_text.safetensors",
    "embedding_pictures.safetensors",
    "embedding_sentences.safetensors",
)
EMBEDDING_SYNONYMS = "embedding_synonyms.safetensors"
POOLING, DECODERS_FURTHER = "pooling.safetensors", "decoders_further.safetensors"
ACTIVATIONS = "activations.json"
OPTIONAL = (
    EMBEDDING_WORDS,
    EMBEDDING_TEXT,
    EMBEDDING_PICTURES,
    EMBEDDING_SENTENCES,
    EMBEDDING_SYNONYMS,
    POOLING,
    ACTIVATIONS,
    DECODERS_FURTHER,
)
"""Part of the model where the checksums name them; older bundles lack them."""
CHECKSUMS = "checksums.json"
MEND = "restore it from where it came, or train it again"


def bundle_version(folder: Path) -> str:
    """The name of a bundle's model, from its checksums alone: `vgg16-lstm-` and twelve hex digits.

    The card is left out: a word changed in it does not make another model.
    """
    return version_of(recorded_checksums(folder))


def verify(folder: Path, names: Sequence[str] = ()) -> dict[str, str]:
    """Check `names`, by default all files, against their checksums, which are returned. Raises BundleError."""
    recorded = recorded_checksums(folder)
    names = names or (*FILES, *(name for name in OPTIONAL if name in recorded))
    try:
        found = checksums(folder, names)
    except OSError as error:
        raise BundleError(f"{folder}: the bundle cannot be read ({error}); {MEND}") from error
    damaged = [name for name in names if recorded.get(name) != found[name]]
    if damaged:
        raise BundleError(f"{folder}: {', '.join(damaged)} does not match its checksum; {MEND}")
    return recorded


def recorded_checksums(folder: Path) -> dict[str, str]:
    """Read the checksum of each file, hexadecimal SHA-256. Raises BundleError."""
    try:
        recorded = json.loads((folder / CHECKSUMS).read_text())
        return {str(name): str(checksum) for name, checksum in recorded.items()}
    except OSError as error:
        raise BundleError(f"{folder}: no {CHECKSUMS}, so this is no captioner bundle; {MEND}") from error
    except (ValueError, AttributeError) as error:
        raise BundleError(f"{folder}: {CHECKSUMS} is damaged; {MEND}") from error


def version_of(recorded: Mapping[str, str]) -> str:
    """The name of the model whose files have these checksums."""
    names = (*MODEL_FILES, *(name for name in OPTIONAL if name in recorded))
    together = "".join(f"{name} {recorded.get(name)}\n" for name in names)
    return f"vgg16-lstm-{hashlib.sha256(together.encode()).hexdigest()[:12]}"


def checksums(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Compute the checksum of each file. Raises OSError."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
