"""Words of a query that no caption says: pictures found for them are only near in the space shared with sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from data.text import FUNCTION_WORDS, fold, tokenize
from retrieval.index.index import Captions

Synonyms = Callable[[str], Sequence[str]]
"""The words of captions that mean nearly the same as a word."""


def no_synonyms(word: str) -> list[str]:
    """For a library whose captioner knows none."""
    return []


NAMED = 5
"""Unsaid words that a person is told by name; a program gets them all."""


NOTICES = {
    "nothing": "No caption says {quoted}.",
    "others": "No caption says {quoted}; these say the other words, or look similar.",
    "small": "No caption says {quoted}; these share only small words with the query.",
    "similar": "No caption says {quoted}; these look similar.",
}
"""What a person is told, by what the hits are."""


def content_words(text: str) -> list[str]:
    """Return the words of a query that say what a picture shows, lower case, in order, each once by its stem."""
    words = {fold(word): word for word in reversed(tokenize(text)) if word not in FUNCTION_WORDS}
    return list(words.values())[::-1]


def unsaid_words(text: str, captions: Captions, synonyms: Synonyms = no_synonyms) -> list[str]:
    """Return the content words of `text` that no caption says, nor any of their `synonyms`, in order.

    A look-up a word and segment, more for words that no caption says; captions that were replaced or removed do not
    count. Words are compared by English stems: "cats" says "cat". A caption that says a word may say it of something
    else, or wrongly.
    """
    return [word for word in _unsaid(content_words(text), captions) if not _said(synonyms(word), captions)]


def _unsaid(words: Sequence[str], captions: Captions) -> list[str]:
    if not words:
        return []
    return [word for word, pictures in zip(words, captions.spread(words).tolist(), strict=True) if not pictures]


def _said(words: Sequence[str], captions: Captions) -> bool:
    return len(_unsaid(words, captions)) < len(words)


def unsaid_notice(text: str, unsaid: Sequence[str], scores: Sequence[Mapping[str, float]]) -> str:
    """Return one line for a person about the words of `text` that are `unsaid`, empty where none is.

    `scores` are the parts of each hit's score: they tell why there are hits all the same.
    """
    return NOTICES[_kind(text, unsaid, scores)].format(quoted=_listed(unsaid)) if unsaid else ""


def _kind(text: str, unsaid: Sequence[str], scores: Sequence[Mapping[str, float]]) -> str:
    if not scores:
        return "nothing"
    if len(unsaid) < len(content_words(text)):
        return "others"
    parts = [one for hit in scores for one in hit.items()]
    near = any(score_name(name) == "cosine" and value > 0 for name, value in parts)
    shared = any(score_name(name) == "bleu" and value > 0 for name, value in parts)
    return "small" if shared and not near else "similar"


def score_name(name: str) -> str:
    """The name of a score without the clause that it belongs to: "words.bleu" is a "bleu"."""
    return name.rpartition(".")[2]


def _listed(words: Sequence[str]) -> str:
    named = [f"“{word}”" for word in words[:NAMED]]
    further = len(words) - len(named)
    if further:
        named.append(f"{further} more")
    return " or ".join([", ".join(named[:-1]), named[-1]]) if len(named) > 1 else named[0]
