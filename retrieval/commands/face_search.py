"""`retroflex similar --face`: find pictures of the person in a picture file."""

from __future__ import annotations

from pathlib import Path

from data.errors import PictureError, RetroflexError
from data.paths import display
from data.pictures import read_bytes
from data.text import plural
from retrieval.commands.options import remark
from retrieval.faces.query import stored_face
from retrieval.faces.search import QueryFace, chosen
from retrieval.library import Library


def face_in_file(path: Path, library: Library, number: int) -> QueryFace:
    """Return the `number`th largest face of a picture file; networks run only for files that the library lacks.

    Raises QueryError without such a face, and RetroflexError for a file that is no picture.
    """
    limits, what = library.settings.limits, display(path)
    library.faces.check()
    try:
        content = read_bytes(path, limits)
        stored = stored_face(library.store, library.faces, content, number, what)
        if stored is not None:
            return stored
        from captioner.faces.finder import ShippedFinder
        from retrieval.faces.query import found_in

        finder = ShippedFinder()
        found = found_in(finder, content, limits)
    except PictureError as error:
        raise RetroflexError(f"{what} {error}") from error
    boxes = [face.box for face in found]
    return chosen([face.vector for face in found], boxes, finder.model_version, number, what)


def tell_others(face: QueryFace, path: Path) -> None:
    """Say which other faces the picture has, on standard error."""
    others = [str(number) for number in range(1, len(face.boxes) + 1) if number != face.number]
    if others:
        listed = ", ".join(others) if len(others) <= 3 else f"{others[0]} to {others[-1]}"
        which = "the largest" if face.number == 1 else f"number {face.number}"
        remark(
            f"{display(path)} has {plural(len(face.boxes), 'face')}; searched for {which}; "
            f"--face-number takes the others: {listed}"
        )
