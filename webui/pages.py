"""The page. Every state of it is made here, so it works without scripts; the script only spares reloads."""

from __future__ import annotations

from itertools import islice
from string import digits

from flask import Blueprint, render_template, request

from retrieval.query import Query
from webui import answers
from webui.asked import Asked, read_asked
from webui.services import services
from webui.uploads import in_words, read_uploads
from webui.window import Window, read_window

SHOWN_AT_START = 24
SUGGESTIONS = 4
LONGEST_SUGGESTION = 48

pages = Blueprint("pages", __name__)


@pages.get("/")
def by_words() -> str:
    """The start page, or the hits for words and pictures of the library."""
    if not request.args.keys() & {"q", "like"}:
        return _start()
    return _hits(read_asked(request.args), read_window(request.args))


@pages.post("/")
def by_picture() -> str:
    """The hits for an uploaded picture, and for words and pictures of the library beside it."""
    uploads = read_uploads(request, services().library.settings.max_upload_bytes)
    return _hits(read_asked(request.form, uploads), read_window(request.form))


@pages.app_context_processor
def _upload_cap() -> dict[str, object]:
    cap = services().library.settings.max_upload_bytes
    return {"upload_cap": cap, "upload_cap_in_words": in_words(cap)}


@pages.app_template_filter("by_source")
def _by_source(scores: dict[str, float]) -> list[tuple[str, dict[str, float]]]:
    """Group the parts of a score: {"like1.cosine": 0.5} to [("Like 1", {"cosine": 0.5})]; "" for one part alone."""
    groups: dict[str, dict[str, float]] = {}
    for name, value in scores.items():
        source, _, part = name.rpartition(".")
        label = source.rstrip(digits)
        groups.setdefault(f"{label} {source[len(label) :]}".strip().capitalize(), {})[part] = value
    return list(groups.items())


def _hits(asked: Asked, window: Window) -> str:
    answer, previews = answers.search(asked, window)
    return render_template(
        "hits.html",
        answer=answer,
        asked=asked,
        window=window,
        words=asked.text,
        previews=previews,
        chosen=_chosen(asked),
        pictures=0 if answer["total"] else services().library.store.status().pictures,
    )


def _chosen(asked: Asked) -> list[answers.Document]:
    """The pictures of the library in a query, as hits with what they are there for and their weights."""
    listed = [("More like", one) for one in asked.like] + [("Less like", one) for one in asked.unlike]
    stored = services().library.store.pictures([one.id for _, one in listed])
    return [
        answers.as_hit(stored[one.id]) | {"purpose": purpose, "weight": one.weight}
        for purpose, one in listed
        if one.id in stored
    ]


def _start() -> str:
    store = services().library.store
    first = [picture_id for picture_id, _ in islice(store.captions_by_picture(), SHOWN_AT_START)]
    hits = [answers.as_hit(picture) for picture in store.pictures(first).values()]
    return render_template(
        "start.html", words="", total=store.status().pictures, hits=hits, suggestions=_suggestions(hits)
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
