"""The captioner of the server: loaded in the background, used by one request at a time."""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import NamedTuple

import numpy as np

from captioner.pipeline import describe_now
from captioner.reading import Reading
from captioner.types import Describer, Description, KindDescriber
from data.decoding.orders import Order, Part, Webp
from data.decoding.pool import PATIENCE, Decoders
from data.errors import RetroflexError
from data.films.decoding import film_file, read_film
from data.films.kinds import is_film_content
from data.films.orders import FilmOrder
from data.films.sampling import spread
from data.limits import Limits
from data.records import content_hash
from retrieval.library import Library
from retrieval.search.query import QUERY_FRAMES, QueryFilm, QueryImage
from webui.describing.recent import Recent
from webui.problems import RETRY_AFTER, Problem

MAX_PENDING = 16
"""Pictures that may be in work or wait at once, fewer than the server has threads; further ones are refused."""

MAX_REMEMBERED = 64
"""Described pictures kept in memory, so that the next page of hits does not run the model again."""

PREVIEW = Webp(384, 384, quality=80, method=2)
"""Twice the size on the page; this effort takes half the time of the default, for three percent more bytes."""

FILM_SECONDS = 15.0
"""Processor time to sample an uploaded film of small frames; it is left as far as it was read."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Described:
    """The descriptions of a query picture (one), or of a film's frames; a small WebP of it as a data: address."""

    descriptions: Sequence[Description]
    preview: str
    is_film: bool = False

    @property
    def image(self) -> QueryImage | QueryFilm:
        """It as part of a query."""
        return QueryFilm(self.descriptions) if self.is_film else QueryImage(self.descriptions[0])


class Squares(NamedTuple):
    """What is described of an upload: uint8 (n, side, side, 3); and a small WebP of it."""

    pixels: np.ndarray
    webp: bytes
    is_film: bool = False


class UploadDescriber:
    """Describes uploaded pictures and films, with one model in memory and a bounded queue."""

    def __init__(
        self,
        loader: Callable[[], Describer],
        decoders: Decoders,
        limits: Limits,
        describing: Callable[[], AbstractContextManager[object]],
        stored: Callable[[str, str], Sequence[Description]] = lambda digest, version: (),
    ) -> None:
        """`loader` runs in a thread of its own once `start` is called; each picture is described within `describing`.

        `stored` returns the library's descriptions of the picture or film of a digest by a model version, or none.
        """
        self._stored = stored
        self._loader = loader
        self._decoders = decoders
        self._limits = limits
        self._describing = describing
        self._captioner: Describer | None = None
        self._failure: str | None = None
        self._pending = threading.BoundedSemaphore(MAX_PENDING)
        self._model_lock = threading.Lock()
        self._recent: Recent[tuple[str, str], Described] = Recent(MAX_REMEMBERED)

    def start(self) -> None:
        """Start loading the captioner; return at once."""
        threading.Thread(target=self._load, name="captioner-loader", daemon=True).start()

    def captioner(self) -> Describer:
        """Return the loaded captioner. Raises Problem 503 while it loads or if loading failed."""
        if self._captioner is not None:
            return self._captioner
        if self._failure is not None:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, f"search by picture is off: {self._failure}")
        raise Problem(
            HTTPStatus.SERVICE_UNAVAILABLE, "the captioner is still loading; search by words works, try again shortly"
        )

    def describe(self, content: bytes, further: KindDescriber | None = None, part: Part | None = None) -> Described:
        """Describe the bytes of a picture, of a part of it, or of a film, also by a further encoder if one is given.

        Raises PictureError, Problem 503 if not loaded, or 429 if busy.
        """
        captioner = self.captioner()
        key = content_hash(content) + (f" {part}" if part else "")
        known = (
            self._recent.get((key, captioner.model_version))
            if part
            else self._stored_or_remembered(content, key, captioner)
        )
        described = known or self._made(captioner, content, key, part)
        if further is None or any(np.any(one.vectors.get(further.kind, 0)) for one in described.descriptions):
            return described
        added = self._recent.get((key, further.model_version)) or self._made(further, content, key, part)
        if described.is_film:
            return added  # the library may have other frames of it
        (own,), (other,) = described.descriptions, added.descriptions
        return replace(described, descriptions=[replace(own, vectors={**own.vectors, **other.vectors})])

    def _made(self, captioner: Describer, content: bytes, key: str, part: Part | None) -> Described:
        """Return a new description by the captioner, or another describer; it is remembered."""
        if not self._pending.acquire(blocking=False):
            raise Problem(
                HTTPStatus.TOO_MANY_REQUESTS, "the captioner is busy with other pictures; try again", RETRY_AFTER
            )
        try:
            with self._describing():
                described = self._describe(captioner, content, part)
        finally:
            self._pending.release()
        self._recent.put((key, captioner.model_version), described)
        return described

    def _load(self) -> None:
        try:
            self._captioner = self._loader()
        except RetroflexError as error:
            self._failure = str(error)
        except Exception:  # Text search must work whatever a deep-learning library raises.
            self._failure = "the captioner could not be loaded; the server's log says why"
            _log.exception("the captioner could not be loaded")

    def _describe(self, captioner: Describer, content: bytes, part: Part | None) -> Described:
        squares = self._squares(captioner.input_side, content, part)
        with self._model_lock:
            described = describe_now(list(squares.pixels), _read, captioner)
        found = [description for _, description in described if description is not None]
        return Described(found, data_address(squares.webp), squares.is_film)

    def _stored_or_remembered(self, content: bytes, key: str, captioner: Describer) -> Described | None:
        """Return what needs no captioner: what is in the library, with a person's caption, or a recent upload."""
        stored = self._stored(key, captioner.model_version)
        if not stored:
            return self._recent.get((key, captioner.model_version))
        squares = self._squares(captioner.input_side, content)
        return Described(stored, data_address(squares.webp), squares.is_film)

    def _squares(self, side: int, content: bytes, part: Part | None = None) -> Squares:
        """Decode an upload; of what moves a part is that of its first frame."""
        if part is None and is_film_content(content):
            return self._film(side, content)
        decoded = self._decoders.decode(content, Order(side, PREVIEW, part=part), self._limits)
        assert decoded.square is not None
        return Squares(decoded.square[None], decoded.webp)

    def _film(self, side: int, content: bytes) -> Squares:
        """Return up to QUERY_FRAMES frames of a film; the one in the middle is its small picture."""
        with film_file(content) as path:
            found = read_film(path, FilmOrder(side), self._limits, PATIENCE, FILM_SECONDS)
            assert found.squares is not None
            shown = FilmOrder(times=(found.times[len(found.times) // 2],), webp=PREVIEW)
            webp = read_film(path, shown, self._limits, PATIENCE, FILM_SECONDS).webp
        return Squares(found.squares[spread(len(found.times), QUERY_FRAMES)], webp, is_film=True)


def _read(squares: Sequence[np.ndarray]) -> list[Reading[None]]:
    return [Reading(None, square) for square in squares]


def stored_descriptions(library: Library, digest: str, model_version: str) -> list[Description]:
    """Return what a model version stored of a film's frames, or of a picture, as one; none of what it did not."""
    picture = library.description_of(digest, model_version)
    return library.film_frames_of(digest, model_version) or ([] if picture is None else [picture])


def data_address(webp: bytes) -> str:
    """Return a WebP as a data: address."""
    return "data:image/webp;base64," + base64.b64encode(webp).decode("ascii")
