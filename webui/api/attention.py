"""Where in a picture the decoder looks for each word of a caption, from the stored cells, made when it is asked for."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, TypedDict

import numpy as np
from flask import Blueprint, Response, jsonify, request

from captioner.cells import unpack_cells
from captioner.likelihood import MAX_WORDS
from captioner.types import CELLS
from data.text import tokenize
from retrieval.search.fields import COUNT
from webui.openapi.operations import Parameter, operation
from webui.problems import Problem
from webui.request.values import MAX_OFFSET, PICTURE, find_picture, whole_number
from webui.services import services

LEVELS = 255

attention = Blueprint("attention", __name__, url_prefix="/api/v1")


class AttendedWord(TypedDict):
    """A word of the caption, from character `start` to `end`, and where it is seen.

    `seen` is the share of the attention that is on the picture; the rest is on what the decoder said before, as with
    "a" or "of". `cells` has row by row how much each cell gets, from 0 to 255, the most as 255.
    """

    start: COUNT
    end: COUNT
    seen: Annotated[float, {"minimum": 0, "maximum": 1}]
    cells: list[Annotated[int, {"minimum": 0, "maximum": LEVELS}]]


class Attention(TypedDict):
    """Where the words of a caption are seen, in `edge` x `edge` cells over the whole picture."""

    caption: str
    edge: COUNT
    words: list[AttendedWord]


@attention.get(f"{PICTURE}/attention")
@operation(
    answer=Attention,
    problems=(404, 503),
    query=(
        Parameter(
            "caption", Annotated[int, {"minimum": 0, "maximum": MAX_OFFSET, "default": 0}], "Which caption, 0 on"
        ),
    ),
)
def show_attention(picture_id: int) -> Response:
    """Where in the picture each word of one of its captions is seen."""
    picture, rank = find_picture(picture_id), whole_number(request.args, "caption", 0, 0, MAX_OFFSET)
    if rank >= len(picture.texts):
        raise Problem(HTTPStatus.NOT_FOUND, f"picture {picture_id} has {len(picture.texts)} captions; count from 0")
    library, text = services().library, picture.texts[rank]
    model = library.model
    stored = library.store.features([picture_id], CELLS, model.version)
    places = _places(text)[:MAX_WORDS]
    if picture_id not in stored or model.likelihood is None or not places:
        raise Problem(HTTPStatus.NOT_FOUND, "where this caption is seen is not known; index the picture again")
    try:
        cells = unpack_cells([stored[picture_id]])
    except ValueError as error:
        raise Problem(HTTPStatus.NOT_FOUND, f"{error}; index the picture again") from error
    shares = model.likelihood.attention([word for word, _ in places], cells)
    words = [_word(start, start + len(word), share) for (word, start), share in zip(places, shares, strict=True)]
    return jsonify({"caption": text, "edge": round(shares.shape[1] ** 0.5), "words": words})


def _places(text: str) -> list[tuple[str, int]]:
    """Return the words that the decoder reads in a text, and the character where each begins."""
    lower, at, places = text.lower(), 0, []
    for word in tokenize(text):
        found = lower.find(word, at)
        if found >= 0:
            places.append((word, found))
            at = found + len(word)
    return places


def _word(start: int, end: int, share: np.ndarray) -> AttendedWord:
    levels = np.round(share / max(float(share.max()), 1e-9) * LEVELS).astype(int)
    return {"start": start, "end": end, "seen": round(float(min(share.sum(), 1.0)), 4), "cells": levels.tolist()}
