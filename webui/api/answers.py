"""Documents that the API answers and the page shows: a picture in a list, all about a picture, a search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NamedTuple

from flask import request, url_for

from captioner.types import KindDescriber
from data.albums.albums import albums_of
from data.catalogue.fields import NoSuchField
from data.colour.names import names_of
from data.exif import Exif
from data.facts import folder_of
from data.films.reads import films_by_id, motions_of
from data.films.records import StoredFilm
from data.notices import notes_of
from data.paths import clean_text
from data.roots import folder_id
from data.store import StoredPicture
from retrieval.copies.near import near_copies
from retrieval.faces.query import face_by_id
from retrieval.faces.search import QueryFace
from retrieval.library import Library
from retrieval.search.grouping import Grouping
from retrieval.search.query import Query, QueryFilm, QueryImage
from retrieval.search.results import Hit, SearchResult, taken, values_of
from webui.media import read_exif, read_original
from webui.problems import Problem
from webui.request.search_request import SearchRequest
from webui.request.values import Window, find_picture, no_picture
from webui.services import services

MAX_NEAR_COPIES = 50

Document = dict[str, Any]
_NUMBER, _VERSION = "9876543210987654", "version-of-content"


class Preview(NamedTuple):
    """A small picture of an upload as a data: address; `purpose` is like or unlike."""

    purpose: str
    address: str
    is_film: bool = False


class Answer(NamedTuple):
    """The document that the API answers; for the page small pictures of the uploads, those to be like first, a notice,
    and the words to mark in captions."""

    document: Document
    previews: list[Preview]
    notice: str
    words: str


def search(search: SearchRequest, window: Window) -> Answer:
    """Search; uploaded pictures come before those of the library.

    Raise QueryError, StoreError, PictureError, or Problem 404 for an unknown picture, 503 for a busy captioner.
    """
    services().metrics.searched(search.kinds)
    if search.by_face:
        return _search_face(search, window)
    stored = query_of(search)
    further = _further(search)
    like = [
        services().describer.describe(content, further, None if place else search.box)
        for place, content in enumerate(search.uploads.like)
    ]
    unlike = [services().describer.describe(content, further) for content in search.uploads.unlike]
    wanted, unwanted = [one.image for one in like], [_one_frame(one.image) for one in unlike]
    query = replace(
        stored, like=[*wanted, *stored.like], unlike=[*unwanted, *stored.unlike], min_cosine=search.min_cosine
    )
    library = services().library
    selection = library.collection.select(search.filters, search.order)
    result = library.search(query, window.limit, window.offset, search.distant, selection, grouping_of(search))
    uploaded = [("like", one) for one in like] + [("unlike", one) for one in unlike]
    previews = [Preview(purpose, one.preview, one.is_film) for purpose, one in uploaded]
    return Answer(_with_links(result), previews, result.notice, result.words)


def _search_face(search: SearchRequest, window: Window) -> Answer:
    """Search for the person of a face. Raise QueryError, StoreError, PictureError, or Problem 503."""
    library = services().library
    library.faces.check()
    face, previews = query_face(search)
    selection = library.collection.select(search.filters, search.order)
    result = library.search_face(face, window.limit, window.offset, search.distant, selection)
    return Answer(_with_links(result), [Preview("like", one, bool(face.seconds)) for one in previews], "", "")


def ranked(search: SearchRequest) -> tuple[list[int], list[float]]:
    """Return the ids of all hits of a search without uploads, in order, and their scores. Raise as `search`."""
    library = services().library
    selection = library.collection.select(search.filters, search.order)
    if search.by_face:
        face, _ = query_face(search)
        found = library.faces.ranked(face, library.searcher().index.ids, search.distant, selection)
        return found.ids.tolist(), found.scores.tolist()
    hits = library.searcher().hits(query_of(search), search.distant, selection, grouping_of(search))
    return hits.ids.tolist(), hits.scores.tolist()


def query_face(search: SearchRequest) -> tuple[QueryFace, list[str]]:
    """Return the face to search for, and a small picture of the upload that it is in."""
    library = services().library
    if search.face is not None:
        return face_by_id(library.store, library.faces, search.face), []
    face, preview = services().faces.find(search.uploads.like[0], search.face_number or 1)
    return face, [preview]


def _further(search: SearchRequest) -> KindDescriber | None:
    """Return what describes uploads for the kind that pictures are compared by; None if the captioner does.

    Raise QueryError for a kind that the library does not have, Problem 503 if its encoder cannot be loaded.
    """
    library = services().library
    if search.by is None:
        return None
    library.searcher().check_kind(search.by)
    described = search.uploads.like or search.uploads.unlike or search.box
    return None if not described or search.by in library.model.kinds else services().further.get(search.by)


def query_of(search: SearchRequest) -> Query:
    """Return the query without its uploads.

    Raise StoreError, Problem 404 for an unknown picture, and for a part of one also PictureError or Problem 410, 429
    or 503.
    """
    like = [_stored(one.id, one.weight) for one in search.like]
    unlike = [_one_frame(_stored(one.id, one.weight)) for one in search.unlike]
    if search.box and not search.uploads.like:
        like[0] = _part_of(search)
    cosine = search.min_cosine if like else None  # that of uploads is set with them
    return Query(search.text, like, unlike, search.by, search.exclude, search.verbatim, cosine)


def grouping_of(search: SearchRequest) -> Grouping | None:
    """Return how the hits are grouped, None if they are not. Raise Problem 400 for an unknown field, or QueryError."""
    if search.group_by is None:
        return None
    try:
        return services().library.collection.grouping(search.group_by, search.filters)
    except NoSuchField as error:
        raise Problem(HTTPStatus.BAD_REQUEST, str(error)) from error


def _part_of(search: SearchRequest) -> QueryImage | QueryFilm:
    """Return the part of the first picture to be like, described now."""
    first = search.like[0]
    content = read_original(find_picture(first.id), services().library.settings.limits)
    return replace(services().describer.describe(content, _further(search), search.box).image, weight=first.weight)


def _stored(picture_id: int, weight: float) -> QueryImage | QueryFilm:
    library = services().library
    if frames := library.film_frames(picture_id):
        return QueryFilm(frames, weight)
    found = library.description(picture_id)
    if found is None:
        raise no_picture(picture_id)
    return QueryImage(found, weight)


def _one_frame(image: QueryImage | QueryFilm) -> QueryImage:
    """Return one picture for a film: what hits shall not be like is a picture."""
    return QueryImage(image.description, image.weight)


def _with_links(result: SearchResult) -> Document:
    return vars(result) | result.told() | {"hits": [_hit(hit) for hit in result.hits]}


def _hit(hit: Hit) -> Document:
    """Return a hit with the addresses of its file and thumbnail, of a film that of its best frame."""
    document = hit.to_json() | _shown(hit.picture, hit.frame.film if hit.frame else None)
    return document | {"links": links_at(hit.picture, hit.time)}


def as_hits(pictures: Iterable[StoredPicture]) -> list[Document]:
    """Return pictures and films in the shape of hits, without scores; a film has its first frame's captions."""
    listed = list(pictures)
    store = services().library.store
    films = films_by_id(store, [picture.id for picture in listed])
    firsts = {number: film.frames[0].id for number, film in films.items() if film.frames}
    said = store.captions(list(firsts.values()))
    own = {number: [caption.text for caption in said.get(frame, [])] for number, frame in firsts.items()}
    return [as_hit(picture, films.get(picture.id), own.get(picture.id, ())) for picture in listed]


