"""The bytes of a stored picture, as they are on disk now."""

from __future__ import annotations

from http import HTTPStatus

from data import pictures
from data.limits import Limits
from data.paths import from_bytes
from data.pictures import PictureError
from data.scan import content_hash
from data.store import StoredPicture
from webui.problems import Problem


def read_original(picture: StoredPicture, limits: Limits) -> bytes:
    """Return the bytes of the first of the picture's files that still holds what was indexed.

    Because the content hash is checked, only bytes that were once indexed as a picture ever leave the server,
    whatever lies at the path now. Raises Problem 410.
    """
    for path in picture.paths:
        try:
            content = pictures.read_bytes(from_bytes(path), limits)
        except PictureError:
            continue
        if content_hash(content) == picture.digest:
            return content
    raise Problem(HTTPStatus.GONE, "the picture's file was moved, changed or deleted; run `retroflex index` again")
