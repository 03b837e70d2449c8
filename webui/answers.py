"""Search answers as the API gives them and the page shows them."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import url_for

from captioner.types import Description
from data.paths import display, from_bytes
from data.store import StoredPicture
from retrieval.known import known_picture
from retrieval.query import Query, Wanted
from retrieval.results import SearchResult
from webui.asked import Asked, no_picture
from webui.services import services
from webui.window import Window

Document = dict[str, Any]


class Answer(NamedTuple):
    """The document that the API gives, and small pictures of the uploads to be like, for the page."""

    document: Document
    previews: list[str]


def search(asked: Asked, window: Window) -> Answer:
    """Search; uploaded pictures come before those of the library.

    Raises QueryError, StoreError, PictureError, or Problem 404 for an unknown picture, 503 for a busy captioner.
    """
    services().metrics.searched(asked)
    known = [[Wanted(_known(one.id), one.weight) for one in chosen] for chosen in (asked.like, asked.unlike)]
    like, unlike = (
        [services().describer.describe(content) for content in contents]
        for contents in (asked.uploads.like, asked.uploads.unlike)
    )
    wanted, unwanted = (
        [*(Wanted(one.description) for one in uploaded), *chosen]
        for uploaded, chosen in zip((like, unlike), known, strict=True)
    )
    query = Query(asked.text, wanted, unwanted)
    library, narrowed = services().library, asked.narrowed
    selection = library.collection.select(narrowed.filters, narrowed.order)
    result = library.search(query, window.limit, window.offset, asked.distant, selection)
    return Answer(_with_links(result), [one.preview for one in like])


def _known(picture_id: int) -> Description:
    found = known_picture(services().library, picture_id)
    if found is None:
        raise no_picture(picture_id)
    return found


def picture_document(picture: StoredPicture) -> Document:
    """Return all that is known of one picture."""
    return {
        "id": picture.id,
        "paths": [display(from_bytes(path)) for path in picture.paths],
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
        "can_undo": services().library.store.can_undo_caption(picture.id),
        "links": links(picture),
    }


def as_hit(picture: StoredPicture) -> Document:
    """Return a picture in the shape of a hit, without scores."""
    captions = [caption.text for caption in picture.captions]
    path = display(from_bytes(picture.paths[0])) if picture.paths else ""
    hit = {"id": picture.id, "path": path, "caption": captions[0] if captions else "", "captions": captions}
    return hit | _shown(picture)


def _shown(picture: StoredPicture) -> Document:
    """What it takes to show a picture that is listed."""
    return {"width": picture.width, "height": picture.height, "links": links(picture)}


def links(picture: StoredPicture) -> dict[str, str]:
    """Return the addresses of the picture's file and thumbnail.

    They carry the content's hash, so that a browser may keep them for good and still never shows an old picture
    when another library uses the same id.
    """
    version = picture.digest[:16]
    return {
        "file": url_for("api.file", picture_id=picture.id, v=version),
        "thumbnail": url_for("api.thumbnail", picture_id=picture.id, v=version),
    }


def _with_links(result: SearchResult) -> Document:
    answer = result.to_json()
    pictures = services().library.store.pictures([hit["id"] for hit in answer["hits"]])
    hits = [hit | _shown(pictures[hit["id"]]) for hit in answer["hits"] if hit["id"] in pictures]
    return answer | {"hits": hits}
