"""One picture: what is stored about it, its file and thumbnail, and a person's caption of it."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Literal, TypedDict

from flask import Blueprint, Response, jsonify, request
from werkzeug.datastructures import ContentRange

from data.albums.favourites import set_favourites
from data.decoding.orders import Webp
from data.films.reads import film_files, films_by_id, motions_of
from webui.api.answers import picture_document
from webui.media import PREVIEW, PREVIEWS, THUMBNAIL, film_path, read_original
from webui.openapi.documents import Picture
from webui.openapi.operations import Parameter, operation
from webui.problems import Problem
from webui.request.values import PICTURE, TIME, body_field, check_text, find_picture, known_value, read_body, read_time
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
    "MP4": "video/mp4",
    "MOV": "video/quicktime",
    "WebM": "video/webm",
    "Matroska": "video/x-matroska",
    "AVI": "video/x-msvideo",
}
MOST_AT_ONCE = 8 * 2**20
"""Bytes of a film that one answer has at most where a part is asked for; browsers then ask for the next."""

pictures = Blueprint("pictures", __name__, url_prefix="/api/v1")

_TIME = Parameter("time", TIME, "Seconds from the beginning of a film; the first frame by default")
_SIDES = [str(side) for side in PREVIEWS]
_SIDE = Parameter("side", Literal[(*_SIDES,)], "Pixels of the longer side, at most; 1280 by default")
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
@operation(answer=bytes, media="*/*", problems=(404, 410, 416, 503), query=(_VERSION,), kept=True)
def file(picture_id: int) -> Response:
    """The file as it is on disk, or with a header Range a part of it, as 206; of a film at most 8 MiB at once."""
    found = find_picture(picture_id)
    store = services().library.store
    if films_by_id(store, [picture_id]):
        return _film_part(film_path(film_files(store, picture_id)), MIMETYPES.get(found.format), found.digest)
    content = read_original(found, services().library.settings.limits)
    return _cached(content, MIMETYPES.get(found.format, "application/octet-stream"), found.digest)


@pictures.get(f"{PICTURE}/thumbnail")
@operation(
    answer=bytes,
    media="image/webp",
    problems=(404, 410, 413, 415, 416, 422, 503),
    query=(_VERSION, _TIME),
    kept=True,
)
def thumbnail(picture_id: int) -> Response:
    """The picture, or the frame of a film that is nearest to a time, as WebP; its shorter side at most 320 pixels."""
    return _small(picture_id, THUMBNAIL, "thumbnail")


@pictures.get(f"{PICTURE}/preview")
@operation(
    answer=bytes,
    media="image/webp",
    problems=(404, 410, 413, 415, 416, 422, 503),
    query=(_VERSION, _TIME, _SIDE),
    kept=True,
)
def preview(picture_id: int) -> Response:
    """As `thumbnail`, to fill a screen: its longer side at most 1,280 pixels, or 800 or 2,560 for `side`."""
    side = int(known_value(request.args, "side", _SIDES) or PREVIEW)
    return _small(picture_id, PREVIEWS[side], f"preview-{side}")


def _small(picture_id: int, webp: Webp, name: str) -> Response:
    found, time = find_picture(picture_id), read_time(request.args)
    store = services().library.store
    film = films_by_id(store, [picture_id]).get(picture_id)
    if film is not None and film.frames:
        seconds = min((frame.seconds for frame in film.frames), key=lambda one: abs(one - (time or 0.0)))
        content = services().thumbnails.frame(found, film_files(store, picture_id), seconds, webp)
        return _cached(content, "image/webp", f"{found.digest}-{name}-{seconds}")
    return _cached(services().thumbnails.get(found, webp), "image/webp", f"{found.digest}-{name}")


@pictures.get(f"{PICTURE}/motion")
@operation(answer=bytes, media="video/*", problems=(404, 410, 416, 503), query=(_VERSION,), kept=True)
def motion(picture_id: int) -> Response:
    """The short film of a Live Photo, as `file` sends films; 404 where the picture has none."""
    find_picture(picture_id)
    indexed = motions_of(services().library.store, picture_id)
    if not indexed:
        raise Problem(HTTPStatus.NOT_FOUND, "this picture is no Live Photo; it has no film")
    return _film_part(film_path(indexed), MIMETYPES["MOV"], f"{indexed[0].size}-{indexed[0].mtime_ns}")


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


@pictures.put(f"{PICTURE}/favourite")
@operation(answer=Picture, problems=(404, 503))
def add_favourite(picture_id: int) -> Response:
    """Make a picture a favourite."""
    set_favourites(services().library.store, [picture_id], True)
    return picture(picture_id)


@pictures.delete(f"{PICTURE}/favourite")
@operation(answer=Picture, problems=(404, 503))
def remove_favourite(picture_id: int) -> Response:
    """Make a picture no favourite any more."""
    set_favourites(services().library.store, [picture_id], False)
    return picture(picture_id)


def check_caption(text: str) -> str:
    """Return the text of a caption. Raise Problem 400 where it is empty, too long or no text."""
    if not 0 < len(text.strip()) <= LONGEST_CAPTION:
        raise Problem(HTTPStatus.BAD_REQUEST, f"the field text must have 1 to {LONGEST_CAPTION:,} characters")
    return check_text("text", text)


def _film_part(path: Path, mimetype: str | None, tag: str) -> Response:
    """Return a film, or the part of it that is asked for, read from the file as it is sent."""
    size = path.stat().st_size
    asked = request.range
    if asked is not None and asked.units == "bytes" and len(asked.ranges) == 1:
        begin, end = asked.range_for_length(size) or (None, None)
        if begin is None or end is None:
            raise Problem(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, f"the film has {size:,} bytes; ask within them")
        end = min(end, begin + MOST_AT_ONCE)
        response = Response(_read_part(path, begin, end), HTTPStatus.PARTIAL_CONTENT, mimetype=mimetype)
        response.content_range = ContentRange("bytes", begin, end, size)
        response.content_length = end - begin
    else:
        response = Response(_pieces(path, size), mimetype=mimetype or "application/octet-stream")
        response.content_length = size
    response.headers["Accept-Ranges"] = "bytes"
    return _kept(response, tag)


def _read_part(path: Path, begin: int, end: int) -> bytes:
    with path.open("rb") as file:
        file.seek(begin)
        return file.read(end - begin)


def _pieces(path: Path, size: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        while size > 0 and (piece := file.read(min(size, 2**18))):
            size -= len(piece)
            yield piece


def _cached(content: bytes, mimetype: str, tag: str) -> Response:
    """Return content for the browser to cache: forever at an address with `v`, which names this content; without `v`
    the browser has to ask whether it is still valid."""
    response = _kept(Response(content, mimetype=mimetype), tag)
    response.make_conditional(request, accept_ranges=True, complete_length=len(content))
    return response


def _kept(response: Response, tag: str) -> Response:
    response.set_etag(tag)
    kept = f"private, max-age={CACHE_SECONDS}, immutable" if "v" in request.args else "private, no-cache"
    response.headers["Cache-Control"] = kept
    return response
