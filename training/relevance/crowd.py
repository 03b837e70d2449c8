"""How strictly rare words are treated, fitted on pictures that do not show them (a crowd)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from captioner.bundle import Bundle
from captioner.captioner import Captioner
from captioner.types import Description, SearchModel
from data.errors import RetroflexError
from data.progress import progress_bar
from retrieval.search.fusion import CLOSE
from retrieval.search.query import Query, QueryImage
from retrieval.search.relevance import logit
from retrieval.search.search import Searcher
from retrieval.search.strictness import rarity
from retrieval.search.unsaid import content_words
from training.evaluation.absent import describe_unlabelled
from training.evaluation.gallery import searchable

PICTURES = 1000
QUERIES = 200
"""Pictures of the crowd that are searched for."""
UNRELATED = 0.04
"""The share of a crowd that may count as alike to a picture. Some of it is: a crowd has several pictures of a kind."""
HITS = 0.3
"""Hits that a word may have on average where nothing shows it. Fewer than is acceptable, as other words do worse than
those that the number is fitted on."""


@dataclass(frozen=True)
class Crowd:
    """A folder or tar file of pictures, and words for things that none of them shows."""

    pictures: Path
    absent: Sequence[str]


def with_crowd(bundle: Bundle, crowd: Crowd, seed: int) -> tuple[Bundle, list[str]]:
    """Return `bundle` with the weight of rarity and the border of likeness fitted in `crowd`, of which PICTURES are
    drawn; and the problems.

    Raises RetroflexError where no picture can be read, or the bundle has no text encoder.
    """
    captioner = Captioner(bundle)
    if captioner.search_model.embedder is None:
        raise RetroflexError("a crowd needs text encoders, whose strictness it sets; train them too")
    # `retroflex evaluate absent` draws by its own seed, and should not measure on the pictures that this is fitted on.
    described = describe_unlabelled(captioner, crowd.pictures, PICTURES, seed + 1)
    with searchable(described, captioner) as (searcher, _):
        fitted = fit_rarity(searcher, captioner.search_model, crowd.absent)
        border = fit_picture_border(searcher, described.descriptions[:QUERIES])
    calibration = replace(bundle.calibration, rarity=fitted, picture_close=border)
    return replace(bundle, calibration=calibration), described.problems


def fit_picture_border(searcher: Searcher, queries: Sequence[Description]) -> float:
    """Return the relevance that a share UNRELATED of the crowd's pictures reaches for a picture of it as query."""
    shares = []
    for query in progress_bar(queries, desc="comparing the crowd", unit="query"):
        others = searcher.rank(Query(like=[QueryImage(query)])).scores[1:]  # The first is the query picture.
        shares.append(np.concatenate([others, np.zeros(len(searcher.index) - 1 - len(others))]))
    scores = np.concatenate(shares)
    return float(f"{np.quantile(scores, 1 - UNRELATED):.3g}") if len(scores) else 0.0


def fit_rarity(searcher: Searcher, model: SearchModel, words: Sequence[str]) -> float:
    """Return the weight of a word's rarity, 0 or less, so that rare `words` have HITS hits each on average.

    `searcher` searches by `model`, whose weight of rarity is 0; none of its pictures shows one of the words.
    """
    rarities = {word: rarity(content_words(word) or [word], model) for word in words}
    rare = [word for word in words if rarities[word]]
    enough: list[float] = []
    for word in progress_bar(rare, desc="searching the crowd", unit="query"):
        scores = searcher.rank(Query(word)).scores
        enough += ((logit(np.array(CLOSE)) - logit(scores)) / rarities[word]).tolist()
    allowed = round(HITS * len(rare))
    return min(0.0, sorted(enough)[allowed]) if allowed < len(enough) else 0.0
