"""The page of albums, and what forms on other pages do with favourites and albums."""

from __future__ import annotations

from collections.abc import Sequence

from flask import Blueprint, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.wrappers import Response

from data.albums import albums as changes
from data.albums import history
from data.albums.favourites import set_favourites
from data.albums.membership import AlbumMembers
from data.store import Store
from retrieval.search.search import DEFAULT_LIMIT
from webui.api.albums import album_documents, checked_query
from webui.api.answers import Document
from webui.request.parameters import takes
from webui.request.search_request import read_page_request
from webui.request.values import MAX_OFFSET, check_text, read_ids, read_window, whole_number
from webui.services import services

albums_page = Blueprint("albums_page", __name__)


@albums_page.get("/albums")
@takes("done")
def show() -> str:
    """All albums, each with a picture of it."""
    store = _store()
    listed = album_documents(changes.list_albums(store))
    return render_template(
        "albums.html",
        albums=[one | {"address": address_of(one)} for one in listed],
        undoable=history.last_change(store),
        done=_done(request.args.get("done", "")),
    )


@albums_page.post("/albums")
def change() -> Response:
    """Make, rename or delete an album, put the selected pictures into one or take them out, or undo the last change."""
    action, chosen = request.form.get("do", "add"), read_ids(request.form, "ids")
    if action == "undo":
        history.undo(_store())
    elif action == "new":
        return redirect(_made(chosen), 303)
    elif action == "save":
        changes.make_album(_store(), _name(), query=checked_query(request.form.get("query", "")))
    elif action == "rename":
        changes.change_album(_store(), _album(), _name())
    elif action == "delete":
        changes.delete_album(_store(), _album())
    else:
        return redirect(_put(action, chosen), 303)
    return redirect(url_for("albums_page.show", done=action), 303)


@albums_page.post("/favourites")
def mark() -> Response:
    """Make pictures favourites, or no favourites any more, and show the same hits again."""
    for field, favourite in (("mark", True), ("unmark", False)):
        chosen = read_ids(request.form, field)
        if chosen:
            set_favourites(_store(), chosen, favourite)
    if request.form.get("do") in ("favourite", "unfavourite"):
        set_favourites(_store(), read_ids(request.form, "ids"), request.form["do"] == "favourite")
    window = read_window(request.form)
    limit = None if window.limit == DEFAULT_LIMIT else window.limit
    return redirect(read_page_request(request.form).address(limit=limit, offset=window.offset or None), 303)


def address_of(album: Document) -> str:
    """Return the address of the pictures of an album."""
    root = url_for("pages.by_words")
    return url_for("pages.by_words", album=album["id"]) if album["query"] is None else f"{root}?{album['query']}"


def choose_albums(picture_id: int) -> bool:
    """Do what the form on the page of a picture says of favourites and albums; return whether it says something."""
    action = request.form.get("do", "")
    if action in ("favourite", "unfavourite"):
        set_favourites(_store(), [picture_id], action == "favourite")
    elif action == "into":
        changes.add_pictures(_store(), _album(), [picture_id])
    elif action == "out":
        changes.remove_pictures(_store(), _album(), [picture_id])
    elif action == "new":
        changes.make_album(_store(), _name(), [picture_id])
    else:
        return False
    return True


@albums_page.app_template_global()
def hand_picked() -> Sequence[AlbumMembers]:
    """Return the albums that pictures can be put into."""
    return services().library.collection.state()[0].membership.albums


@albums_page.app_template_global()
def saved_as(query: str) -> str | None:
    """Return the name of the saved search with this query string, None if there is none."""
    return changes.saved_as(_store(), query)


@albums_page.app_template_global()
def album_name(album_id: int) -> str:
    """Return the name of an album. Raise UnknownAlbum."""
    return services().library.collection.album_name(album_id)


def _done(action: str) -> str | None:
    done = {
        "save": gettext("The search was saved."),
        "rename": gettext("The name was saved."),
        "delete": gettext("The album was deleted. Its pictures are still in the library."),
        "undo": gettext("The change was undone."),
    }
    return done.get(action)


def _made(chosen: list[int]) -> str:
    number = changes.make_album(_store(), _name(), chosen)
    return url_for("pages.by_words", album=number) if chosen else url_for("albums_page.show")


def _put(action: str, chosen: list[int]) -> str:
    """Put pictures into an album, or take them out, and return the address of the album."""
    number = _album("into" if action == "add" else "of")
    if chosen and action == "remove":
        changes.remove_pictures(_store(), number, chosen)
    elif chosen and action == "cover":
        changes.change_album(_store(), number, cover=chosen[0])
    elif chosen:
        others = [one for one in changes.find_album(_store(), number).pictures if one not in chosen]
        changes.add_pictures(_store(), number, chosen, before=next(iter(others), None) if action == "first" else None)
    return url_for("pages.by_words", album=number)


def _album(field: str = "into") -> int:
    return whole_number(request.form, field, -1, 0, MAX_OFFSET)


def _name() -> str:
    return check_text("name", request.form.get("name", ""))


def _store() -> Store:
    return services().library.store
