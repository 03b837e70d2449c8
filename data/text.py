"""One way to cut text into words, for captions, queries and training alike."""

from __future__ import annotations

import unicodedata

_APOSTROPHES = {ord(mark): "'" for mark in "\u2018\u2019\u02bc\uff07"}


class _WordCharacters(dict[int, str]):
    """A `str.translate` table that keeps letters, marks and digits and turns the rest into spaces."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        kept = character if unicodedata.category(character)[0] in "LMN" else " "
        self[code] = kept
        return kept


_TABLE = _WordCharacters({ord("'"): "'", **_APOSTROPHES})


def tokenize(text: str) -> list[str]:
    """Return the lower-case words of `text` in order, without punctuation.

    Text is brought to Unicode NFKC first. An apostrophe inside a word stays ("don't"); a possessive 's is a
    word of its own ("dog's" gives "dog", "'s"), the way the Flickr8k captions write it.
    """
    plain = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    return [word for piece in plain.translate(_TABLE).split() for word in _split_possessive(piece)]


def _split_possessive(piece: str) -> list[str]:
    if piece.endswith("'s"):
        owner = piece[:-2].strip("'")
        return [owner, "'s"] if owner else ["'s"]
    word = piece.strip("'")
    return [word] if word else []
