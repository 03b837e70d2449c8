"""How the page formats values: the filters of its templates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from string import digits
from typing import Any

from flask import Flask
from flask_babel import gettext
from markupsafe import Markup, escape

from data.catalogue.attribution import credit, is_web_address
from data.catalogue.files import as_text
from data.films.records import clock
from data.kinds import SHOWN_SUFFIXES
from data.kinds import counted as counted_suffixes
from data.machine_made import SHOWN_NAMES
from data.metadata.dates import PARTIAL, SOURCES
from data.text import FUNCTION_WORDS, split_by_query, tokenize
from retrieval.search.catalogue import PREFIX
from webui.language.formats import (
    about,
    counted,
    counted_on_page,
    day,
    decimals,
    forms,
    listed,
    moment,
    month,
    number,
    percent,
    plural,
    quoted,
    size,
    span,
)
from webui.language.sentences import translated
from webui.request.filters import catalogue
from webui.request.search_request import SearchRequest

NARROWEST, WIDEST, STEP = 60, 240, 5
"""The ratios, in hundredths, with a class in `ratios.css`; narrower or wider pictures are cropped in their tile."""


def _likeness(cosine: float, number: str) -> str:
    """Return in words how like a picture is to picture `number` of the query, "" for what the words describe."""
    if number:
        strong, weak, none = (
            gettext("looks like picture %(number)s of the query", number=number),
            gettext("looks a little like picture %(number)s of the query", number=number),
            gettext("does not look much like picture %(number)s of the query", number=number),
        )
    else:
        strong, weak, none = (
            gettext("looks like pictures of that"),
            gettext("looks a little like pictures of that"),
            gettext("does not look much like pictures of that"),
        )
    return strong if cosine >= 0.5 else weak if cosine >= 0.25 else none


def _named(field: str, text: str) -> Markup:
    """Return in words where a picture has a text beside its captions."""
    messages = {
        "name": gettext("is named “%(text)s”"),
        "folder": gettext("lies in “%(text)s”"),
        "keyword": gettext("has the keyword “%(text)s”"),
        "person": gettext("shows “%(text)s”"),
        "place": gettext("was taken in “%(text)s”"),
    }
    return Markup(messages.get(field) or gettext("has “%(text)s”")) % {"text": text}


def register(app: Flask) -> None:
    """Add these filters to the templates of `app`."""
    for named in (
        ratio,
        marked,
        in_plain_words,
        by_source,
        percent,
        decimals,
        plural,
        number,
        pixels,
        size,
        translated,
        quoted,
        sentence,
        source,
        day_and_time,
        progress,
        passed_over,
        left_out,
        where_matched,
        score_label,
        shown_value,
        credit,
        title_of,
        clock,
    ):
        app.add_template_filter(named, named.__name__)
    app.add_template_test(is_web_address, "web_address")
    app.jinja_env.globals.update(counted=counted_on_page, forms=forms)
    app.jinja_env.policies["ext.i18n.trimmed"] = True


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
    parts = [Markup(gettext("says %(words)s")) % {"words": _listed(distinct)}] if distinct else []
    parts += [_named(one["field"], one["text"]) for one in hit["matched"][:2]]
    looks = {name: value for name, value in hit["scores"].items() if name.rpartition(".")[2] == "cosine"}
    parts += [Markup(_likeness(value, _picture_number(name))) for name, value in looks.items()]
    parts.append(Markup(gettext("%(percent)s sure", percent=percent(hit["score"]))))
    told = Markup("; ").join(parts)
    return told[:1].upper() + told[1:]


def _listed(words: Sequence[str]) -> Markup:
    return Markup(listed([Markup("<mark>{}</mark>").format(word) for word in words]))


def _picture_number(score: str) -> str:
    source = score.rpartition(".")[0]
    return "" if source in ("", "words") else source.lstrip("likeun")


def where_matched(field: str) -> str:
    """Return the label of a text beside the captions: Folder, or that of a field of the catalogue."""
    labels = {
        "name": gettext("Name"),
        "folder": gettext("Folder"),
        "date": gettext("Date"),
        **_labels(),
        "keyword": gettext("Keyword"),
        "person": gettext("Person"),
    }
    stored = {one.name: one.of.label for one in catalogue()} if field.startswith(PREFIX) else {}
    return translated(stored.get(field, "")) or labels.get(field) or field.removeprefix(PREFIX).capitalize()


def _labels() -> dict[str, str]:
    """Return the labels of the texts in a picture's file."""
    return {
        "title": gettext("Title"),
        "description": gettext("Description"),
        "keyword": gettext("Keywords"),
        "person": gettext("People"),
        "place": gettext("Place"),
    }


def title_of(search: SearchRequest) -> str:
    """Return what a search asks for as a title: dog, unlike a picture."""
    like, unlike = (search.like or search.uploads.like, search.unlike or search.uploads.unlike)
    words = [search.text, *(gettext("without %(word)s", word=word) for word in search.exclude)]
    pictures = [gettext("like a picture")] * bool(like) + [gettext("unlike a picture")] * bool(unlike)
    title = ", ".join(filter(None, [*words, *pictures]))
    return title if search.text else title.capitalize()


def shown_value(value: Any) -> str:
    """Return a value of a field as people read it."""
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    return gettext("Without a value") if value is None else as_text(value)


