"""The page of one picture, with its neighbours among the hits that led to it."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, NamedTuple

from flask import Blueprint, redirect, render_template, request
from flask_babel import gettext
from werkzeug.wrappers import Response

from data.catalogue.fields import has_user_facts, remove_user_facts, set_user_facts
from data.catalogue.files import as_text
from data.catalogue.values import CRAWLED, LOCATED, PREDICTED, USER, Value
from data.store import Store, StoredPicture
from webui.api import answers
from webui.api.answers import Document
from webui.api.catalogue import read_value
from webui.api.pictures import check_caption
from webui.language.formats import percent
from webui.media import PREVIEW, PREVIEWS, THUMBNAIL
from webui.pages.albums import choose_albums
from webui.pages.formatting import facts_of
from webui.pages.hits import browse, query_pictures
from webui.pages.people import faces_on, say_who
from webui.pages.places import place_of
from webui.request.filters import catalogue
from webui.request.parameters import takes
from webui.request.search_request import PAGE_PARAMETERS, SearchRequest, read_page_request
from webui.request.values import Window, find_picture, read_position, read_time
from webui.services import services

SHOWABLE = {"JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "AVIF"}
"""Formats that browsers show; others can be seen as previews only."""
LIGHT = 300_000
"""Bytes of a file that is shown itself where it is no larger than a preview."""

PLAYABLE = {"MP4", "MOV", "WebM", "Matroska"}
"""Formats that browsers play; an AVI is shown by its frames."""

picture_page = Blueprint("picture_page", __name__)

COLOUR_KINDS = ("dominant_colours", "colour_layout")
"""Kinds of vectors that compare colours, the first that a library has."""
FACT = "fact."
"""Begins the names of the form's fields for the catalogue; those of filters begin otherwise."""
SAVED = {"undo": "undone", "who": "who", "albums": "albums", "facts": "facts", "unfacts": "unfacts"}

_PICTURE = "/picture/<id:picture_id>"


class Fact(NamedTuple):
    """A field of the catalogue on the page of a picture: its value as text or number, None for none."""

    name: str
    label: str
    type: str
    value: Any
    said: Document

    @property
    def text(self) -> str:
        """The value in the form."""
        return as_text(self.value)

    @property
    def by(self) -> str:
        """Who says so, where that is not the import."""
        if self.said.get("source") == PREDICTED:
            return gettext("predicted, %(percent)s sure", percent=percent(self.said["confidence"] or 0))
        told = {USER: gettext("yours"), CRAWLED: gettext("found with the picture"), LOCATED: gettext("by its GPS data")}
        return told.get(self.said.get("source", ""), "")


class Neighbours(NamedTuple):
    """A picture among hits: itself as a hit with the words to mark in it, and the addresses of the previous and the
    next one."""

    hit: Document | None = None
    marks: str = ""
    previous: str | None = None
    next: str | None = None


@picture_page.get(_PICTURE)
@takes(*PAGE_PARAMETERS, "at", "saved", "time")
def show(picture_id: int) -> str:
    """One picture, large, and all that is stored about it."""
    search, at = read_page_request(request.args), read_position(request.args)
    stored = find_picture(picture_id)
    document = answers.picture_document(stored)
    captions = document["captions"] or _captions_at(document, read_time(request.args))
    return render_template(
        "picture.html",
        picture=document,
        search=search,
        at=at,
        neighbours=_neighbours(search, at, picture_id) if at is not None else Neighbours(),
        query_pictures=query_pictures(search),
        caption=captions[0]["text"] if captions else "",
        by_user=any(caption["source"] == "user" for caption in captions),
        facts=facts_of(document),
        colour_kind=next((kind for kind in COLOUR_KINDS if kind in services().library.searcher().index.models), None),
        catalogue=_catalogue(document),
        place=place_of(document),
        faces=faces_on(stored, search),
        edited=has_user_facts(_store(), picture_id),
        filename=PurePath(document["paths"][0]).name if document["paths"] else "",
        shown=_shown(document),
        player=_player(document, read_time(request.args)),
        back=search.page_with(at),
        saved=request.args.get("saved"),
    )


@picture_page.post(_PICTURE)
def correct(picture_id: int) -> Response:
    """Save, remove or undo a person's caption, and show the picture again."""
    search, at = read_page_request(request.form), read_position(request.form)
    picture = find_picture(picture_id)
    store, action = _store(), request.form.get("do", "save")
    if action == "facts":
        _save_facts(picture)
    elif action == "unfacts":
        remove_user_facts(store, picture_id)
    elif action == "who":
        say_who()
    elif choose_albums(picture_id):
        action = "albums"
    elif action == "undo":
        store.undo_user_caption(picture_id)
    elif action == "remove":
        store.remove_user_caption(picture_id)
    else:
        store.set_user_caption(picture_id, check_caption(request.form.get("text", "")))
    return redirect(search.picture(picture_id, at, saved=SAVED.get(action, "saved")), 303)