def as_hit(picture: StoredPicture, film: StoredFilm | None = None, said: Sequence[str] = ()) -> Document:
    """Return a picture in the shape of a hit, without scores; of a film `said` are the captions of a frame."""
    captions = [*picture.texts, *said]
    path, caption = next(iter(picture.shown_paths), ""), next(iter(captions), "")
    return {"id": picture.id, "path": path, "caption": caption, "captions": captions} | _shown(picture, film)


def _shown(picture: StoredPicture, film: StoredFilm | None = None) -> Document:
    size = {"width": picture.width, "height": picture.height, "duration": film.duration if film else None}
    own = {"favourite": picture.favourite, "links": links(picture)}
    return taken(picture) | values_of(picture) | size | own


def picture_document(picture: StoredPicture) -> Document:
    """Return all that is stored about one picture, and what its camera wrote. Raise StoreError."""
    library = services().library
    film = _film(picture, library)
    return {
        "id": picture.id,
        "paths": picture.shown_paths,
        "width": picture.width,
        "height": picture.height,
        "format": picture.format,
        "bytes": picture.bytes,
        **taken(picture),
        "colours": names_of(picture.colours),
        "favourite": picture.favourite,
        "albums": [{"id": number, "name": name} for number, name in albums_of(library.store, picture.id)],
        "fields": [
            {"name": fact.field.name, "label": fact.field.label, "type": fact.field.type, "value": fact.plain}
            | {"source": fact.source, "confidence": fact.confidence}
            for fact in picture.facts
        ],
        "metadata": [text._asdict() for text in picture.metadata],
        "captions": [
            {"text": caption.text, "source": caption.source, "logprob": caption.logprob}
            | {"model_version": caption.model_version}
            for caption in picture.captions
        ],
        "notes": notes_of(library.store, [picture.id]).get(picture.id, []),
        "folder": _folder(picture),
        "exif": asdict(Exif() if film else read_exif(picture, library.settings.limits)),
        "copies": {"exact": picture.shown_paths[1:], "near": _near(picture, library)},
        "film": film,
        "motion": _motion(picture, library),
        "can_undo": library.store.can_undo_caption(picture.id),
        "links": links(picture),
    }


