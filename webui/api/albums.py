"""Favourites and albums: pictures that a person picked, and saved searches."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, NamedTuple, NotRequired, TypedDict
from urllib.parse import parse_qsl

from flask import Blueprint, Response, jsonify
from werkzeug.datastructures import MultiDict

from data.albums import albums as changes
from data.albums import history
from data.albums.favourites import set_favourites
from data.errors import RetroflexError
from data.store import Store, StoredPicture
from data.store_errors import StoreError, UnknownPicture
from retrieval.search.fields import COUNT
from webui.api.answers import links, query_face, query_of, ranked
from webui.openapi.documents import Links
from webui.openapi.operations import operation
from webui.problems import Problem
from webui.request.search_request import SearchRequest, read_page_request
from webui.request.values import body_field, body_ids, check_text, optional_field, read_body
from webui.services import services

MOST = 10_000
"""Ids in one request."""
MOST_KEPT = 500
"""Saved searches whose numbers are remembered."""
ALBUM = "/albums/<id:album_id>"

albums = Blueprint("albums", __name__, url_prefix="/api/v1")

_NAME: dict[str, Any] = {"minLength": 1, "maxLength": changes.LONGEST_NAME}
_QUERY: dict[str, Any] = {
    "minLength": 1,
    "maxLength": changes.LONGEST_QUERY,
    "description": "A search as the query string of its address, such as q=dog&favourite=yes",
}
_IDS = Annotated[list[COUNT], {"minItems": 1, "maxItems": MOST}]


class Cover(TypedDict):
    """The picture that stands for an album."""

    id: COUNT
    width: COUNT
    height: COUNT
    links: Links


class Album(TypedDict):
    """An album of picked pictures, which the parameter `album` of /pictures and /search filters by; or a saved search.

    `query` is that of a saved search, else null. `pictures` counts what has a file, or what the search finds; it is
    null where that cannot be done, for the reason in `problem`.
    """

    id: COUNT
    name: str
    query: str | None
    pictures: Annotated[int | None, {"minimum": 0}]
    cover: Cover | None
    problem: str | None


class Albums(TypedDict):
    """All albums by name; `undo` says what undoing would undo."""

    albums: list[Album]
    undo: str | None


class NewAlbum(TypedDict):
    """An album of these pictures, or of what a search finds."""

    name: Annotated[str, _NAME]
    pictures: NotRequired[Annotated[list[COUNT] | None, {"maxItems": MOST}]]
    query: NotRequired[Annotated[str | None, _QUERY]]


class AlbumChange(TypedDict):
    """Another name or search, and the id of the picture to show for it."""

    name: NotRequired[Annotated[str | None, _NAME]]
    query: NotRequired[Annotated[str | None, _QUERY]]
    cover: NotRequired[Annotated[int | None, {"minimum": 0}]]


class Picked(TypedDict):
    """Pictures by id; they are put `before` a picture of the album, or at the end."""

    pictures: _IDS
    before: NotRequired[Annotated[int | None, {"minimum": 0}]]


class Unpicked(TypedDict):
    """Pictures by id."""

    pictures: _IDS


class ChangedAlbum(TypedDict):
    """An album after a change, and the ids of the pictures that were not in it before, or were."""

    album: Album
    changed: list[COUNT]


class Marked(TypedDict):
    """Pictures by id that shall be favourites, or shall not."""

    pictures: _IDS
    favourite: bool


class ChangedFavourites(TypedDict):
    """The ids of the pictures that were not so before; to undo the change, set these back."""

    changed: list[COUNT]
    favourite: bool


@albums.post("/favourites")
@operation(answer=ChangedFavourites, body=Marked, problems=(404, 415, 503))
def mark_favourites() -> Response:
    """Make pictures favourites, or no favourites any more."""
    body = read_body()
    chosen, favourite = body_ids(body, "pictures", MOST), body_field(body, "favourite", bool)
    return jsonify({"changed": set_favourites(_store(), chosen, favourite), "favourite": favourite})


@albums.get("/albums")
@operation(answer=Albums, problems=(503,))
def list_albums() -> Response:
    """All albums, with a picture of each."""
    return jsonify({"albums": album_documents(changes.list_albums(_store())), "undo": history.last_change(_store())})


@albums.post("/albums")
@operation(answer=Album, status=201, body=NewAlbum, problems=(404, 409, 415, 503))
def make_album() -> tuple[Response, HTTPStatus]:
    """Make an album, of picked pictures or of a search that it repeats whenever it is opened."""
    body = read_body()
    name, query = check_text("name", body_field(body, "name", str)), optional_field(body, "query", str)
    chosen = body_ids(body, "pictures", MOST) if body.get("pictures") else []
    if query is not None and chosen:
        raise Problem(HTTPStatus.BAD_REQUEST, "an album has pictures or a query; leave one of them out")
    number = changes.make_album(_store(), name, chosen, None if query is None else checked_query(query))
    return _album(number), HTTPStatus.CREATED


@albums.get(ALBUM)
@operation(answer=Album, problems=(404, 503))
def album(album_id: int) -> Response:
    """One album; its pictures are those of /pictures?album=ID, or of /search with its query."""
    return _album(album_id)


@albums.patch(ALBUM)
@operation(answer=Album, body=AlbumChange, problems=(404, 409, 415, 503))
def change_album(album_id: int) -> Response:
    """Rename an album, save another search in its place, or choose its cover."""
    body = read_body()
    name, query, cover = (optional_field(body, key, kind) for key, kind in _CHANGED.items())
    checked = None if query is None else checked_query(query)
    changes.change_album(_store(), album_id, None if name is None else check_text("name", name), checked, cover)
    return _album(album_id)


_CHANGED: dict[str, Any] = {"name": str, "query": str, "cover": int}


@albums.delete(ALBUM)
@operation(answer=Albums, problems=(404, 503))
def delete_album(album_id: int) -> Response:
    """Delete an album; its pictures stay in the library."""
    changes.delete_album(_store(), album_id)
    return list_albums()


@albums.post(f"{ALBUM}/pictures")
@operation(answer=ChangedAlbum, body=Picked, problems=(404, 409, 415, 503))
def add_to_album(album_id: int) -> Response:
    """Add pictures to an album, at its end or before one of its pictures; those that it has already move there."""
    body = read_body()
    chosen, before = body_ids(body, "pictures", MOST), optional_field(body, "before", int)
    changed = changes.add_pictures(_store(), album_id, chosen, before)
    return jsonify({"album": album_document(album_id), "changed": changed})


@albums.post(f"{ALBUM}/pictures/remove")
@operation(answer=ChangedAlbum, body=Unpicked, problems=(404, 409, 415, 503))
def remove_from_album(album_id: int) -> Response:
    """Take pictures out of an album; they stay in the library."""
    changed = changes.remove_pictures(_store(), album_id, body_ids(read_body(), "pictures", MOST))
    return jsonify({"album": album_document(album_id), "changed": changed})


@albums.post("/albums/undo")
@operation(answer=Albums, problems=(409, 503))
def undo_albums() -> Response:
    """Undo the last change of albums, one more each time."""
    if history.undo(_store()) is None:
        raise Problem(HTTPStatus.CONFLICT, "no change of albums is left to undo")
    return list_albums()


def checked_query(query: str) -> str:
    """Return a search's query string in the form that addresses of the page have. Raise Problem 400 or QueryError."""
    search = read_saved(check_text("query", query))
    if search.queried:
        search.check()
    saved = search.as_query()
    if not saved:
        raise Problem(HTTPStatus.BAD_REQUEST, "there is nothing to save; search for words or pictures, or set a filter")
    return saved