def _captions_at(document: Document, time: float | None) -> list[Document]:
    """Return the caption of the frame of a film that is nearest to a time."""
    frames = document["film"]["frames"] if document["film"] else []
    nearest = min(frames, key=lambda frame: abs(frame["time"] - (time or 0.0)), default=None)
    return [{"text": nearest["caption"], "source": "model"}] if nearest and nearest["caption"] else []


class Shown(NamedTuple):
    """How a picture is shown: the address of what fills the place, all sizes as `srcset`, and the file to zoom into.

    `sizes` and `file` are "" where the first is all there is.
    """

    source: str
    sizes: str = ""
    file: str = ""


def _shown(document: Document) -> Shown:
    """Return the preview of a picture, or its file where that is small or moves."""
    width, height, links = document["width"], document["height"], document["links"]
    showable = document["format"] in SHOWABLE
    if document["film"] is not None:
        return Shown(links["file"] if showable else links["thumbnail"])
    if showable and document["bytes"] <= LIGHT and max(width, height) <= PREVIEW:
        return Shown(links["file"])
    return Shown(links["preview"], sizes_of(width, height, links), links["file"] if showable else "")


def sizes_of(width: int, height: int, links: dict[str, str]) -> str:
    """Return the smaller versions of a picture as a browser chooses among them: address and width of each."""
    made = {links["thumbnail"]: THUMBNAIL}
    made |= {f"{links['preview']}&side={side}": webp for side, webp in PREVIEWS.items()}
    # Of those that are as wide the smallest.
    widths = {webp.size(width, height)[0]: address for address, webp in reversed(made.items())}
    return ", ".join(f"{address} {across}w" for across, address in sorted(widths.items()))


class Player(NamedTuple):
    """How a film is shown: from which second on, that frame, and the address of the part from there on."""

    time: float
    poster: str
    source: str


def _player(document: Document, time: float | None) -> Player | None:
    """Return how a film is shown, None for a picture and for what browsers show as one, or cannot play."""
    film = document["film"]
    if film is None or document["format"] not in PLAYABLE:
        return None
    nearest = min(film["frames"], key=lambda frame: abs(frame["time"] - (time or 0.0)), default=None)
    poster = nearest["thumbnail"] if nearest else document["links"]["thumbnail"]
    return Player(time or 0.0, poster, f"{document['links']['file']}#t={time or 0.0:g}")


def _store() -> Store:
    return services().library.store


def _catalogue(document: Document) -> list[Fact]:
    """Return the fields of the catalogue with what the picture has, and who says so."""
    known = {one["name"]: one for one in document["fields"]}
    return [
        Fact(of.name, of.label, of.type, known.get(of.name, {}).get("value"), known.get(of.name, {}))
        for of in (field.of for field in catalogue())
    ]


def _save_facts(picture: StoredPicture) -> None:
    """Store the values in the form that differ from those shown, as a person's. Raise Problem 400 before any is."""
    before = {fact.field.id: fact.text for fact in picture.facts}
    changed: dict[int, Value | None] = {}
    for of in (field.of for field in catalogue()):
        given = request.form.get(f"{FACT}{of.name}")
        if given is not None:
            value = read_value(of, given)
            if (value.text if value else None) != before.get(of.id):
                changed[of.id] = value
    if changed:
        set_user_facts(_store(), picture.id, changed)


def _neighbours(search: SearchRequest, at: int, picture_id: int) -> Neighbours:
    """Return none where the hits have changed, so that the picture is no longer at this position."""
    first = max(0, at - 1)
    listed, marks = _hits(search, Window(at - first + 2, first))
    hits = dict(enumerate(listed, first))
    if at not in hits or hits[at]["id"] != picture_id:
        return Neighbours()
    previous, following = (
        search.picture(hits[position]["id"], position, time=hits[position].get("time")) if position in hits else None
        for position in (at - 1, at + 1)
    )
    return Neighbours(hits[at] if search.queried else None, marks, previous, following)


def _hits(search: SearchRequest, window: Window) -> tuple[list[Document], str]:
    """Return the hits of a window, and the words to mark in their captions."""
    if not search.queried:
        return browse(search, window)[1], ""
    search.check()
    answer = answers.search(search, window)
    return answer.document["hits"], answer.words
