"""The forms of a word meet: texts are compared by stems, so that "dogs" finds "dog" and "runs" "running"."""

from __future__ import annotations

from functools import lru_cache

import snowballstemmer

from data.text import tokenize

REMEMBERED = 2**16  # Words whose stem is kept: far more than captions use, and a bound for what people type.


@lru_cache(REMEMBERED)
def fold(word: str) -> str:
    """Return the English stem of a lower-case word (Porter's second stemmer, 2001); other scripts stay as they are.

    NLTK has the same stemmer, in an older revision ("evening" becomes "even"), and takes over a second to import.
    """
    return str(snowballstemmer.stemmer("english").stemWord(word))  # One a call: a stemmer is not for several threads.


def stems(text: str) -> list[str]:
    """Return the stem of each word of `text`, in order."""
    return [fold(word) for word in tokenize(text)]
