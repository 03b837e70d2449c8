"""How much more strictly words are treated whose nearness to a picture tells little.

A word lies near some pictures of every library, whether or not one shows it. So two kinds of words are treated more
strictly: those that no caption says, and those that the captioner seldom met when it learnt.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from captioner.types import SearchModel
from captioner.vocabulary import UNKNOWN
from retrieval.search.unsaid import content_words

FAMILIAR = 100
"""So many of the most frequent words of captions are known well, see docs/ranking.md."""


def strictness(text: str, unsaid: Sequence[str], model: SearchModel) -> float:
    """Return what is added to the logits of relevance to `text`, 0 or less where the bundle was fitted well.

    It depends on the query only, so it moves the border of what is close and never the order of pictures. `unsaid` are
    the words of `text` that no caption says.
    """
    words = content_words(text)
    if not words:
        return 0.0
    calibration = model.calibration
    return calibration.unsaid * len(unsaid) / len(words) + calibration.rarity * rarity(words, model)


def rarity(words: Sequence[str], model: SearchModel) -> float:
    """Return how seldom captions say `words`, at least one: 0 where all of them are FAMILIAR or nothing is known of it.

    That of one word is the logarithm of its rank among the words of captions by frequency, over FAMILIAR (Zipf: about
    minus the logarithm of its frequency). Of several it is their mean over their number: each vouches for the others.
    """
    if model.caption_words is None:
        return 0.0
    ranks = np.array([_rank(word, model) for word in words], np.float64)
    return float(np.log(np.maximum(ranks / FAMILIAR, 1)).mean()) / len(words)


def _rank(word: str, model: SearchModel) -> int:
    """The rank of `word` among the words of captions, most frequent first.

    Where captions never say it, as they say no German word, that of its most frequent synonym. Where it has none,
    nothing tells how often its thing was met, and it counts as familiar: that it is unsaid is held against it already.
    """
    assert model.caption_words is not None
    assert model.embedder is not None
    (number,) = model.caption_words.read([word])
    if number != UNKNOWN:
        return number
    synonyms = model.caption_words.encode(model.embedder.synonyms(word))
    return min((one for one in synonyms if one != UNKNOWN), default=FAMILIAR)
