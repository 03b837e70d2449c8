"""How strictly words are asked for that the captioner seldom met, learnt in a crowd that does not show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from captioner.bundle import Bundle
from captioner.captioner import Captioner
from captioner.types import SearchModel
from data.errors import RetroflexError
from data.paths import display
from retrieval.search.fusion import CLOSE
from retrieval.search.query import Query
from retrieval.search.relevance import logit
from retrieval.search.search import Searcher
from retrieval.search.strictness import rarity
from retrieval.search.unsaid import content_words
from training.evaluation.folders import unlabelled_pictures
from training.evaluation.gallery import describe_pictures, searchable

PICTURES = 1000
HITS = 0.3
"""Hits that a word may have on average where nothing shows it. Fewer than are bearable: other words do worse than those
that were learnt with."""


@dataclass(frozen=True)
class Crowd:
    """A folder or tar file of pictures, and words of which one knows that no picture shows what they mean."""

    pictures: Path
    absent: Sequence[str]


def with_crowd(bundle: Bundle, crowd: Crowd, seed: int) -> tuple[Bundle, list[str]]:
    """Return `bundle` with a relevance of rare words learnt in `crowd`, of which PICTURES are drawn; and the problems.

    Raises RetroflexError where no picture can be read, or nothing is known of words.
    """
    captioner = Captioner(bundle)
    if captioner.search_model.embedder is None:
        raise RetroflexError("a crowd teaches how strictly words are searched for; ask for text encoders, too")
    # `retroflex evaluate absent` draws by its own seed, and should not judge by the very pictures learnt from.
    with unlabelled_pictures(crowd.pictures, PICTURES, seed + 1) as (pictures, problems):
        described = describe_pictures(captioner, pictures)
    problems = [*problems, *described.problems]
    if not described.pictures:
        raise RetroflexError(f"no picture of {display(crowd.pictures)} can be read (the first: {problems[0]})")
    with searchable(described, captioner) as (searcher, _):
        fitted = fit_rarity(searcher, captioner.search_model, crowd.absent)
    return replace(bundle, calibration=replace(bundle.calibration, rarity=fitted)), problems


def fit_rarity(searcher: Searcher, model: SearchModel, words: Sequence[str]) -> float:
    """Return what a word's rarity should count, 0 or less, so that rare `words` have HITS hits each on average.

    `searcher` asks by `model`, which knows of no rarity yet; none of its pictures shows one of the words.
    """
    rarities = {word: rarity(content_words(word) or [word], model) for word in words}
    rare = [word for word in words if rarities[word]]
    enough: list[float] = []
    for word in tqdm(rare, desc="searching the crowd", unit="query", disable=None):
        scores = searcher.rank(Query(word)).scores
        enough += ((logit(np.array(CLOSE)) - logit(scores)) / rarities[word]).tolist()
    allowed = round(HITS * len(rare))
    return min(0.0, sorted(enough)[allowed]) if allowed < len(enough) else 0.0
