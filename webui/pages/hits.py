"""The page of hits. The server renders every state of it, so it works without scripts; they only avoid reloads."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any, NamedTuple

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from retrieval.search.query import Query
from webui.api import answers
from webui.api.answers import as_hit, as_hits
from webui.api.export import FORMATS, exported
from webui.language.formats import size
from webui.pages.filter_form import filter_form, filters_to_loosen
from webui.pages.people import around
from webui.problems import Problem
from webui.request.parameters import takes
from webui.request.search_request import PAGE_PARAMETERS, SearchRequest, read_page_request, read_uploads
from webui.request.values import LONGEST_ID, WINDOW_NAMES, Window, known_value, read_window
from webui.services import services

EXAMPLES = 4
LONGEST_EXAMPLE = 48

BY_DATE = ("newest", "oldest")
DATES = frozenset({"taken_from", "taken_to"})
"""The filters by date."""

ONE_HIT = Window(limit=1, offset=0)

pages = Blueprint("pages", __name__)


@pages.get("/")
@takes(*PAGE_PARAMETERS, *WINDOW_NAMES)
def by_words() -> str:
    """The hits for words and pictures of the library, or without a query the library itself."""
    window = read_window(request.args)
    search = read_page_request(request.args)
    return _hits(search, window) if search.queried else _library(search, window)


@pages.post("/")
def by_picture() -> str:
    """The hits for uploaded pictures, and for words and pictures of the library beside them."""
    uploads = read_uploads(request, services().library.settings.max_upload_bytes)
    return _hits(read_page_request(request.form, uploads), read_window(request.form))


@pages.post("/export")
def export_selection() -> Response:
    """The selected hits as a file."""
    ids = request.form.getlist("ids")
    if not all(given.isascii() and given.isdigit() and len(given) <= LONGEST_ID for given in ids):
        raise Problem(HTTPStatus.BAD_REQUEST, "the fields ids must be ids of pictures")
    return exported(known_value(request.form, "form", FORMATS) or FORMATS[0], list(map(int, ids)))


@pages.app_context_processor
def _for_every_template() -> dict[str, Any]:
    cap = services().library.settings.max_upload_bytes
    words = SearchRequest(request.args.get("q", ""))
    return {"upload_cap": cap, "upload_cap_in_words": size(cap), "search": words}


def _hits(search: SearchRequest, window: Window) -> str:
    search.check()
    answer = answers.search(search, window)
    total = answer.document["total"]
    return render_template(
        "hits.html",
        answer=answer.document,
        notice=answer.notice,
        marks=answer.words,
        total=total,
        search=search,
        window=window,
        around=around(search, answer.document["query"], answer.previews),
        with_faces=bool(_is_wanted(answer.previews) and services().library.faces.vectors()[0]),
        uploaded=answer.previews,
        query_pictures=query_pictures(search),
        filters=filter_form(search),
        loosened=[] if total else filters_to_loosen(search, _total),
    )


def _is_wanted(uploads: Sequence[answers.Preview]) -> bool:
    """Return whether the first upload is one to be like."""
    return bool(uploads) and uploads[0].purpose == "like"


def _total(search: SearchRequest) -> int:
    return int(answers.search(search, ONE_HIT).document["total"])


def query_pictures(search: SearchRequest) -> list[answers.Document]:
    """Return the pictures of the library in a query, as hits with their purpose (like or unlike) and weight."""
    given = [("like", one) for one in search.like] + [("unlike", one) for one in search.unlike]
    stored = services().library.store.pictures([one.id for _, one in given])
    return [
        as_hit(stored[one.id]) | {"purpose": purpose, "weight": one.weight}
        for purpose, one in given
        if one.id in stored
    ]


def browse(search: SearchRequest, window: Window) -> tuple[int, list[answers.Document]]:
    """Return how many pictures the filters keep, and those of the window as hits without scores."""
    library = services().library
    ids = library.collection.browse(search.filters, search.order)
    shown = library.store.pictures(ids[window.offset : window.offset + window.limit].tolist())
    return len(ids), as_hits(shown.values())


class Year(NamedTuple):
    """A year, and the address of the page that begins with its pictures."""

    year: str
    pictures: int
    address: str


def _years(search: SearchRequest) -> list[Year]:
    """Return the years of the pictures in the order that is shown, none if that is not by date or has one year only."""
    if search.order not in BY_DATE or search.filters.keys() & DATES:
        return []
    counts = services().library.collection.facets(search.filters).counts["year"]
    ordered = counts if search.order == BY_DATE[0] else counts[::-1]
    first, years = 0, []
    for count in ordered:
        years.append(Year(count.value, count.pictures, search.address(offset=first or None)))
        first += count.pictures
    return years if len(years) > 1 else []


def _library(search: SearchRequest, window: Window) -> str:
    total, hits = browse(search, window)
    starting = not (window.offset or search.filters or search.unlike or request.args.get("sort"))
    return render_template(
        "start.html",
        search=search,
        window=window,
        total=total,
        hits=hits,
        query_pictures=query_pictures(search),
        examples=_examples(hits) if starting else [],
        starting=starting,
        years=_years(search),
        filters=filter_form(search),
        loosened=[] if total else filters_to_loosen(search, lambda other: browse(other, ONE_HIT)[0]),
    )


def _examples(hits: list[answers.Document]) -> list[str]:
    """Return a few short captions, of pictures far apart in the list, that find something."""
    captions = list(dict.fromkeys(hit["caption"] for hit in hits if 0 < len(hit["caption"]) <= LONGEST_EXAMPLE))
    step = max(1, len(captions) // EXAMPLES)
    spread = [caption for first in range(step) for caption in captions[first::step]]
    return list(islice(filter(_finds_something, spread), EXAMPLES))


def _finds_something(caption: str) -> bool:
    """Not every caption does: no picture may be close to it, its own included."""
    return services().library.search(Query(caption), 1).total > 0
