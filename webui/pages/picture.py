"""The page of one picture, with its place among the hits that led to it."""

from __future__ import annotations

from pathlib import PurePath
from typing import NamedTuple

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from webui.api import answers
from webui.api.answers import Document
from webui.api.captions import checked
from webui.pages.hits import browse, chosen
from webui.pages.shown import facts_of
from webui.request.asked import Asked, read_shown
from webui.request.paths import find_picture
from webui.request.window import Window, read_place
from webui.services import services

SHOWABLE = {"JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "AVIF"}
"""Formats that browsers know; of the others they are shown the thumbnail."""

picture_page = Blueprint("picture_page", __name__)

_PICTURE = "/picture/<id:picture_id>"


class Place(NamedTuple):
    """A picture among hits: itself as a hit, and the addresses of the one before and the one after."""

    hit: Document | None = None
    previous: str | None = None
    next: str | None = None


@picture_page.get(_PICTURE)
def show(picture_id: int) -> str:
    """One picture, large, and all that is known of it."""
    asked, at = read_shown(request.args), read_place(request.args)
    document = answers.picture_document(find_picture(picture_id))
    captions = document["captions"]
    return render_template(
        "picture.html",
        picture=document,
        asked=asked,
        at=at,
        place=_place(asked, at, picture_id) if at is not None else Place(),
        chosen=chosen(asked),
        caption=captions[0]["text"] if captions else "",
        by_user=any(one["source"] == "user" for one in captions),
        facts=facts_of(document),
        filename=PurePath(document["paths"][0]).name if document["paths"] else "",
        showable=document["format"] in SHOWABLE,
        back=asked.page_with(at),
        saved=request.args.get("saved"),
    )


@picture_page.post(_PICTURE)
def correct(picture_id: int) -> Response:
    """Save, take away or undo a person's caption, and show the picture again."""
    asked, at = read_shown(request.form), read_place(request.form)
    find_picture(picture_id)
    store, do = services().library.store, request.form.get("do", "save")
    if do == "undo":
        store.undo_user_caption(picture_id)
    elif do == "remove":
        store.remove_user_caption(picture_id)
    else:
        store.set_user_caption(picture_id, checked(request.form.get("text", "")))
    return redirect(asked.picture(picture_id, at, saved="undone" if do == "undo" else "saved"), 303)


def _place(asked: Asked, at: int, picture_id: int) -> Place:
    """Nothing where the hits have changed since, so that the picture is at that place no more."""
    first = max(0, at - 1)
    window = Window(at - first + 2, first)
    hits = _hits(asked, window)
    around = dict(enumerate(hits, first))
    if at not in around or around[at]["id"] != picture_id:
        return Place()
    previous, following = (
        asked.picture(around[place]["id"], place) if place in around else None for place in (at - 1, at + 1)
    )
    return Place(around[at] if asked.anything else None, previous, following)


def _hits(asked: Asked, window: Window) -> list[Document]:
    if not asked.anything:
        return browse(asked, window)[1]
    asked.check()
    hits: list[Document] = answers.search(asked, window).document["hits"]
    return hits
