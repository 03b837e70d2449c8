"""Describe the picture files of a query."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from captioner.bundle import BUNDLED
from captioner.checksums import bundle_version
from captioner.types import Describer, Description
from data.errors import PictureError, RetroflexError
from data.films.decoding import film_hash, read_film
from data.films.kinds import is_film_to_search
from data.films.orders import FilmOrder
from data.films.sampling import spread
from data.limits import Limits
from data.paths import display
from data.pictures import read_bytes
from data.records import content_hash
from retrieval.library import Library
from retrieval.search.query import QUERY_FRAMES, QueryFilm, QueryImage


def query_images(
    files: Sequence[tuple[Path, float]], library: Library, by: str | None = None
) -> list[QueryImage | QueryFilm]:
    """Return the picture files and films of a query, each with its weight, described as `describe_files` does."""
    pictures = [path for path, _ in files if not is_film_to_search(path)]
    described = dict(zip(pictures, describe_files(pictures, library, by) if pictures else [], strict=True))
    return [
        QueryImage(described[path], weight)
        if path in described
        else QueryFilm(describe_film(path, library, by), weight)
        for path, weight in files
    ]


def describe_film(path: Path, library: Library, by: str | None = None) -> list[Description]:
    """Describe up to QUERY_FRAMES frames of a film; those of a film that the library has described are read there.

    Raises QueryError for a kind that the library does not have, and RetroflexError where the film cannot be read.
    """
    if by is not None:
        library.searcher().check_kind(by)
    settings = library.settings
    try:
        digest = film_hash(path)
        stored = library.film_frames_of(digest, bundle_version(settings.bundle or BUNDLED))
        if stored and (by is None or any(np.any(frame.vectors.get(by, 0)) for frame in stored)):
            return stored
        describer = _describer(library, by)
        found = read_film(path, FilmOrder(describer.input_side), settings.limits)
    except PictureError as error:
        raise RetroflexError(f"{display(path)} {error}") from error
    assert found.squares is not None
    return describer.describe(found.squares[spread(len(found.squares), QUERY_FRAMES)])


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
    from captioner.pipeline import describe_now, read_files

    settings, describer = library.settings, _describer(library, by)
    read = partial(read_files, side=describer.input_side, limits=settings.limits)
    described = describe_now(paths, read, describer)
    for file, description in described:
        if description is None:
            raise RetroflexError(f"{display(file.path)} {file.problem}")
    return [description for _, description in described if description is not None]


def _describer(library: Library, by: str | None) -> Describer:
    # Slow to import, and not needed for pictures of the library.
    from captioner.captioner import Captioner

    if by is not None and by not in library.model.kinds:
        return library.further_describer(by)
    return Captioner.load(library.settings.bundle)


def _digest(path: Path, limits: Limits) -> str:
    try:
        return content_hash(read_bytes(path, limits))
    except PictureError as error:
        raise RetroflexError(f"{display(path)} {error}") from error
