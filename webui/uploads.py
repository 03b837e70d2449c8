"""The picture in a request: its bytes, capped, and nothing else the client says of it."""

from __future__ import annotations

from http import HTTPStatus

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from webui.problems import Problem

FIELD = "image"
ENVELOPE = 64 * 1024
"""Bytes that the multipart marks and the other fields may add to the picture."""


def read_upload(request: Request, max_bytes: int) -> bytes:
    """Return the bytes of the multipart field `image`; the client's file name and type are not looked at.

    Raises Problem 413 over `max_bytes` (from the declared length, before the body is read, where it is declared),
    415 for a body that is no form, 400 when the field is missing.
    """
    if (request.content_length or 0) > max_bytes + ENVELOPE:
        raise _too_large(max_bytes)
    if request.mimetype != "multipart/form-data":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send the picture as multipart/form-data, field {FIELD!r}")
    try:
        file = request.files.get(FIELD)
    except RequestEntityTooLarge as error:
        raise _too_large(max_bytes) from error
    if file is None or not file.filename:
        raise Problem(HTTPStatus.BAD_REQUEST, f"no picture was sent: choose one (multipart file field {FIELD!r})")
    content = file.stream.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise _too_large(max_bytes)
    return content


def in_words(size: int) -> str:
    """Return a number of bytes as people say it: 20 MiB, 64 KiB, 300 bytes."""
    for unit, length in (("MiB", 2**20), ("KiB", 2**10)):
        if size >= length:
            return f"{size / length:.3g} {unit}"
    return f"{size} bytes"


def _too_large(max_bytes: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the picture is too large: at most {in_words(max_bytes)} can be uploaded"
    )
