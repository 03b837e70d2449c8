"""What is told of one picture beyond the store: its folder, what its camera wrote, and its copies."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from data.exif import Exif, read_exif
from data.facts import folder_of
from data.paths import clean_text
from data.pictures import PictureError
from data.roots import folder_id
from data.store import StoredPicture
from retrieval.copies.copies import near_copies
from retrieval.library import Library
from webui.api.listed import as_hit
from webui.media.originals import read_original
from webui.problems import Problem

MOST_NEAR = 50


def details(picture: StoredPicture, library: Library) -> dict[str, Any]:
    """Return `folder`, `exif` and `copies` of a picture; a file that is gone has no EXIF facts. Raises StoreError."""
    return {
        "folder": _folder(picture),
        "exif": asdict(_exif(picture, library)),
        "copies": {"exact": picture.shown_paths[1:], "near": _near(picture, library)},
    }


def _folder(picture: StoredPicture) -> dict[str, str] | None:
    if not picture.paths:
        return None
    folder = folder_of(picture.paths[0])
    return {"id": folder_id(folder), "path": clean_text(folder)}


def _exif(picture: StoredPicture, library: Library) -> Exif:
    limits = library.settings.limits
    try:
        return read_exif(read_original(picture, limits), limits)
    except (Problem, PictureError):  # moved, or over caps that were lowered since
        return Exif()


def _near(picture: StoredPicture, library: Library) -> list[dict[str, Any]]:
    near = dict(near_copies(library.searcher().index, library.model, picture.id, MOST_NEAR))
    pictures = library.store.pictures(list(near))
    return [as_hit(other) | {"cosine": near[number]} for number, other in pictures.items()]
