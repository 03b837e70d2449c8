"""Pictures as files: the stored file itself, and a thumbnail of it, made once and kept by content hash."""

from __future__ import annotations

import io
import logging
import os
import tempfile
import threading
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path

from PIL import Image

from data import pictures
from data.limits import Limits
from data.paths import from_bytes
from data.pictures import PictureError
from data.records import content_hash
from data.store import StoredPicture
from webui.problems import Problem


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
    raise Problem(HTTPStatus.GONE, "the picture's file was moved, changed or deleted; run `retroflex index` again")


SIDE = 320
"""Length in pixels of a thumbnail's shorter side; the page crops the longer one."""

LONGEST = 3 * SIDE
AT_ONCE = 2
"""Pictures decoded at the same time: a large one takes a quarter of a gigabyte."""

_log = logging.getLogger(__name__)


class Thumbnails:
    """A folder of WebP thumbnails; safe to use from several threads and processes."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        """The folder is made with the first thumbnail."""
        self._folder = folder
        self._limits = limits
        self._free = threading.BoundedSemaphore(AT_ONCE)

    def get(self, picture: StoredPicture) -> bytes:
        """Return the thumbnail, made now where there is none yet.

        Raise Problem 410 when it has to be made and the picture's file is gone, or a PictureError.
        """
        path = self._folder / picture.digest[:2] / f"{picture.digest}.webp"
        with suppress(OSError):
            return path.read_bytes()
        with self._free:
            content = shrink(pictures.decode(read_original(picture, self._limits), self._limits, SIDE).image)
        _store(path, content)
        return content


def shrink(image: Image.Image) -> bytes:
    """Return `image` as WebP, its shorter side at most SIDE and its longer at most LONGEST; never enlarged."""
    width, height = image.size
    scale = min(1.0, SIDE / min(width, height), LONGEST / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    buffer = io.BytesIO()
    image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0).save(buffer, "WEBP", quality=82)
    return buffer.getvalue()


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
