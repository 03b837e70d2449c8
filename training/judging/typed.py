"""What people type: a few words of a sentence, not the sentence."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from data.text import STOP_WORDS, tokenize

Query = tuple[list[str], int]
"""One or more texts that ask for the same picture, and the row of that picture in the gallery."""


def content_words(queries: Sequence[Query], count: int, seed: int) -> list[Query]:
    """Return `count` words of each text, drawn at random, in their order; stop words only where there are no others."""
    random = Random(seed)
    return [([_draw(text, count, random) for text in texts], target) for texts, target in queries]


def _draw(text: str, count: int, random: Random) -> str:
    words = tokenize(text)
    places = [place for place, word in enumerate(words) if word not in STOP_WORDS] or list(range(len(words)))
    drawn = random.sample(places, min(count, len(places)))
    return " ".join(words[place] for place in sorted(drawn))
