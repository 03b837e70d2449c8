"""How the page formats values: the filters of its templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from string import digits
from typing import Any

from flask import Flask
from markupsafe import Markup, escape

from data.catalogue.attribution import credit, is_web_address
from data.catalogue.files import as_text
from data.films.records import clock
from data.kinds import passed_over_text
from data.machine_made import left_out_text
from data.metadata.dates import in_words
from data.text import FUNCTION_WORDS, plural, split_by_query, tokenize
from retrieval.search.catalogue import PREFIX
from webui.request.filters import catalogue
from webui.request.search_request import SearchRequest
from webui.request.values import size_in_words

NARROWEST, WIDEST, STEP = 60, 240, 5
"""The ratios, in hundredths, with a class in `ratios.css`; narrower or wider pictures are cropped in their tile."""

_LIKENESS = ((0.5, "looks like"), (0.25, "looks a little like"), (-1.0, "does not look much like"))
"""How a cosine is put into words; the figures are shown as well."""
_NAMED = {
    "name": "is named",
    "folder": "lies in",
    "keyword": "has the keyword",
    "person": "shows",
    "place": "was taken in",
}

_LABELS = {
    "title": "Title",
    "description": "Description",
    "keyword": "Keywords",
    "person": "People",
    "place": "Place",
}
"""Of the texts in a picture's file."""


def register(app: Flask) -> None:
    """Add these filters to the templates of `app`."""
    for named in (
        ratio,
        marked,
        in_plain_words,
        by_source,
        percent,
        plural,
        source,
        day,
        progress,
        size_in_words,
        passed_over_text,
        left_out_text,
        where_matched,
        shown_value,
        credit,
        title_of,
        clock,
    ):
        app.add_template_filter(named, named.__name__)
    app.add_template_test(is_web_address, "web_address")


def ratio(size: Sequence[int]) -> str:
    """Return the class of a tile for a picture of (width, height): r150 for 3 to 2."""
    width, height = size
    nearest = STEP * round(100 * width / height / STEP)
    return f"r{min(max(nearest, NARROWEST), WIDEST)}"


def marked(caption: str, words: str) -> Markup:
    """Return the caption with those content words in `<mark>` that the query has too, in whatever inflection."""
    pieces = split_by_query(caption, _content(words))
    return Markup("").join(Markup("<mark>{}</mark>").format(one) if asked else escape(one) for one, asked in pieces)


def _content(words: str) -> str:
    return " ".join(word for word in tokenize(words) if word not in FUNCTION_WORDS)


def in_plain_words(hit: Mapping[str, Any], words: str) -> Markup:
    """Return why a hit is one as a sentence: Says *dog* and *water*; looks like pictures of that; 63% sure."""
    said = [word for word, asked in split_by_query(hit["caption"], _content(words)) if asked]
    distinct = list(dict.fromkeys(word.lower() for word in said))
    parts = [Markup("says {}").format(_listed(distinct))] if distinct else []
    parts += [Markup("{} “{}”").format(_NAMED.get(one["field"], "has"), one["text"]) for one in hit["matched"][:2]]
    looks = {name: value for name, value in hit["scores"].items() if name.rpartition(".")[2] == "cosine"}
    parts += [_looks(name, value) for name, value in looks.items()]
    parts.append(Markup("{} sure").format(percent(hit["score"])))
    sentence = Markup("; ").join(parts)
    return sentence[:1].upper() + sentence[1:]


def _listed(words: Sequence[str]) -> Markup:
    marked = [Markup("<mark>{}</mark>").format(word) for word in words]
    return Markup(" and ").join([Markup(", ").join(marked[:-1]), marked[-1]] if len(marked) > 1 else marked)


def _looks(name: str, cosine: float) -> Markup:
    source = name.rpartition(".")[0]
    what = "pictures of that" if source in ("", "words") else f"picture {source.lstrip('likeun')} of the query"
    much = next(text for least, text in _LIKENESS if cosine >= least)
    return Markup("{} {}").format(much, what)


