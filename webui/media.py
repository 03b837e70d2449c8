"""Pictures as files: the stored file itself, and smaller ones of it, made once and kept by content hash."""

from __future__ import annotations

import logging
import os
import stat
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from pathlib import Path

from data import pictures
from data.decoding.orders import Order, Webp
from data.decoding.pool import DECODERS, PATIENCE, DecoderUnavailable
from data.errors import PictureError
from data.exif import Exif
from data.films.decoding import read_film
from data.films.orders import FilmOrder
from data.films.reads import FilmFile
from data.limits import Limits
from data.paths import from_bytes
from data.records import content_hash
from data.store import StoredPicture
from webui.problems import Problem

GONE = "the picture's file was moved, changed or deleted; run `retroflex index` again"


def read_original(picture: StoredPicture, limits: Limits) -> bytes:
    """Return the bytes of the first of the picture's files that still holds what was indexed.

    As the content hash is checked, only bytes that were indexed as a picture ever leave the server, whatever is at the
    path now. Raise Problem 410.
    """
    for path in picture.paths:
        try:
            content = pictures.read_bytes(from_bytes(path), limits)
        except PictureError:
            continue
        if content_hash(content) == picture.digest:
            return content
    raise Problem(HTTPStatus.GONE, GONE)


def film_path(indexed: Sequence[FilmFile]) -> Path:
    """Return the path of the first of a film's files that has the size and time of change that were indexed.

    A film is too large to be hashed for each part that is played. Raise Problem 410.
    """
    for file in indexed:
        path = from_bytes(file.path)
        with suppress(OSError):
            status = path.stat()
            if stat.S_ISREG(status.st_mode) and (status.st_size, status.st_mtime_ns) == (file.size, file.mtime_ns):
                return path
    raise Problem(HTTPStatus.GONE, GONE)


SIDE = 320
"""Length in pixels of a thumbnail's shorter side; the page crops the longer one."""

LONGEST = 3 * SIDE
THUMBNAIL = Webp(SIDE, LONGEST, quality=82)
PREVIEWS = {side: Webp(side, side, quality=80) for side in (800, 1280, 2560)}
"""What one picture is shown by, by its longer side in pixels; the file itself is for zoom and download."""
PREVIEW = 1280
"""The side for who does not choose one."""
AT_ONCE = 2
"""Picture files in memory at the same time: a file may have 200 MB."""

_log = logging.getLogger(__name__)


class Thumbnails:
    """A folder of small WebP files; safe to use from several threads and processes."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        """The folder is made with the first file."""
        self._folder = folder
        self._limits = limits
        self._free = threading.BoundedSemaphore(AT_ONCE)

    def get(self, picture: StoredPicture, webp: Webp = THUMBNAIL) -> bytes:
        """Return the thumbnail or preview, made now where there is none yet.

        Raise Problem 410 when it has to be made and the picture's file is gone, or a PictureError.
        """
        path = self._path(picture, webp)
        with suppress(OSError):
            return path.read_bytes()
        with self._turn():
            original = read_original(picture, self._limits)
            content = DECODERS.decode(original, Order(webp=webp), self._limits).webp
        _store(path, content)
        return content

    def frame(
        self, picture: StoredPicture, indexed: Sequence[FilmFile], seconds: float, webp: Webp = THUMBNAIL
    ) -> bytes:
        """Return the same of a frame of a film with these files, made now where there is none yet.

        Raises as `get` does.
        """
        path = self._path(picture, webp, f"-{round(1000 * seconds)}")
        with suppress(OSError):
            return path.read_bytes()
        with self._turn():
            order = FilmOrder(times=(seconds,), webp=webp)
            content = read_film(film_path(indexed), order, self._limits, PATIENCE).webp
        _store(path, content)
        return content

    def _path(self, picture: StoredPicture, webp: Webp, frame: str = "") -> Path:
        size = "" if webp is THUMBNAIL else f"-{webp.longer}px"
        return self._folder / picture.digest[:2] / f"{picture.digest}{frame}{size}.webp"

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._free.acquire(timeout=PATIENCE):
            raise DecoderUnavailable("cannot be read now: too many pictures are being read; try again")
        try:
            yield
        finally:
            self._free.release()


def read_exif(picture: StoredPicture, limits: Limits) -> Exif:
    """Return what the camera wrote into the picture's file; nothing if the file is gone or cannot be read now."""
    try:
        return DECODERS.decode(read_original(picture, limits), Order(exif=True), limits).exif or Exif()
    except (Problem, PictureError):  # The file was moved, or the limits were lowered since.
        return Exif()


def _store(path: Path, content: bytes) -> None:
    """Write a new file and rename it, so that nobody reads half of it. On a full disk thumbnails are made again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    except OSError as error:
        _log.warning("the thumbnail %s cannot be stored: %s", path, error)
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(beside, path)
    except OSError as error:
        _log.warning("the thumbnail %s cannot be stored: %s", path, error)
        with suppress(OSError):
            os.unlink(beside)
