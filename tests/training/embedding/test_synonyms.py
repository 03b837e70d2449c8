"""Words that mean nearly the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from captioner.vocabulary import Vocabulary
from training.embedding.synonyms import find_synonyms

PLACES = {
    "dog": (1, 0),
    "hund": (1, 0.1),
    "terrier": (1, 0.8),
    "cat": (0, 1),
    "katze": (0.1, 1),
    "the": (1, 0),
    "der": (1, 0),
}
WORDS = Vocabulary(list(PLACES))


class Plane:
    """Words on a plane."""

    def embed(self, tokens: Sequence[str]) -> np.ndarray:
        place = np.array(PLACES[tokens[0]], np.float32)
        return place / np.linalg.norm(place)


def test_near_words_of_captions_are_found_in_any_language() -> None:
    found = find_synonyms(Plane(), WORDS, Vocabulary(["the", "dog", "cat", "terrier"]))  # type: ignore[arg-type]
    told = {
        word: WORDS.decode(one for one in found[number].tolist() if one)
        for word, number in zip(PLACES, WORDS.encode(list(PLACES)), strict=True)
    }
    assert told["hund"] == ["dog"]
    assert told["katze"] == ["cat"]
    assert told["dog"] == []
    assert told["terrier"] == []
    assert told["the"] == told["der"] == []
