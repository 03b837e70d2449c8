"""The API, version 1."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, jsonify, request

from webui.api import answers
from webui.media.originals import read_original
from webui.openapi.documents import Picture, SearchResult
from webui.openapi.operations import Parameter, describe, operation
from webui.request.search_request import SEARCH, UPLOADS, read_search_request, read_uploads
from webui.request.values import PICTURE, WINDOW, find_picture, read_window
from webui.services import services

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

_VERSION = Parameter("v", str, "Start of the content hash; with it a browser may keep the answer for good")


@api.get("/search")
@operation(answer=SearchResult, problems=(404, 503), query=(*SEARCH, *WINDOW))
def search_by_words() -> Response:
    """Pictures by words, by pictures of the library to be like or unlike, or by both."""
    return jsonify(answers.search(read_search_request(request.args), read_window(request.args)).document)


@api.post("/search")
@operation(answer=SearchResult, problems=(404, 413, 415, 422, 429, 503), form=(*UPLOADS, *SEARCH, *WINDOW))
def search_by_picture() -> Response:
    """Pictures by uploaded pictures, and by all that a search by GET takes."""
    uploads = read_uploads(request, services().library.settings.max_upload_bytes)
    return jsonify(answers.search(read_search_request(request.form, uploads), read_window(request.form)).document)


@api.get(PICTURE)
@operation(answer=Picture, problems=(404, 503))
def picture(picture_id: int) -> Response:
    """All that is known of one picture."""
    return jsonify(answers.picture_document(find_picture(picture_id)))


@api.get(f"{PICTURE}/file")
@operation(answer=bytes, media="image/*", problems=(404, 410, 503), query=(_VERSION,), kept=True)
def file(picture_id: int) -> Response:
    """The picture's file as it is on disk."""
    found = find_picture(picture_id)
    content = read_original(found, services().library.settings.limits)
    return _kept_by_browser(content, MIMETYPES.get(found.format, "application/octet-stream"), found.digest)


@api.get(f"{PICTURE}/thumbnail")
@operation(
    answer=bytes,
    media="image/webp",
    problems=(404, 410, 413, 415, 422, 503),
    query=(_VERSION,),
    kept=True,
)
def thumbnail(picture_id: int) -> Response:
    """The picture as WebP, its shorter side at most 320 pixels."""
    found = find_picture(picture_id)
    return _kept_by_browser(services().thumbnails.get(found), "image/webp", f"{found.digest}-thumbnail")


@api.get("/openapi.json")
@operation(answer=dict)
def openapi() -> Response:
    """This API's description."""
    return jsonify(describe(current_app) | {"servers": [{"url": request.script_root or "/"}]})


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