def where_matched(field: str) -> str:
    """Return the label of a text beside the captions: Folder, or that of a field of the catalogue."""
    stored = {one.name: one.of.label for one in catalogue()} if field.startswith(PREFIX) else {}
    return stored.get(field, field.removeprefix(PREFIX).capitalize())


def title_of(search: SearchRequest) -> str:
    """Return what a search asks for as a title: dog, unlike a picture."""
    like, unlike = (search.like or search.uploads.like, search.unlike or search.uploads.unlike)
    words = [search.text, *(f"without {word}" for word in search.exclude)]
    pictures = ["like a picture"] * bool(like) + ["unlike a picture"] * bool(unlike)
    title = ", ".join(filter(None, [*words, *pictures]))
    return title if search.text else title.capitalize()


def shown_value(value: Any) -> str:
    """Return a value of a field as people read it."""
    return "Without a value" if value is None else as_text(value)


def by_source(scores: dict[str, float]) -> list[tuple[str, dict[str, float]]]:
    """Group the parts of a score: {"like1.cosine": 0.5} to [("Like 1", {"cosine": 0.5})]; "" for one part alone."""
    groups: dict[str, dict[str, float]] = {}
    for name, value in scores.items():
        source, _, part = name.rpartition(".")
        label = source.rstrip(digits)
        groups.setdefault(f"{label} {source[len(label) :]}".strip().capitalize(), {})[part] = value
    return list(groups.items())


def percent(share: float) -> str:
    """Return a share in percent: 93%, or < 1%."""
    return f"{round(100 * share)}%" if share >= 0.01 else "< 1%"


def source(caption: Mapping[str, Any]) -> str:
    """Return who wrote a caption."""
    return "Yours" if caption["source"] == "user" else f"By {caption['model_version']}"


def facts_of(picture: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the details of a picture and its file, by label."""
    width, height, exif = picture["width"], picture["height"], picture["exif"]
    facts = [
        ("Taken", taken(picture)),
        ("Camera", exif["camera"]),
        ("Lens", exif["lens"]),
        (
            "Exposure",
            ", ".join(filter(None, (exif["exposure"], exif["aperture"], exif["iso"] and f"ISO {exif['iso']}"))),
        ),
        ("Focal length", exif["focal_length"]),
        *((label, _texts(picture, field)) for field, label in _LABELS.items()),
        ("Length", picture["film"] and clock(picture["film"]["duration"])),
        ("Size", f"{width:,} × {height:,} px, {width * height / 1e6:.1f} megapixels"),
        ("File", f"{picture['format']}, {size_in_words(picture['bytes'])}"),
    ]
    return [(name, value) for name, value in facts if value]


def _texts(picture: Mapping[str, Any], field: str) -> str:
    return ", ".join(text["text"] for text in picture["metadata"] if text["field"] == field)


def taken(picture: Mapping[str, Any]) -> str | None:
    """Return when a picture was taken and which source says so: 4 May 2019, 10:11 (by the file's name)."""
    moment = picture["taken_at"]
    return in_words(datetime.fromisoformat(moment), picture["taken_from"]) if moment else None


def day(moment: str) -> str:
    """Return a time in ISO 8601 as people write it: 5 March 2021, 14:07."""
    time = datetime.fromisoformat(moment)
    return f"{time.day} {time:%B %Y, %H:%M}"


def progress(job: Mapping[str, Any]) -> str:
    """Return the progress of indexing: 120 of 900 files, 12 per second, 2 minutes left."""
    if not job["total"]:
        return "Counting files…"
    parts = [f"{job['encoded']:,} of {plural(job['total'], 'file')}"]
    parts += [f"{job['rate']:.3g} per second"] if job["rate"] else []
    parts += [f"{_span(job['seconds_left'])} left"] if job["seconds_left"] else []
    return ", ".join(parts)


def _span(seconds: float) -> str:
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds >= 1.5 * length:
            return plural(round(seconds / length), unit)
    return plural(max(1, round(seconds)), "second")
