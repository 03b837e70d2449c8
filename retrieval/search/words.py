"""What people type: words, "phrases" in quotes, and exclusions (`-word`, "no", "not", "without").

    red car -people        pictures of a red car whose captions do not mention people
    "red shirt" beach      the phrase must stand in a caption as it is typed
    dogs but no cats       the same as: dogs -cats

A minus counts at the beginning of a word and not within one: t-shirt is a t-shirt. Quotes that do not pair are ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from data.text import FUNCTION_WORDS, tokenize

QUOTES = '"“”„‟«»＂'
MINUS = "−–—－-"
_PART = re.compile(
    rf"(?P<minus>(?<!\S)[{MINUS}](?=[^\s{MINUS}]))?"
    rf"(?:[{QUOTES}](?P<phrase>[^{QUOTES}]*)[{QUOTES}]|(?P<word>[^\s{QUOTES}]+))"
)
_BREAK = ","

NEGATORS = frozenset(("no", "not", "without", "except", "excluding", "ohne", "kein", "keine", "keinen", "sans", "bez"))
ARTICLES = frozenset(
    (
        "a",
        "an",
        "the",
        "any",
        "some",
        "ein",
        "eine",
        "einen",
        "un",
        "une",
        "des",
        "de",
        "du",
        "of",
        "wearing",
        "having",
        "with",
        "in",
    )
)
LEADING = frozenset(
    ("but", "and", "with", "has", "have", "having", "is", "are", "there", "aber", "mais", "ale", "or", "in")
)
"""Words before a negation that belong to it: "dogs but no cats"."""
IDIOMS = frozenset(
    (
        "one",
        "longer",
        "matter",
        "only",
        "far",
        "yet",
        "even",
        "so",
        "too",
        "very",
        "more",
        "less",
        "wonder",
        "doubt",
        "at",
        "on",
        "to",
        "from",
    )
)
"""After a negator they make no exclusion: "no one", "not only"."""
MOST_OUTSIDE = 5
"""Words outside quotes; in a longer text, quotes are part of a sentence: a man beside a sign that says "stop"."""
MOST_WORDS = 4
"""Words after a negator that may be what is excluded; a longer text is not about one thing."""


@dataclass(frozen=True)
class Exclusion:
    """Words one after the other that no caption of a hit may say.

    `in_words` tells that it was said in words ("no dog"), as captions do too, and not by a minus.
    """

    words: tuple[str, ...]
    in_words: bool = False

    def __str__(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True)
class Typed:
    """A typed text: `wanted` are its words without exclusions, as typed; phrases are lower-case words in order.

    `whole` has the exclusions that were said in words, too.
    """

    wanted: str
    whole: str
    phrases: tuple[tuple[str, ...], ...] = ()
    exclusions: tuple[Exclusion, ...] = ()


@dataclass(frozen=True)
class _Token:
    word: str
    typed: str


def parse(text: str) -> Typed:
    """Read a typed text; a text without syntax and negation stays as it is."""
    if not _has_syntax(text):
        return Typed(text, text)
    phrases: list[tuple[str, ...]] = []
    excluded: list[Exclusion] = []
    pieces: list[str] = []
    outside = sum(part["phrase"] is None for part in _PART.finditer(text))
    for part in _PART.finditer(text):
        words = tuple(tokenize(part["phrase"] if part["phrase"] is not None else part["word"]))
        if part["minus"] and words:
            excluded.append(Exclusion(words))
        elif part["phrase"] is not None:
            phrases += [words] if words and outside <= MOST_OUTSIDE else []
            pieces.append(part["phrase"])
        else:
            pieces.append(part["word"])
    wanted, negated = _negations(pieces)
    return Typed(wanted, " ".join(pieces), tuple(dict.fromkeys(phrases)), tuple(dict.fromkeys([*excluded, *negated])))


def _has_syntax(text: str) -> bool:
    return any(mark in text for mark in QUOTES + MINUS) or not NEGATORS.isdisjoint(tokenize(text))


def _negations(pieces: Sequence[str]) -> tuple[str, list[Exclusion]]:
    """Take the negations out of typed pieces: what is left of the text, and what is excluded."""
    tokens = list(_tokens(pieces))
    kept: list[_Token] = []
    found: list[Exclusion] = []
    place = 0
    while place < len(tokens):
        objects, after = _objects(tokens, place)
        if objects:
            found += [Exclusion(words, in_words=True) for words in objects]
            while kept and kept[-1].word in LEADING:
                kept.pop()
            place = after
        else:
            kept.append(tokens[place])
            place += 1
    return (" ".join(token.typed for token in kept if token.typed), found) if found else (" ".join(pieces), [])


def _tokens(pieces: Sequence[str]) -> Iterator[_Token]:
    """Yield words, each with what was typed, and a mark of its own for a break in the sentence."""
    for piece in pieces:
        words = tokenize(piece)
        if len(words) == 1:
            yield _Token(words[0], piece)
        else:
            yield from (_Token(word, word) for word in words)
        if piece[-1:] in ",;.!?:":
            yield _Token(_BREAK, "")


def _objects(tokens: Sequence[_Token], place: int) -> tuple[list[tuple[str, ...]], int]:
    """Return what the negator at `place` excludes, and where the text goes on; nothing where it is no negator."""
    if tokens[place].word not in NEGATORS:
        return [], place
    objects: list[tuple[str, ...]] = []
    place += 1
    while True:
        words, after = _object(tokens, place)
        if not words:
            return objects, place
        objects.append(words)
        place = after
        if place < len(tokens) and tokens[place].word in ("or", "nor", "oder", "ou", "nebo"):
            place += 1
        elif not (place + 2 == len(tokens) and tokens[place].word == "and"):  # "without cars and people"
            return objects, place
        else:
            place += 1


def _object(tokens: Sequence[_Token], place: int) -> tuple[tuple[str, ...], int]:
    """Return the words from `place` up to the next function word, and the place after them."""
    if place < len(tokens) and tokens[place].word in IDIOMS:
        return (), place
    single = False
    while place < len(tokens) and tokens[place].word in ARTICLES | NEGATORS:
        single = tokens[place].word in ("a", "an")
        place += 1
    words: list[str] = []
    while place < len(tokens) and tokens[place].word not in FUNCTION_WORDS | {_BREAK} and len(words) < MOST_WORDS:
        word = tokens[place].word
        # "no people standing around", "without a leash runs"
        if words and (word.endswith("ing") or (single and word.endswith("s") and not word.endswith("ss"))):
            break
        words.append(word)
        place += 1
    return tuple(words), place
