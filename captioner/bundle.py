"""A captioner at rest: one folder with weights, vocabulary, configuration, model card and checksums.

config.json          sizes, input side, grid layer, beam settings, where it came from
vocabulary.json      the decoder's words
encoder.safetensors  VGG16 kernels (int8 with scales) and biases; one of each where channels are exact twins
decoder.safetensors  the decoder, its matrices int8 with scales too
pooling.safetensors  how a grid becomes a vector, likewise; where it is missing, the plain mean
README.md            the model card
checksums.json       SHA-256 of every other file
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from captioner.decoder import DecoderConfig
from captioner.encoder import EncoderConfig
from captioner.errors import BundleError
from captioner.pooling import Pooling
from captioner.quantise import quantise, restore
from captioner.twins import double, halve
from captioner.vgg16 import BLOCKS, FIRST
from captioner.vocabulary import Vocabulary

FORMAT = 1
BUNDLED = Path(__file__).parent / "bundled"
CARD = "README.md"
MODEL_FILES = ("config.json", "vocabulary.json", "encoder.safetensors", "decoder.safetensors")
FILES = (*MODEL_FILES, CARD)
POOLING = "pooling.safetensors"
OPTIONAL_FILES = (POOLING,)
"""Part of the model where the checksums name them; older bundles lack them."""


@dataclass(frozen=True)
class SearchConfig:
    """How captions are searched for, chosen on dev: see `captioner.beam.beam_search`."""

    beam: int = 3
    length_power: float = 0.5
    groups: int = 1
    diversity: float = 0.0


@dataclass(frozen=True)
class Bundle:
    """A captioner in memory; `version` names it in the store, `made_by` says how it came to be."""

    encoder: EncoderConfig
    encoder_weights: Mapping[str, np.ndarray]
    decoder: DecoderConfig
    decoder_weights: Mapping[str, np.ndarray]
    vocabulary: Vocabulary
    search: SearchConfig
    made_by: Mapping[str, Any]
    version: str = ""
    pooling: Pooling | None = None


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
    parts = (POOLING,) if bundle.pooling else ()
    (beside / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    (beside / "vocabulary.json").write_text(json.dumps(bundle.vocabulary.words, ensure_ascii=False, indent=0) + "\n")
    save_file(quantise(halve(bundle.encoder_weights) or bundle.encoder_weights), beside / "encoder.safetensors")
    save_file(quantise(bundle.decoder_weights), beside / "decoder.safetensors")
    if bundle.pooling:
        save_file(quantise(asdict(bundle.pooling)), beside / POOLING)
    (beside / CARD).write_text(card(_version(_checksums(beside, (*MODEL_FILES, *parts)))))
    (beside / "checksums.json").write_text(json.dumps(_checksums(beside, (*FILES, *parts)), indent=2) + "\n")
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
    recorded = _verify(folder)
    try:
        config = json.loads((folder / "config.json").read_text())
        if config["format"] != FORMAT:
            raise BundleError(f"{folder}: bundle format {config['format']} is not known, this version reads {FORMAT}")
        bundle = Bundle(
            encoder=EncoderConfig(**config["encoder"]),
            encoder_weights=_whole(restore(load_file(folder / "encoder.safetensors"))),
            decoder=DecoderConfig(**config["decoder"]),
            decoder_weights=restore(load_file(folder / "decoder.safetensors")),
            vocabulary=Vocabulary(json.loads((folder / "vocabulary.json").read_text())),
            search=SearchConfig(**config["search"]),
            made_by=config["made_by"],
            version=_version(recorded),
            pooling=Pooling(**restore(load_file(folder / POOLING))) if POOLING in recorded else None,
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise BundleError(f"{folder}: the bundle cannot be read ({error}); {_MEND}") from error
    if len(bundle.vocabulary) != bundle.decoder.vocabulary:
        raise BundleError(f"{folder}: vocabulary and decoder do not belong together; {_MEND}")
    return bundle


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


def _verify(folder: Path) -> dict[str, str]:
    recorded = _recorded(folder)
    files = [*FILES, *(name for name in OPTIONAL_FILES if name in recorded)]
    try:
        found = _checksums(folder, files)
    except OSError as error:
        raise BundleError(f"{folder}: the bundle cannot be read ({error}); {_MEND}") from error
    damaged = [name for name in files if recorded.get(name) != found[name]]
    if damaged:
        raise BundleError(f"{folder}: {', '.join(damaged)} does not match its checksum; {_MEND}")
    return recorded


def _recorded(folder: Path) -> dict[str, str]:
    try:
        recorded = json.loads((folder / "checksums.json").read_text())
        return {str(name): str(checksum) for name, checksum in recorded.items()}
    except OSError as error:
        raise BundleError(f"{folder}: no checksums.json, so this is no captioner bundle; {_MEND}") from error
    except (ValueError, AttributeError) as error:
        raise BundleError(f"{folder}: checksums.json is damaged; {_MEND}") from error


def _version(checksums: Mapping[str, str]) -> str:
    names = [*MODEL_FILES, *(name for name in OPTIONAL_FILES if name in checksums)]
    together = "".join(f"{name} {checksums.get(name)}\n" for name in names)
    return f"vgg16-lstm-{hashlib.sha256(together.encode()).hexdigest()[:12]}"


def _checksums(folder: Path, names: Sequence[str]) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
