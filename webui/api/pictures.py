"""One picture: what is stored about it, its file and thumbnail, and a person's caption of it."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, TypedDict

from flask import Blueprint, Response, jsonify, request

from webui.api.answers import picture_document
from webui.media import read_original
from webui.openapi.documents import Picture
from webui.openapi.operations import Parameter, operation
from webui.problems import Problem
from webui.request.values import PICTURE, body_field, check_text, find_picture, read_body
from webui.services import services

LONGEST_CAPTION = 1000
"""Characters; search takes no longer sentences either."""
CACHE_SECONDS = 365 * 24 * 3600
MIMETYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "HEIF": "image/heic",
    "AVIF": "image/avif",
    "JPEG2000": "image/jp2",
}

pictures = Blueprint("pictures", __name__, url_prefix="/api/v1")

_VERSION = Parameter("v", str, "Start of the content hash; with it a browser may cache the answer forever")


class NewCaption(TypedDict):
    """A person's caption of a picture."""

    text: Annotated[str, {"minLength": 1, "maxLength": LONGEST_CAPTION}]


@pictures.get(PICTURE)
@operation(answer=Picture, problems=(404, 503))
def picture(picture_id: int) -> Response:
    """All that is stored about one picture, and what its camera wrote."""
    return jsonify(picture_document(find_picture(picture_id)))


@pictures.get(f"{PICTURE}/file")
@operation(answer=bytes, media="image/*", problems=(404, 410, 416, 503), query=(_VERSION,), kept=True)
def file(picture_id: int) -> Response:
    """The picture's file as it is on disk, or with a header Range a part of it, as 206."""
    found = find_picture(picture_id)
    content = read_original(found, services().library.settings.limits)
    return _cached(content, MIMETYPES.get(found.format, "application/octet-stream"), found.digest)


@pictures.get(f"{PICTURE}/thumbnail")
@operation(
    answer=bytes,
    media="image/webp",
    problems=(404, 410, 413, 415, 416, 422, 503),
    query=(_VERSION,),
    kept=True,
)
def thumbnail(picture_id: int) -> Response:
    """The picture as WebP, its shorter side at most 320 pixels."""
    found = find_picture(picture_id)
    return _cached(services().thumbnails.get(found), "image/webp", f"{found.digest}-thumbnail")


@pictures.put(f"{PICTURE}/caption")
@operation(answer=Picture, body=NewCaption, problems=(404, 415, 503))
def set_caption(picture_id: int) -> Response:
    """Give a picture a caption that no captioner overwrites."""
    find_picture(picture_id)
    services().library.store.set_user_caption(picture_id, check_caption(body_field(read_body(), "text", str)))
    return picture(picture_id)


@pictures.delete(f"{PICTURE}/caption")
@operation(answer=Picture, problems=(404, 503))
def remove_caption(picture_id: int) -> Response:
    """Remove a person's caption; the captioner's captions apply again."""
    find_picture(picture_id)
    services().library.store.remove_user_caption(picture_id)
    return picture(picture_id)


@pictures.post(f"{PICTURE}/caption/undo")
@operation(answer=Picture, problems=(404, 409, 503))
def undo_caption(picture_id: int) -> Response:
    """Undo the last change of a person's caption, one more each time."""
    find_picture(picture_id)
    if not services().library.store.undo_user_caption(picture_id):
        raise Problem(HTTPStatus.CONFLICT, "the caption of this picture was never changed; there is nothing to undo")
    return picture(picture_id)


def check_caption(text: str) -> str:
    """Return the text of a caption. Raise Problem 400 where it is empty, too long or no text."""
    if not 0 < len(text.strip()) <= LONGEST_CAPTION:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the field text must have 1 to {LONGEST_CAPTION:,} characters")
    return check_text("text", text)


def _cached(content: bytes, mimetype: str, tag: str) -> Response:
    """Return content for the browser to cache: forever at an address with `v`, which names this content; without `v`
    the browser has to ask whether it is still valid."""
    response = Response(content, mimetype=mimetype)
    response.set_etag(tag)
    if "v" in request.args:
        response.headers["Cache-Control"] = f"private, max-age={CACHE_SECONDS}, immutable"
    else:
        response.headers["Cache-Control"] = "private, no-cache"
    response.make_conditional(request, accept_ranges=True, complete_length=len(content))
    return response
