"""Evaluate queries for things that no picture of a gallery shows: every hit is false."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from captioner.types import SearchDescriber, StagedDescriber
from data.errors import RetroflexError
from data.paths import display
from data.progress import progress_bar
from data.text import tokenize
from retrieval.search.query import Query
from retrieval.search.search import Searcher
from training.evaluation.evaluate import EvaluationError
from training.evaluation.folders import unlabelled_pictures
from training.evaluation.gallery import Described, describe_pictures, searchable


def evaluate_absent(
    captioner: SearchDescriber, source: Path, words: Sequence[str], count: int | None, seed: int
) -> dict[str, Any]:
    """Search the pictures of `source`, all or `count` drawn by `seed`, for `words` that none of them shows.

    The product's search is used, close pictures only; the caller knows that the things are absent. Return the facts of
    the run, `mean_hits` and `max_hits` of a query, `percent_with_hits`, and for each of the `words` its `hits`, the
    number of pictures with it in a caption (`said`), and the relevance of the `closest` picture, hit or not.
    Raise EvaluationError when no picture can be read, RetroflexError as `unlabelled_pictures` does.
    """
    started = time.monotonic()
    described = describe_unlabelled(captioner, source, count, seed)
    with searchable(described, captioner) as (searcher, _):
        bar = progress_bar(words, desc="searching", unit="query")
        found = {word: _figures(searcher, word) for word in bar}
    hits = np.array([one["hits"] for one in found.values()])
    return {
        "task": "absent",
        "model_version": captioner.model_version,
        "pictures": len(described.pictures),
        "captions_per_picture": round(described.captions_per_picture, 2),
        "problems": described.problems,
        "seed": seed,
        "queries": len(found),
        "mean_hits": round(float(hits.mean()), 2),
        "max_hits": int(hits.max()),
        "percent_with_hits": round(100 * float(np.mean(hits > 0)), 2),
        "words": found,
        "seconds": round(time.monotonic() - started, 1),
    }


def describe_unlabelled(captioner: StagedDescriber, source: Path, count: int | None, seed: int) -> Described:
    """Describe the pictures of a folder or tar file, all or `count` drawn by `seed`.

    Raise EvaluationError when no picture can be read, RetroflexError as `unlabelled_pictures` does.
    """
    with unlabelled_pictures(source, count, seed) as (pictures, problems):
        described = describe_pictures(captioner, pictures)
    described = replace(described, problems=[*problems, *described.problems])
    if not described.pictures:
        raise EvaluationError(f"no picture of {display(source)} can be read (the first: {described.problems[0]})")
    return described


def read_words(file: Path | None, given: Sequence[str]) -> list[str]:
    """Return the queries `given` and the lines of `file`, each once. Raise RetroflexError.

    Blank lines are skipped; a query must have a word.
    """
    words = list(dict.fromkeys(" ".join(one.split()) for one in [*given, *_lines(file)] if one.strip()))
    if not words:
        raise RetroflexError("there are no words to search for; give --word WORD, or --words FILE with one a line")
    for one in words:
        if not tokenize(one):
            raise RetroflexError(f"{one[:60]!r} has no word to search for; give words such as zebra")
    return words


def _lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        return file.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise RetroflexError(f"{display(file)} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RetroflexError(
            f"{display(file)} is not UTF-8; save it as plain text in UTF-8, one word a line"
        ) from error


def _figures(searcher: Searcher, word: str) -> dict[str, float]:
    result = searcher.search(Query(word), limit=1)
    said = searcher.index.captions.spread(tokenize(word)).min()
    return {"hits": result.total, "said": int(said), "closest": round(result.closest or 0.0, 4)}
