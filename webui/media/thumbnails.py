"""Thumbnails: made once, kept by content hash, so a renamed picture keeps its own."""

from __future__ import annotations

import io
import logging
import os
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

from PIL import Image

from data import pictures
from data.limits import Limits
from data.store import StoredPicture
from webui.media.originals import read_original

SIDE = 320
"""Length in pixels of a thumbnail's shorter side; the page crops the longer one."""

LONGEST = 3 * SIDE
AT_ONCE = 2
"""Pictures decoded at the same time: a large one takes a quarter of a gigabyte."""

_log = logging.getLogger(__name__)


class Thumbnails:
    """A folder of WebP thumbnails; safe to use from several threads and processes."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        """The folder is made when the first thumbnail is kept."""
        self._folder = folder
        self._limits = limits
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def get(self, picture: StoredPicture) -> bytes:
        """Return the thumbnail, made now where it is not there yet.

        Raises Problem 410 when it has to be made and the picture's file is gone, or a PictureError.
        """
        path = self._folder / picture.digest[:2] / f"{picture.digest}.webp"
        with suppress(OSError):
            return path.read_bytes()
        with self._places:
            content = shrink(pictures.decode(read_original(picture, self._limits), self._limits, SIDE).image)
        _keep(path, content)
        return content


def shrink(image: Image.Image) -> bytes:
    """Return `image` as WebP, its shorter side at most SIDE and its longer at most LONGEST; never enlarged."""
    width, height = image.size
    scale = min(1.0, SIDE / min(width, height), LONGEST / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    buffer = io.BytesIO()
    image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0).save(buffer, "WEBP", quality=82)
    return buffer.getvalue()


def _keep(path: Path, content: bytes) -> None:
    """Write beside and rename, so that nobody reads half a file; a full disk only costs the next caller time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    except OSError as error:
        _log.warning("the thumbnail %s cannot be kept: %s", path, error)
        return
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(beside, path)
    except OSError as error:
        _log.warning("the thumbnail %s cannot be kept: %s", path, error)
        with suppress(OSError):
            os.unlink(beside)
