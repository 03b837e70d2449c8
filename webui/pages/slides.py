"""The slideshow of any hits or album: a page for each picture, which leads on by itself."""

from __future__ import annotations

from http import HTTPStatus

from flask import Blueprint, Response, render_template, request
from flask_babel import gettext

from webui.api import answers
from webui.pages.hits import browse
from webui.pages.picture import PLAYABLE, SHOWABLE, sizes_of
from webui.problems import Problem
from webui.request.parameters import takes
from webui.request.search_request import PAGE_PARAMETERS, SearchRequest, read_page_request
from webui.request.values import Window, find_picture, read_position, whole_number

slides_page = Blueprint("slides_page", __name__)

SECONDS = (3, 5, 8, 15, 30)
USUAL = 5
LONGEST = 600


@slides_page.get("/slideshow")
@takes(*PAGE_PARAMETERS, "at", "seconds", "play")
def show() -> Response:
    """One picture, and the addresses of those before and after it; after the last comes the first again."""
    search, at = read_page_request(request.args), read_position(request.args) or 0
    seconds = whole_number(request.args, "seconds", USUAL, 1, LONGEST)
    playing = request.args.get("play") == "true"
    total, hit = _at(search, at)
    if hit is None and at:
        at = 0
        total, hit = _at(search, at)
    if hit is None:
        raise Problem(HTTPStatus.NOT_FOUND, gettext("there is no picture to show; search for something else"))
    picture, moves = find_picture(hit["id"]), hit["duration"] is not None

    def address(place: int, **changed: object) -> str:
        given = {"seconds": seconds, "play": "true" if playing else None} | changed
        return search.slideshow(place % total, **given)

    page = render_template(
        "slides.html",
        hit=hit,
        at=at,
        total=total,
        film=moves and picture.format in PLAYABLE,
        source=hit["links"]["file" if moves and picture.format in SHOWABLE | PLAYABLE else "preview"],
        sizes="" if moves else sizes_of(hit["width"], hit["height"], hit["links"]),
        previous=address(at - 1),
        following=address(at + 1),
        playing=playing,
        toggle=address(at, play=None if playing else "true"),
        seconds=seconds,
        choices=sorted({*SECONDS, seconds}),
        search=search,
        back=search.page_with(at),
    )
    # The header leads on where no script does.
    return Response(page, headers={"Refresh": f"{seconds}; url={address(at + 1)}"} if playing else None)


def _at(search: SearchRequest, at: int) -> tuple[int, answers.Document | None]:
    """Return how many hits there are, and the one at a place, None where there is none."""
    window = Window(1, at)
    if not search.queried:
        total, hits = browse(search, window)
    else:
        search.check()
        document = answers.search(search, window).document
        total, hits = document["total"], document["hits"]
    return total, next(iter(hits), None)