def by_source(scores: dict[str, float]) -> list[tuple[str, dict[str, float]]]:
    """Group the parts of a score: {"like1.cosine": 0.5} to [("Like 1", {"cosine": 0.5})]; "" for one part alone."""
    groups: dict[str, dict[str, float]] = {}
    for name, value in scores.items():
        source, _, part = name.rpartition(".")
        label = source.rstrip(digits)
        groups.setdefault(_source_label(label, source[len(label) :]), {})[part] = value
    return list(groups.items())


def _source_label(source: str, number: str) -> str:
    messages = {
        "words": gettext("Words %(number)s", number=number),
        "like": gettext("Like %(number)s", number=number),
        "unlike": gettext("Unlike %(number)s", number=number),
        "face": gettext("Face %(number)s", number=number),
    }
    return messages.get(source, f"{source} {number}".capitalize()).strip()


def score_label(name: str) -> str:
    """Return what a part of a relevance is called."""
    messages = {
        "bleu": "BLEU",
        "cosine": gettext("Cosine"),
        "neighbours": gettext("Cosine with neighbours"),
        "embedding": gettext("Cosine of meaning"),
        "verbatim": gettext("Said word by word"),
        "unlikeness": gettext("Cosine to the opposite"),
        "logprob": gettext("Log-probability of the query"),
        "hubness": gettext("Similarity to common sentences"),
        "metadata": gettext("Names, keywords and dates"),
    }
    return messages.get(name, name)


def sentence(message: str) -> str:
    """Return an error or a reason as a sentence of its own, in the language of the request."""
    told = translated(message)
    return f"{told[:1].upper()}{told[1:]}."


def source(caption: Mapping[str, Any]) -> str:
    """Return who wrote a caption."""
    return gettext("Yours") if caption["source"] == "user" else gettext("By %(model)s", model=caption["model_version"])


def passed_over(suffixes: Mapping[str, int]) -> str:
    """Return "12 .CR3, 3 .MOV, 2 without suffix" for numbers of files by suffix."""
    counts = list(counted_suffixes(suffixes).items())
    texts = [f"{number(count)} {one or gettext('without suffix')}" for one, count in counts[:SHOWN_SUFFIXES]]
    others = sum(count for _, count in counts[SHOWN_SUFFIXES:])
    return ", ".join([*texts, counted("%(count)s other", "%(count)s others", others)] if others else texts)


def left_out(folders: Mapping[str, int]) -> str:
    """Return "3 folders of machine-made files (@eaDir, #recycle)" for numbers of folders by name."""
    names = sorted(folders, key=lambda name: (-folders[name], name))
    return counted(
        "%(count)s folder of machine-made files (%(names)s)",
        "%(count)s folders of machine-made files (%(names)s)",
        sum(folders.values()),
        names=", ".join(names[:SHOWN_NAMES]) + (", …" if len(names) > SHOWN_NAMES else ""),
    )


def facts_of(picture: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the details of a picture and its file, by label."""
    width, height, exif = picture["width"], picture["height"], picture["exif"]
    exposure = (exif["exposure"], exif["aperture"], exif["iso"] and f"ISO {exif['iso']}")
    megapixels = number(round(width * height / 1e6, 1))
    facts = [
        (gettext("Taken"), taken(picture)),
        (gettext("Camera"), exif["camera"]),
        (gettext("Lens"), exif["lens"]),
        (gettext("Exposure"), ", ".join(filter(None, exposure))),
        (gettext("Focal length"), exif["focal_length"]),
        *((label, _texts(picture, field)) for field, label in _labels().items()),
        (gettext("Length"), picture["film"] and clock(picture["film"]["duration"])),
        (gettext("Size"), f"{pixels(width, height)}, {gettext('%(count)s megapixels', count=megapixels)}"),
        (gettext("File"), f"{picture['format']}, {size(picture['bytes'])}"),
    ]
    return [(name, value) for name, value in facts if value]


def pixels(width: int, height: int) -> str:
    """Return the size of a picture: 4,000 × 3,000 px."""
    return f"{number(width)} × {number(height)} px"


def _texts(picture: Mapping[str, Any], field: str) -> str:
    return ", ".join(text["text"] for text in picture["metadata"] if text["field"] == field)


def taken(picture: Mapping[str, Any]) -> str | None:
    """Return when a picture was taken and which source says so: 4 May 2019, 10:11 (by the file's name)."""
    if not picture["taken_at"]:
        return None
    taken_at = datetime.fromisoformat(picture["taken_at"])
    shown = moment(taken_at) if taken_at.time() != time.min else day(taken_at)
    if picture["taken_from"] in PARTIAL:
        shown = month(taken_at) if picture["taken_from"] == "month" else str(taken_at.year)
    return f"{shown} ({translated(SOURCES[picture['taken_from']])})" if picture["taken_from"] in SOURCES else shown


def day_and_time(iso: str) -> str:
    """Return a time in ISO 8601 as people write it: 5 March 2021, 14:07."""
    return moment(datetime.fromisoformat(iso))


def progress(job: Mapping[str, Any]) -> str:
    """Return the progress of indexing: 120 of 900 files, 12 per second, 2 minutes left; or the same of faces."""
    faces = job["faces_total"]
    if not (job["total"] or faces):
        return gettext("Counting files…")
    done, total = (job["faces_done"], faces) if faces else (job["encoded"], job["total"])
    parts = [counted("%(done)s of %(count)s file", "%(done)s of %(count)s files", total, done=number(done))]
    parts += [gettext("%(rate)s per second", rate=about(job["rate"]))] if job["rate"] else []
    parts += [gettext("%(time)s left", time=span(job["seconds_left"]))] if job["seconds_left"] else []
    told = ", ".join(parts)
    return gettext("Faces: %(progress)s", progress=told) if faces else told
