"""The page for a sketch to search with; the results are those of an upload that is compared by its outlines."""

from __future__ import annotations

from flask import Blueprint, render_template

from captioner.types import SKETCH
from webui.request.parameters import takes
from webui.services import services

sketch_page = Blueprint("sketch_page", __name__)


@sketch_page.get("/sketch")
@takes()
def show() -> str:
    """A canvas, and a form for a file; or what to do first where the library has no outlines."""
    ready = SKETCH in services().library.searcher().index.models
    return render_template("sketch.html", ready=ready, kind=SKETCH)