def _film(picture: StoredPicture, library: Library) -> Document | None:
    film = films_by_id(library.store, [picture.id]).get(picture.id)
    if film is None:
        return None
    captions = library.store.captions([frame.id for frame in film.frames])
    return {
        "duration": film.duration,
        "frames": [
            {
                "time": frame.seconds,
                "caption": next((caption.text for caption in captions.get(frame.id, [])), ""),
                "thumbnail": thumbnail_at(picture, frame.seconds),
            }
            for frame in film.frames
        ],
    }


def _motion(picture: StoredPicture, library: Library) -> str | None:
    indexed = motions_of(library.store, picture.id)
    return _address("motion", picture) if indexed else None


def thumbnail_at(picture: StoredPicture, seconds: float) -> str:
    """Return the address of the thumbnail of a frame of a film."""
    return f"{_address('thumbnail', picture)}&time={seconds:g}"


def _folder(picture: StoredPicture) -> dict[str, str] | None:
    if not picture.paths:
        return None
    folder = folder_of(picture.paths[0])
    return {"id": folder_id(folder), "path": clean_text(folder)}


def _near(picture: StoredPicture, library: Library) -> list[dict[str, Any]]:
    near = dict(near_copies(library.searcher().index, library.model, picture.id, MAX_NEAR_COPIES))
    pictures = library.store.pictures(list(near))
    return [as_hit(other) | {"cosine": near[number]} for number, other in pictures.items()]


def links(picture: StoredPicture) -> dict[str, str]:
    """Return the addresses of the picture's file, preview and thumbnail.

    They carry the content's hash, so that a browser may cache them forever and still never shows an old picture
    when another library uses the same id.
    """
    return {name: _address(name, picture) for name in ("file", "preview", "thumbnail")}


def links_at(picture: StoredPicture, seconds: float | None) -> dict[str, str]:
    """Return `links`, with the thumbnail of a film's frame at a time; None for a picture."""
    return links(picture) | ({} if seconds is None else {"thumbnail": thumbnail_at(picture, seconds)})


def _address(name: str, picture: StoredPicture) -> str:
    pattern = _pattern(name, request.script_root)
    return pattern.replace(_NUMBER, str(picture.id)).replace(_VERSION, picture.digest[:16])


@lru_cache(16)
def _pattern(name: str, root: str) -> str:
    """Return such an address with placeholders for id and version: building sixty for a page takes a millisecond.

    They depend on nothing else but `root`, the prefix that a proxy adds.
    """
    return url_for(f"pictures.{name}", picture_id=int(_NUMBER), v=_VERSION)
