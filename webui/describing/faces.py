"""The face finder of the server, for uploaded pictures and films; loaded when it is first needed."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from threading import BoundedSemaphore, Lock

import numpy as np

from captioner.faces.base import LONGEST, FaceFinder, FoundFace
from data.decoding.orders import Order
from data.decoding.pool import DECODERS, PATIENCE
from data.errors import RetroflexError
from data.films.decoding import film_file, read_film
from data.films.kinds import is_film_content
from data.films.orders import FilmOrder
from data.limits import Limits
from data.records import content_hash
from retrieval.faces.query import faces_in, found_in_film
from retrieval.faces.search import FacesIn, QueryFace, chosen
from webui.describing.describer import FILM_SECONDS, PREVIEW, data_address
from webui.describing.recent import Recent
from webui.problems import RETRY_AFTER, Problem

FILMS_AT_ONCE = 2
"""Films that are searched for faces, or wait for it; further ones are refused: each takes many seconds."""
MAX_REMEMBERED = 16
"""Films whose faces are kept in memory, so that the next face or page of hits does not search the film again."""


def load_shipped() -> FaceFinder:
    """Load the face finder that ships. Raises RetroflexError where packages are missing."""
    from captioner.faces.finder import ShippedFinder

    return ShippedFinder()


class UploadedFaces:
    """Finds faces in uploaded pictures and films, in one picture or frame at a time; safe for threads."""

    def __init__(self, limits: Limits) -> None:
        self._limits, self._turn = limits, Lock()
        self._films = BoundedSemaphore(FILMS_AT_ONCE)
        self._loaded: FaceFinder | None = None
        self._recent: Recent[str, FacesIn] = Recent(MAX_REMEMBERED)

    def find(self, content: bytes, number: int) -> tuple[QueryFace, str]:
        """Return the `number`th largest face of a picture file's or film's bytes.

        With it comes a small WebP of the picture, or of the frame that it is in, as a data: address. Raises QueryError
        without such a face, a PictureError, or Problem 503 where faces cannot be found here, 429 when too many films
        are searched.
        """
        if is_film_content(content):
            return self._find_in_film(content, number)
        decoded = DECODERS.decode(content, Order(within=LONGEST, webp=PREVIEW), self._limits)
        assert decoded.pixels is not None
        faces = faces_in(self._in_frame(decoded.pixels))
        return chosen(faces, self._finder().model_version, number, "the picture"), data_address(decoded.webp)

    def _find_in_film(self, content: bytes, number: int) -> tuple[QueryFace, str]:
        finder, digest = self._finder(), content_hash(content)
        with film_file(content) as path:
            known = self._recent.get(digest)
            if known is None:
                if not self._films.acquire(blocking=False):
                    raise Problem(
                        HTTPStatus.TOO_MANY_REQUESTS, "other films are being searched for faces; try again", RETRY_AFTER
                    )
                try:
                    known = found_in_film(self._in_frame, path, self._limits, PATIENCE, FILM_SECONDS)
                finally:
                    self._films.release()
                self._recent.put(digest, known)
            face = chosen(known, finder.model_version, number, "the film")
            shown = FilmOrder(times=(face.time or 0.0,), webp=PREVIEW)
            return face, data_address(read_film(path, shown, self._limits, PATIENCE, FILM_SECONDS).webp)

    def _in_frame(self, pixels: np.ndarray) -> Sequence[FoundFace]:
        finder = self._finder()
        with self._turn:
            return finder.find(pixels)

    def _finder(self) -> FaceFinder:
        with self._turn:
            if self._loaded is None:
                try:
                    self._loaded = load_shipped()
                except RetroflexError as error:
                    raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
            return self._loaded
