"""Describe the picture files of a query."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from captioner.bundle import BUNDLED
from captioner.checksums import bundle_version
from captioner.types import Description
from data.errors import PictureError, RetroflexError
from data.limits import Limits
from data.paths import display
from data.pictures import read_bytes
from data.records import content_hash
from retrieval.library import Library

if TYPE_CHECKING:
    from captioner.pipeline import VectorDescriber


def describe_files(paths: Sequence[Path], library: Library, by: str | None = None) -> list[Description]:
    """Describe picture files; the model runs once, and only for files that the library has not described.

    With `by`, a kind of vectors of a further encoder, that encoder is used. Raises QueryError for a kind that the
    library does not have, and RetroflexError with the first file that cannot be read as a picture, and the reason.
    """
    if by is not None:
        library.searcher().check_kind(by)
    settings = library.settings
    version = bundle_version(settings.bundle or BUNDLED)
    stored = {path: library.description_of(_digest(path, settings.limits), version) for path in paths}
    unknown = [
        path
        for path, description in stored.items()
        if description is None or (by is not None and not np.any(description.vectors.get(by, 0)))
    ]
    new = dict(zip(unknown, _described(unknown, library, by), strict=True)) if unknown else {}
    return [new.get(path) or cast(Description, stored[path]) for path in paths]


def _described(paths: Sequence[Path], library: Library, by: str | None) -> list[Description]:
    # Slow to import, and not needed for pictures of the library.
    from captioner.captioner import Captioner
    from captioner.pipeline import describe_now, read_files

    settings = library.settings
    further = by is not None and by != library.model.encoder
    describer = _further(str(by), library) if further else Captioner.load(settings.bundle)
    read = partial(read_files, side=describer.input_side, limits=settings.limits)
    described = describe_now(paths, read, describer)
    for file, description in described:
        if description is None:
            raise RetroflexError(f"{display(file.path)} {file.problem}")
    return [description for _, description in described if description is not None]


def _further(name: str, library: Library) -> VectorDescriber:
    """Return the describer that made the library's vectors of this kind. Raises RetroflexError if it is another."""
    from captioner.encoders.registry import build_further
    from captioner.pipeline import VectorDescriber

    describer = VectorDescriber(build_further(name))
    stored = library.searcher().index.models[name]
    if describer.model_version != stored:
        raise RetroflexError(
            f"the library's {name} vectors were made by {stored}, and this is {describer.model_version}; "
            f"to compare with them, run: retroflex index --features {name}"
        )
    return describer


def _digest(path: Path, limits: Limits) -> str:
    try:
        return content_hash(read_bytes(path, limits))
    except PictureError as error:
        raise RetroflexError(f"{display(path)} {error}") from error
