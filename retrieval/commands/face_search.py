"""`retroflex similar --face`: find pictures of the person in a picture file or film."""

from __future__ import annotations

from pathlib import Path

from data.errors import PictureError, RetroflexError
from data.films.decoding import film_hash
from data.films.kinds import is_film_to_search
from data.paths import display
from data.pictures import read_bytes
from data.records import content_hash
from data.text import plural
from retrieval.commands.options import remark
from retrieval.commands.progress import counting
from retrieval.faces.query import stored_face
from retrieval.faces.search import QueryFace, chosen
from retrieval.library import Library


def face_in_file(path: Path, library: Library, number: int) -> QueryFace:
    """Return the `number`th largest face of a picture file or film; networks run only for those that the library lacks.

    Raises QueryError without such a face, and RetroflexError for a file that is neither.
    """
    limits, what = library.settings.limits, display(path)
    library.faces.check()
    try:
        film = is_film_to_search(path)
        content = b"" if film else read_bytes(path, limits)
        digest = film_hash(path) if film else content_hash(content)
        stored = stored_face(library.store, library.faces, digest, number, what)
        if stored is not None:
            return stored
        from captioner.faces.finder import ShippedFinder
        from retrieval.faces.query import found_in, found_in_film

        finder = ShippedFinder()
        with counting("faces", hidden=False) as show:
            found = (
                found_in_film(finder.find, path, limits, progress=show)
                if film
                else found_in(finder.find, content, limits)
            )
    except PictureError as error:
        raise RetroflexError(f"{what} {error}") from error
    return chosen(found, finder.model_version, number, what)


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
