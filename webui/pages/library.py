"""The pages that maintain a library: folders and indexing, skipped files, and copies.

They are clients of the API in the same process: they show what the API answers, so both always agree.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from data.identity import DAYS_KEPT
from webui.api import duplicates, library
from webui.problems import Problem
from webui.request.parameters import takes
from webui.request.values import WINDOW_NAMES, read_window
from webui.services import services

library_page = Blueprint("library_page", __name__)


@library_page.get("/library")
@takes("in", "add", "path", *WINDOW_NAMES)
def show() -> str:
    """Folders, model and indexing; with `in`, `path` or `add` also the folders that may be added."""
    adding = bool(request.args.keys() & {"in", "add", "path"})
    overview: Any = library.overview().json
    running = bool(overview["job"]) and overview["job"]["state"] in ("running", "stopping")
    return render_template(
        "library.html",
        library=overview,
        running=running,
        # The counts read every row, and change all the time while pictures are added.
        notices=None if running else library.notices().json,
        days_kept=DAYS_KEPT,
        server_folders=library.places().json if adding else None,
    )


@library_page.post("/library")
def change() -> Response:
    """Do what the pressed button says, and show the page again."""
    action = _ACTIONS.get(request.form.get("do", ""))
    if action is None:
        raise Problem(HTTPStatus.BAD_REQUEST, "the field do must name one of the page's buttons")
    action(request.form)
    return redirect(url_for("library_page.show"), 303)


@library_page.get("/library/skipped")
@takes(*WINDOW_NAMES)
def skipped() -> str:
    """The files that could not be indexed, and why."""
    return render_template("skipped.html", answer=library.skipped().json, window=read_window(request.args))


@library_page.get("/library/noted")
@takes(*WINDOW_NAMES)
def noted() -> str:
    """The pictures that could not be read completely, and what of them is missing."""
    return render_template("noted.html", answer=library.noted().json, window=read_window(request.args))


def _add(form: MultiDict[str, str]) -> None:
    root = library.add_server_folder(form.get("place", ""))
    if form.get("index"):
        library.start_indexing(root.id, recaption=False)


_ACTIONS: dict[str, Callable[[MultiDict[str, str]], object]] = {
    "add": _add,
    "forget": lambda form: library.forget_folder(form.get("folder", "")),
    "index": lambda form: library.start_indexing(form.get("folder") or None, recaption=False),
    "recaption": lambda _: library.start_indexing(None, recaption=True),
    "stop": lambda _: library.stop_job(),
}


PATIENCE = 0.2
"""Seconds that the page waits for near copies; later it says how far the comparing is."""

duplicates_page = Blueprint("duplicates_page", __name__)


@duplicates_page.get("/duplicates", endpoint="show")
@takes("kind", "decided", *WINDOW_NAMES)
def show_duplicates() -> Response:
    """Groups of exact or near copies, as the API answers them."""
    kind = request.args.get("kind") or "exact"
    if kind == "exact":
        services().copies.find(0)  # near copies are looked for while a person reads these
    answer = duplicates.listed(PATIENCE)
    page = render_template(
        "duplicates.html",
        answer=answer,
        kind=kind,
        decided=request.args.get("decided"),
        window=read_window(request.args),
    )
    # Nobody has begun to choose where nothing is shown yet.
    return Response(
        page, mimetype="text/html", headers={"Refresh": "2"} if answer["working"] and not answer["groups"] else {}
    )


@duplicates_page.post("/duplicates", endpoint="choose")
def choose_copies() -> Response:
    """Keep the checked copies, or undo that, and show the groups again."""
    key, kind = request.form.get("key", ""), request.form.get("kind", "exact")
    if request.form.get("do") == "undo":
        duplicates.forget_duplicates(key)
    else:
        checked = request.form.getlist("keep")
        duplicates.keep_copies(key, [int(one) if kind == "near" and one.isdecimal() else one for one in checked])
    return redirect(url_for("duplicates_page.show", kind=kind, _anchor=key), 303)
