"""The pictures in a request: their bytes, capped, and nothing else the client says of them."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from retrieval.search.query import MAX_PICTURES
from webui.openapi.operations import Parameter
from webui.problems import Problem
from webui.services import services

FIELD = "image"
UNLIKE_FIELD = "unlike_image"
ENVELOPE = 64 * 1024
"""Bytes that the multipart marks and the other fields may add to the pictures."""

_FILES = Annotated[list[bytes], {"maxItems": MAX_PICTURES}]
UPLOADS = (
    Parameter(FIELD, _FILES, f"Files of pictures to be like; {MAX_PICTURES} pictures at most in all"),
    Parameter(UNLIKE_FIELD, _FILES, "Files of pictures to be unlike"),
)
"""What `read_uploads` reads."""


@dataclass(frozen=True)
class Uploads:
    """The bytes of pictures to be like and unlike."""

    like: tuple[bytes, ...] = ()
    unlike: tuple[bytes, ...] = ()


def read_uploads(request: Request, max_bytes: int) -> Uploads:
    """Return the bytes of the multipart file fields; the client's file names and types are not looked at.

    Raises Problem 413 over `max_bytes` in total (from the declared length, before the body is read, where it is
    declared), 415 for a body that is no form, and 429 when this client sent too many pictures of late.
    """
    if (request.content_length or 0) > max_bytes + ENVELOPE:
        raise _too_large(max_bytes)
    if request.mimetype != "multipart/form-data":
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send the picture as multipart/form-data, field {FIELD!r}")
    try:
        like, unlike = (
            # A form's chooser that was left alone is sent as a file without a name.
            tuple(file.stream.read(max_bytes + 1) for file in request.files.getlist(name) if file.filename)
            for name in (FIELD, UNLIKE_FIELD)
        )
    except RequestEntityTooLarge as error:
        raise _too_large(max_bytes) from error
    if sum(map(len, (*like, *unlike))) > max_bytes:
        raise _too_large(max_bytes)
    services().rates.pictures(request.remote_addr, len(like) + len(unlike))
    return Uploads(like, unlike)


def in_words(size: int) -> str:
    """Return a number of bytes as people say it: 20 MiB, 64 KiB, 300 bytes."""
    for unit, length in (("MiB", 2**20), ("KiB", 2**10)):
        if size >= length:
            return f"{size / length:.3g} {unit}"
    return f"{size} bytes"


def _too_large(max_bytes: int) -> Problem:
    return Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the upload is too large: at most {in_words(max_bytes)} can be uploaded",
    )
