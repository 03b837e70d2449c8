"""The API, version 1."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, jsonify, request

from data.store import StoredPicture
from webui import answers
from webui.openapi import DOCUMENT
from webui.originals import read_original
from webui.problems import Problem
from webui.services import services
from webui.uploads import read_upload
from webui.window import read_window

KEEP_SECONDS = 365 * 24 * 3600
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
}

api = Blueprint("api", __name__, url_prefix="/api/v1")

_PICTURE = f"/pictures/<int(max={2**63 - 1}):picture_id>"


@api.get("/search")
def search_by_words() -> Response:
    """Pictures whose captions are nearest to the words `q`."""
    return jsonify(answers.by_words(request.args.get("q", ""), read_window(request.args)))


@api.post("/search")
def search_by_picture() -> Response:
    """Pictures nearest to the uploaded one."""
    content = read_upload(request, services().library.settings.max_upload_bytes)
    window = read_window(request.form)
    return jsonify(answers.by_picture(services().describer.describe(content), window))


@api.get(_PICTURE)
def picture(picture_id: int) -> Response:
    """All that is known of one picture."""
    return jsonify(answers.picture_document(_find(picture_id)))


@api.get(f"{_PICTURE}/file")
def file(picture_id: int) -> Response:
    """The picture's file as it is on disk."""
    found = _find(picture_id)
    content = read_original(found, services().library.settings.limits)
    return _kept_by_browser(content, MIMETYPES.get(found.format, "application/octet-stream"), found.digest)


@api.get(f"{_PICTURE}/thumbnail")
def thumbnail(picture_id: int) -> Response:
    """A small WebP of the picture."""
    found = _find(picture_id)
    return _kept_by_browser(services().thumbnails.get(found), "image/webp", f"{found.digest}-thumbnail")


@api.get("/openapi.json")
def openapi() -> Response:
    """This API's description."""
    return jsonify(DOCUMENT)


def _find(picture_id: int) -> StoredPicture:
    found = services().library.picture(picture_id)
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no picture {picture_id} in the library")
    return found


def _kept_by_browser(content: bytes, mimetype: str, tag: str) -> Response:
    """An address with `v` names this very content; without, the browser has to ask whether it still holds."""
    response = Response(content, mimetype=mimetype)
    response.set_etag(tag)
    if "v" in request.args:
        response.headers["Cache-Control"] = f"private, max-age={KEEP_SECONDS}, immutable"
    else:
        response.headers["Cache-Control"] = "private, no-cache"
    response.make_conditional(request)
    return response
