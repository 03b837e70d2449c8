"""Search answers as the API gives them and the page shows them."""

from __future__ import annotations

from typing import NamedTuple

from captioner.types import Description
from data.store import StoredPicture
from retrieval.search.query import Query, QueryImage
from retrieval.search.results import SearchResult
from webui.api.details import details
from webui.api.listed import Document, links, shown
from webui.request.search_request import SearchRequest
from webui.request.values import Window, no_picture
from webui.services import services


class Answer(NamedTuple):
    """The document that the API gives; for the page small pictures of the uploads to be like and unlike, a notice."""

    document: Document
    previews: list[str]
    avoided: list[str]
    notice: str


def search(request: SearchRequest, window: Window) -> Answer:
    """Search; uploaded pictures come before those of the library.

    Raises QueryError, StoreError, PictureError, or Problem 404 for an unknown picture, 503 for a busy captioner.
    """
    services().metrics.searched(request.kinds)
    known = query_of(request)
    like, unlike = (
        [services().describer.describe(content) for content in contents]
        for contents in (request.uploads.like, request.uploads.unlike)
    )
    wanted, unwanted = ([QueryImage(one.description) for one in uploaded] for uploaded in (like, unlike))
    query = Query(request.text, [*wanted, *known.like], [*unwanted, *known.unlike])
    library = services().library
    selection = library.collection.select(request.filters, request.order)
    result = library.search(query, window.limit, window.offset, request.distant, selection)
    previews, avoided = ([one.preview for one in uploaded] for uploaded in (like, unlike))
    return Answer(_with_links(result), previews, avoided, result.notice)


def query_of(request: SearchRequest) -> Query:
    """Return the query without its uploads. Raises Problem 404 for an unknown picture, or StoreError."""
    like, unlike = (
        [QueryImage(_known(one.id), one.weight) for one in chosen] for chosen in (request.like, request.unlike)
    )
    return Query(request.text, like, unlike)


def _known(picture_id: int) -> Description:
    found = services().library.description(picture_id)
    if found is None:
        raise no_picture(picture_id)
    return found


def picture_document(picture: StoredPicture) -> Document:
    """Return all that is known of one picture."""
    library = services().library
    return details(picture, library) | {
        "id": picture.id,
        "paths": picture.shown_paths,
        "width": picture.width,
        "height": picture.height,
        "format": picture.format,
        "bytes": picture.bytes,
        "taken_at": picture.taken_at.isoformat() if picture.taken_at else None,
        "captions": [
            {"text": caption.text, "source": caption.source, "logprob": caption.logprob}
            | {"model_version": caption.model_version}
            for caption in picture.captions
        ],
        "can_undo": library.store.can_undo_caption(picture.id),
        "links": links(picture),
    }


def _with_links(result: SearchResult) -> Document:
    return vars(result) | {"hits": [hit.to_json() | shown(hit.picture) for hit in result.hits]}
