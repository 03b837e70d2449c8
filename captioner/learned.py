"""What was learned for one library, on disk: numbers in safetensors, and a document that says what they belong to."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from data.errors import RetroflexError

VERSION = "model_version"


def version_of(name: str, *parts: str | np.ndarray) -> str:
    """Return a model version: the name, and a hash of the parts."""
    digest = hashlib.sha256(b"".join(one.encode() if isinstance(one, str) else one.tobytes() for one in parts))
    return f"{name}-{digest.hexdigest()[:12]}"


def save_learned(folder: Path, name: str, tensors: Mapping[str, np.ndarray], document: Mapping[str, Any]) -> None:
    """Write NAME.safetensors and NAME.json, replacing what was there. Raise OSError.

    Killed in between, both do not belong together, which the model version in the document tells.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights, config = (folder / f"{name}.{suffix}" for suffix in ("safetensors", "json"))
    beside = [path.with_name(f"{path.name}.tmp") for path in (weights, config)]
    save_file({key: np.ascontiguousarray(value) for key, value in tensors.items()}, beside[0])
    beside[1].write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    for temporary, path in zip(beside, (weights, config), strict=True):
        os.replace(temporary, path)


class Damaged(RetroflexError):
    """The files of something learned cannot be read; the message is a reason."""


def load_learned(folder: Path, name: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the tensors and the document that `save_learned` wrote. Raise Damaged."""
    try:
        document = json.loads((folder / f"{name}.json").read_text("utf-8"))
        tensors = load_file(folder / f"{name}.safetensors")
    except (OSError, ValueError, RecursionError, SafetensorError) as error:
        raise Damaged(str(error)) from error
    if not isinstance(document, dict) or not isinstance(document.get("made_by"), dict):
        raise Damaged("its document lacks how it was made")
    return tensors, document
