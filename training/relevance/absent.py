"""The penalty for pictures when no caption says the words of a query.

A word lies near some pictures of every library, whether or not one shows it. So the penalty is fitted with words that
no person said of any picture of a split, so that they find almost nothing there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from captioner.embedding import TextEmbedder
from data.text import FUNCTION_WORDS, fold
from retrieval.search.fusion import CLOSE
from retrieval.search.relevance import Relevance, logit
from training.texts import Caption

USUAL = 50
"""How often a word is said in texts for it to be asked for: people ask for common things."""
HITS = 1.0
"""Hits a word may have on average in a split that does not show it."""


def absent_words(texts: Iterable[Sequence[Caption]], shown: Iterable[Caption], embedder: TextEmbedder) -> list[str]:
    """Return the usual content words of `texts` of which `shown` captions say neither them nor a synonym."""
    counts = Counter(word for captions in texts for caption in captions for word in caption)
    said = {fold(word) for caption in shown for word in caption}

    def is_said(word: str) -> bool:
        return any(fold(one) in said for one in (word, *embedder.synonyms(word)))

    usual = sorted(word for word, count in counts.items() if count >= USUAL and word.isalpha())
    return [word for word in usual if word not in FUNCTION_WORDS and not is_said(word)]


def fit_unsaid(words: Sequence[str], relevance: Relevance, embedder: TextEmbedder, vectors: np.ndarray) -> float:
    """Return what to add to the logits of pictures, `vectors` (n, e), so that `words` have HITS hits on average.

    Never more than 0; none of the pictures' captions says one of the words.
    """
    found = [one for one in (embedder.embed([word]) for word in words) if one is not None]
    if not found:
        return 0.0
    cosines = np.stack(found) @ vectors.T
    logits = relevance.logit({"bleu": np.zeros(cosines.shape), "cosine": cosines})
    allowed = min(round(HITS * len(found)), logits.size - 1)
    return min(0.0, float(logit(np.array(CLOSE))) - float(np.sort(logits, axis=None)[-1 - allowed]))
