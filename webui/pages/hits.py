"""The page of hits. Every state of it is made here, so it works without scripts; the script only spares reloads."""

from __future__ import annotations

from http import HTTPStatus
from itertools import islice
from typing import Any

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from retrieval.search.query import Query
from webui.api import answers
from webui.api.export import FORMATS, exported
from webui.api.listed import as_hit
from webui.pages.narrowing import loosened, narrowing
from webui.problems import Problem
from webui.request.asked import LONGEST_ID, Asked, read_shown
from webui.request.narrowed import known_value
from webui.request.uploads import in_words, read_uploads
from webui.request.window import Window, read_window
from webui.services import services

SUGGESTIONS = 4
LONGEST_SUGGESTION = 48

ONE = Window(limit=1, offset=0)

pages = Blueprint("pages", __name__)


@pages.get("/")
def by_words() -> str:
    """The hits for words and pictures of the library, or without a query the library itself."""
    window = read_window(request.args)
    asked = read_shown(request.args)
    return _hits(asked, window) if asked.anything else _browse(asked, window)


@pages.post("/")
def by_picture() -> str:
    """The hits for uploaded pictures, and for words and pictures of the library beside them."""
    uploads = read_uploads(request, services().library.settings.max_upload_bytes)
    return _hits(read_shown(request.form, uploads), read_window(request.form))


@pages.post("/export")
def export_selection() -> Response:
    """The chosen hits as a file."""
    ids = request.form.getlist("ids")
    if not all(one.isascii() and one.isdigit() and len(one) <= LONGEST_ID for one in ids):
        raise Problem(HTTPStatus.BAD_REQUEST, "the fields ids must be ids of pictures")
    return exported(known_value(request.form, "form", FORMATS) or FORMATS[0], [int(one) for one in ids])


@pages.app_context_processor
def _for_every_template() -> dict[str, Any]:
    cap = services().library.settings.max_upload_bytes
    return {"upload_cap": cap, "upload_cap_in_words": in_words(cap), "asked": Asked(request.args.get("q", ""))}


def _hits(asked: Asked, window: Window) -> str:
    asked.check()
    answer = answers.search(asked, window)
    total = answer.document["total"]
    return render_template(
        "hits.html",
        answer=answer.document,
        notice=answer.notice,
        total=total,
        asked=asked,
        window=window,
        uploaded=[("like", preview) for preview in answer.previews] + [("unlike", one) for one in answer.avoided],
        chosen=chosen(asked),
        narrowing=narrowing(asked),
        loosened=[] if total else loosened(asked, lambda other: answers.search(other, ONE).document["total"]),
    )


def chosen(asked: Asked) -> list[answers.Document]:
    """The pictures of the library in a query, as hits with what they are there for and their weights."""
    listed = [("like", one) for one in asked.like] + [("unlike", one) for one in asked.unlike]
    stored = services().library.store.pictures([one.id for _, one in listed])
    return [
        as_hit(stored[one.id]) | {"purpose": purpose, "weight": one.weight}
        for purpose, one in listed
        if one.id in stored
    ]


def browse(asked: Asked, window: Window) -> tuple[int, list[answers.Document]]:
    """How many pictures the filters keep, and some of them as hits without scores."""
    library = services().library
    ids = library.collection.browse(asked.narrowed.filters, asked.narrowed.order)
    shown = library.store.pictures(ids[window.offset : window.offset + window.limit].tolist())
    return len(ids), [as_hit(picture) for picture in shown.values()]


def _browse(asked: Asked, window: Window) -> str:
    total, hits = browse(asked, window)
    starting = not (window.offset or asked.narrowed.fields or asked.unlike)
    return render_template(
        "start.html",
        asked=asked,
        window=window,
        total=total,
        hits=hits,
        chosen=chosen(asked),
        suggestions=_suggestions(hits) if starting else [],
        starting=starting,
        narrowing=narrowing(asked),
        loosened=[] if total else loosened(asked, lambda other: browse(other, ONE)[0]),
    )


def _suggestions(hits: list[answers.Document]) -> list[str]:
    """A few short captions of pictures far apart that find something, as examples of what can be asked."""
    captions = list(dict.fromkeys(hit["caption"] for hit in hits if 0 < len(hit["caption"]) <= LONGEST_SUGGESTION))
    step = max(1, len(captions) // SUGGESTIONS)
    spread = [caption for first in range(step) for caption in captions[first::step]]
    return list(islice(filter(_finds_something, spread), SUGGESTIONS))


def _finds_something(caption: str) -> bool:
    """Not every caption that was made up does: others may be nearer to its picture's looks."""
    return services().library.search(Query(caption), 1).total > 0
