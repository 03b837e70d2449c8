"""Describe the picture files of a query."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from captioner.bundle import BUNDLED
from captioner.checksums import bundle_version
from captioner.types import Description
from data.errors import RetroflexError
from data.limits import Limits
from data.paths import display
from data.pictures import PictureError, read_bytes, read_square
from data.settings import Settings
from retrieval.library import Library


def describe_files(paths: Sequence[Path], library: Library) -> list[Description]:
    """Describe picture files; only those that the library has not described are captioned, all of them at once.

    Raises RetroflexError with the name of the first file that is no good picture, and the reason.
    """
    version = bundle_version(library.settings.bundle or BUNDLED)
    found = {path: library.description_of(_content(path, library.settings.limits), version) for path in paths}
    unknown = [path for path, known in found.items() if known is None]
    new = dict(zip(unknown, _captioned(unknown, library.settings), strict=True)) if unknown else {}
    return [found[path] or new[path] for path in paths]


def _captioned(paths: Sequence[Path], settings: Settings) -> list[Description]:
    from captioner.captioner import Captioner  # heavy, and not needed for pictures of the library

    captioner = Captioner.load(settings.bundle, few=True)
    return captioner.describe(np.stack([_square(path, captioner.input_side, settings.limits) for path in paths]))


def _content(path: Path, limits: Limits) -> bytes:
    try:
        return read_bytes(path, limits)
    except PictureError as error:
        raise RetroflexError(f"{display(path)} {error}") from error


def _square(path: Path, side: int, limits: Limits) -> np.ndarray:
    try:
        return read_square(path, side, limits)
    except PictureError as error:
        raise RetroflexError(f"{display(path)} {error}") from error
