"""The page of copies: groups side by side, which of them to keep, and undoing that. No file is ever touched."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from webui.api import duplicates
from webui.request.values import read_window

duplicates_page = Blueprint("duplicates_page", __name__)


@duplicates_page.get("/duplicates")
def show() -> str:
    """Groups of exact or near copies, as the API answers them."""
    return render_template(
        "duplicates.html",
        answer=duplicates.list_duplicates().json,
        kind=request.args.get("kind") or "exact",
        decided=request.args.get("decided"),
        window=read_window(request.args),
    )


@duplicates_page.post("/duplicates")
def choose() -> Response:
    """Keep the copies that are ticked, or undo that, and show the groups again."""
    key, kind = request.form.get("key", ""), request.form.get("kind", "exact")
    if request.form.get("do") == "undo":
        duplicates.forget_duplicates(key)
    else:
        ticked = request.form.getlist("keep")
        duplicates.keep_copies(key, [int(one) if kind == "near" and one.isdecimal() else one for one in ticked])
    return redirect(url_for("duplicates_page.show", kind=kind, _anchor=key), 303)
