"""The page. Every state of it is made here, so it works without scripts; the script only spares reloads."""

from __future__ import annotations

from itertools import islice

from flask import Blueprint, render_template, request

from webui import answers
from webui.services import services
from webui.uploads import in_words, read_upload
from webui.window import read_window

SHOWN_AT_START = 24
SUGGESTIONS = 4
LONGEST_SUGGESTION = 48

pages = Blueprint("pages", __name__)


@pages.get("/")
def by_words() -> str:
    """The start page, or with `q` the hits for these words."""
    words = request.args.get("q")
    if words is None:
        return _start()
    window = read_window(request.args)
    return render_template("hits.html", answer=answers.by_words(words, window), words=words, window=window)


@pages.post("/")
def by_picture() -> str:
    """The hits for an uploaded picture."""
    described = services().describer.describe(read_upload(request, services().library.settings.max_upload_bytes))
    window = read_window(request.form)
    answer = answers.by_picture(described, window)
    return render_template("hits.html", answer=answer, words="", window=window, preview=described.preview)


@pages.app_context_processor
def _upload_cap() -> dict[str, object]:
    cap = services().library.settings.max_upload_bytes
    return {"upload_cap": cap, "upload_cap_in_words": in_words(cap)}


def _start() -> str:
    store = services().library.store
    first = [picture_id for picture_id, _ in islice(store.captions_by_picture(), SHOWN_AT_START)]
    hits = [answers.as_hit(picture) for picture in store.pictures(first).values()]
    return render_template(
        "start.html", words="", total=store.status().pictures, hits=hits, suggestions=_suggestions(hits)
    )


def _suggestions(hits: list[answers.Document]) -> list[str]:
    """A few short captions of pictures far apart, as examples of what can be asked."""
    captions = dict.fromkeys(hit["caption"] for hit in hits if 0 < len(hit["caption"]) <= LONGEST_SUGGESTION)
    step = max(1, len(captions) // SUGGESTIONS)
    return list(captions)[::step][:SUGGESTIONS]
