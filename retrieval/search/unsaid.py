"""Words of a query that no caption says: pictures found for them are only near in the space shared with sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from data.folding import fold
from data.stop_words import QUERY_STOP_WORDS
from data.text import tokenize
from retrieval.index.joined import JoinedPostings

NAMED = 5
"""Unsaid words that a person is told by name; a program gets them all."""


def content_words(text: str) -> list[str]:
    """Return the words of a query that say what a picture shows, lower case, in order, each once by its stem."""
    words = {fold(word): word for word in reversed(tokenize(text)) if word not in QUERY_STOP_WORDS}
    return list(words.values())[::-1]


def unsaid_words(text: str, captions: JoinedPostings) -> list[str]:
    """Return the content words of `text` that no caption says, in order.

    A look-up a word and segment; captions that were replaced or removed do not count. Words are compared by English
    stems: "cats" says "cat", "puppy" does not say "dog". Function words of other languages count as content. A caption
    that says a word may say it of something else, or wrongly.
    """
    words = content_words(text)
    if not words:
        return []
    return [word for word, pictures in zip(words, captions.spread(words).tolist(), strict=True) if not pictures]


def unsaid_notice(text: str, unsaid: Sequence[str], scores: Sequence[Mapping[str, float]]) -> str:
    """Return one line for a person about the words of `text` that are `unsaid`, empty where none is.

    `scores` are the parts of each hit's score: they tell why there are hits all the same.
    """
    if not unsaid:
        return ""
    said = f"No caption says {_listed(unsaid)}"
    if not scores:
        return f"{said}."
    if len(unsaid) < len(content_words(text)):
        return f"{said}; these say the other words, or look similar."
    parts = [one for hit in scores for one in hit.items()]
    near = any(name.endswith("cosine") and value > 0 for name, value in parts)
    shared = any(name.endswith("bleu") and value > 0 for name, value in parts)
    return f"{said}; these {'share only small words with the query' if shared and not near else 'look similar'}."


def _listed(words: Sequence[str]) -> str:
    named = [f"“{word}”" for word in words[:NAMED]]
    further = len(words) - len(named)
    if further:
        named.append(f"{further} more")
    return " or ".join([", ".join(named[:-1]), named[-1]]) if len(named) > 1 else named[0]
