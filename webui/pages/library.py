"""The page of the library: its folders, adding and removing them, indexing, and what was skipped.

It is a client of the API beside it: it shows what the API answers, so both always say the same.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from webui.api import library
from webui.problems import Problem
from webui.request.values import read_window

library_page = Blueprint("library_page", __name__)


@library_page.get("/library")
def show() -> str:
    """Folders, model and indexing; with `in` or `add` also the folders that may be added."""
    adding = bool(request.args.keys() & {"in", "add"})
    return render_template(
        "library.html", library=library.overview().json, places=library.places().json if adding else None
    )


@library_page.post("/library")
def change() -> Response:
    """Do what a button of the page says, and show it again."""
    act = _ACTS.get(request.form.get("do", ""))
    if act is None:
        raise Problem(HTTPStatus.BAD_REQUEST, "the field do must name one of the page's buttons")
    act(request.form)
    return redirect(url_for("library_page.show"), 303)


@library_page.get("/library/skipped")
def skipped() -> str:
    """The files that could not be taken, and why."""
    return render_template("skipped.html", answer=library.skipped().json, window=read_window(request.args))


def _add(form: MultiDict[str, str]) -> None:
    root = library.add_place(form.get("place", ""))
    if form.get("index"):
        library.start_indexing(root.id, recaption=False)


_ACTS: dict[str, Callable[[MultiDict[str, str]], object]] = {
    "add": _add,
    "forget": lambda form: library.forget_folder(form.get("folder", "")),
    "index": lambda form: library.start_indexing(form.get("folder") or None, recaption=False),
    "recaption": lambda _: library.start_indexing(None, recaption=True),
    "stop": lambda _: library.stop_job(),
}