def read_saved(query: str) -> SearchRequest:
    """Return the search that a query string asks for. Raise Problem 400 or 404, or QueryError."""
    return read_page_request(MultiDict(parse_qsl(query.removeprefix("?"), keep_blank_values=True)))


def album_document(album_id: int) -> dict[str, Any]:
    """Return an album as plain values. Raise UnknownAlbum, or StoreError."""
    return album_documents([changes.find_album(_store(), album_id)])[0]


def album_documents(listed: list[changes.Album]) -> list[dict[str, Any]]:
    """Return albums as plain values; saved searches are made. Raise StoreError."""
    found = {one.id: _found(one.query) for one in listed if one.query is not None}
    covers = {one.id: found[one.id].cover if one.id in found else one.cover for one in listed}
    pictures = _store().pictures([number for number in covers.values() if number is not None])
    return [
        {
            "id": one.id,
            "name": one.name,
            "query": one.query,
            "pictures": found[one.id].pictures if one.id in found else len(one.pictures),
            "cover": _cover(pictures.get(covers[one.id] or -1)),
            "problem": found[one.id].problem if one.id in found else None,
        }
        for one in listed
    ]


class Found(NamedTuple):
    """How many pictures a saved search finds, and the first of them; or why it cannot be made."""

    pictures: int | None
    cover: int | None
    problem: str | None = None


def _found(query: str) -> Found:
    """Return what a saved search finds in the present state of the library, which is remembered. Raise StoreError."""
    library, kept = services().library, services().saved_searches
    state = library.store.generation(), library.collection.state()[0].membership.changed
    if query not in kept or kept[query][0] != state:
        try:
            found = _find(read_saved(query))
        except RetroflexError as error:
            if isinstance(error, StoreError) and not isinstance(error, UnknownPicture):
                raise
            return Found(None, None, str(error))
        if len(kept) >= MOST_KEPT:
            kept.clear()
        kept[query] = state, found
    return kept[query][1]


def _find(search: SearchRequest) -> Found:
    library = services().library
    if not search.queried:
        ids = library.collection.browse(search.filters, search.order)
        return Found(len(ids), int(ids[0]) if len(ids) else None)
    search.check()
    selection = library.collection.select(search.filters, search.order)
    if search.by_face:
        result = library.search_face(query_face(search)[0], 1, 0, search.distant, selection)
    else:
        result = library.search(query_of(search), 1, 0, search.distant, selection)
    return Found(result.total, next((hit.id for hit in result.hits), None))


def found_ids(query: str) -> list[int]:
    """Return the ids of all that a saved search finds, in order. Raise RetroflexError."""
    search, library = read_saved(query), services().library
    if not search.queried:
        ids: list[int] = library.collection.browse(search.filters, search.order).tolist()
        return ids
    return ranked(search)[0]


def _cover(picture: StoredPicture | None) -> dict[str, Any] | None:
    if picture is None:
        return None
    return {"id": picture.id, "width": picture.width, "height": picture.height, "links": links(picture)}


def _album(album_id: int) -> Response:
    return jsonify(album_document(album_id))


def _store() -> Store:
    return services().library.store
