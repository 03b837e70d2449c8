"""Describe the picture files of a query."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

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
    further = by is not None and by not in library.model.kinds
    describer = library.further_describer(str(by)) if further else Captioner.load(settings.bundle)
    read = partial(read_files, side=describer.input_side, limits=settings.limits)
    described = describe_now(paths, read, describer)
    for file, description in described:
        if description is None:
            raise RetroflexError(f"{display(file.path)} {file.problem}")
    return [description for _, description in described if description is not None]


def _digest(path: Path, limits: Limits) -> str:
    try:
        return content_hash(read_bytes(path, limits))
    except PictureError as error:
        raise RetroflexError(f"{display(path)} {error}") from error
