"""Which words of captions mean what a word means, learnt from sentences that describe the same pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tqdm import tqdm

from captioner.embedding import TextEmbedder
from captioner.vocabulary import SPECIAL, Vocabulary
from data.text import FUNCTION_WORDS

MOST = 3
"""Synonyms of a word that are kept."""
NEAR = 0.86
"""The cosine from which on two words mean nearly the same: "hund" and "dog" are at 0.97, "automobile" and "car"
at 0.87, "puppy" and "dog" at 0.83, "cat" and "dog" below 0.78."""
AT_ONCE = 1000


def find_synonyms(embedder: TextEmbedder, vocabulary: Vocabulary, captions: Vocabulary) -> np.ndarray:
    """Return for each word of `vocabulary` the numbers there of words of `captions` that mean nearly the same.

    uint16 (vocabulary, MOST), nearest first, 0 for no further one; the word itself is left out, and words that only
    hold a sentence together have none and are none.
    """
    known = set(vocabulary.words) - FUNCTION_WORDS
    own = [word for word in captions.words if word in known]
    numbers, places = np.array(vocabulary.encode(own)), _places(embedder, own)
    found = np.zeros((len(vocabulary), MOST), np.uint16)
    for start in tqdm(range(0, len(vocabulary.words), AT_ONCE), desc="synonyms", unit="kword", disable=None):
        words = vocabulary.words[start : start + AT_ONCE]
        cosines = _places(embedder, words) @ places.T
        for row, word in enumerate(words):
            near = np.argsort(-cosines[row])[: MOST + 1]
            kept = [numbers[one] for one in near if cosines[row, one] >= NEAR and own[one] != word][:MOST]
            if word not in FUNCTION_WORDS:
                found[len(SPECIAL) + start + row, : len(kept)] = kept
    return found


def _places(embedder: TextEmbedder, words: Sequence[str]) -> np.ndarray:
    places = [embedder.embed([word]) for word in words]
    return np.stack([place for place in places if place is not None])
