"""Completion of what is typed, from what is in the library."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Annotated, TypedDict

from flask import Blueprint, Response, jsonify, request

from retrieval.search.completion import MOST, Completer, Completion
from retrieval.search.fields import COUNT
from webui.openapi.operations import Parameter, operation
from webui.problems import Problem
from webui.request.values import check_text, whole_number
from webui.services import services

LONGEST = 8_000
"""Characters of a query, as the search field takes them."""
MAX_COMPLETIONS = 50
SHORTEST = 2
"""Letters of a word that is searched for in its complete form while it is typed."""
_LAST = re.compile(r"(?:^|(?<=\s))[-−–—－]?[\"“”„]?([^\s\"“”„]+)$")

completion = Blueprint("completion", __name__, url_prefix="/api/v1")


class Filter(TypedDict):
    """A parameter of a search, and its value."""

    name: str
    value: str


class Completed(TypedDict):
    """What the last word may become: words to put in its place, or a `filter` to set instead of it.

    `kind` is word, name, keyword, person, place, title, folder, album, or the name of a filter.
    """

    text: str
    kind: str
    label: str
    pictures: COUNT
    filter: Filter | None


class Unknown(TypedDict):
    """A word that nothing in the library has, by its characters in q, and what may be meant by it."""

    start: COUNT
    end: COUNT
    correction: str | None


class Completions(TypedDict):
    """The completions of the last word, the unknown words, and `text`: q with its last word complete."""

    completions: list[Completed]
    unknown: list[Unknown]
    text: str


@completion.get("/complete")
@operation(
    answer=Completions,
    problems=(503,),
    query=(
        Parameter("q", str, "What is typed so far"),
        Parameter(
            "limit", Annotated[int, {"minimum": 1, "maximum": MAX_COMPLETIONS, "default": MOST}], "How many completions"
        ),
    ),
)
def complete() -> Response:
    """What typed words may become, with how many pictures each has, and which of them are unknown."""
    text = check_text("q", request.args.get("q", ""))
    if len(text) > LONGEST:
        raise Problem(HTTPStatus.BAD_REQUEST, f"q must have at most {LONGEST:,} characters")
    library, limit = services().library, whole_number(request.args, "limit", MOST, 1, MAX_COMPLETIONS)
    completer, last = library.completer(), _LAST.search(text)
    found = completer.complete(last[1], limit) if last else []
    slips = library.searcher().slips(text)
    return jsonify(
        {
            "completions": [_document(one) for one in found],
            "unknown": [one._asdict() for one in slips],
            "text": _whole(text, last, found, completer),
        }
    )


def _document(one: Completion) -> dict[str, object]:
    parameter = {"name": one.parameter, "value": one.value} if one.parameter else None
    return {
        "text": one.text, "kind": one.kind, "label": one.label, "pictures": one.pictures, "filter": parameter,
    }  # fmt: skip


def _whole(text: str, last: re.Match[str] | None, found: list[Completion], completer: Completer) -> str:
    """Return the text with a last word that is still being typed in its most likely form."""
    if last is None or len(last[1]) < SHORTEST or completer.is_said(last[1]):
        return text
    likely = next((one.text for one in found if not one.parameter and one.text.lower().startswith(last[1].lower())), "")
    return text[: last.start(1)] + likely if likely else text
