"""Text as words: tokenisation, stems and stop words, the same for captions, queries and training."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache

_APOSTROPHES = {ord(mark): "'" for mark in "\u2018\u2019\u02bc\uff07"}

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


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

    Text is normalised to Unicode NFKC first. An apostrophe inside a word stays ("don't"); a possessive 's is a
    word of its own ("dog's" gives "dog", "'s"), as in the captions of Flickr8k.
    """
    normalised = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).lower())
    return [word for piece in normalised.translate(_TABLE).split() for word in _split_possessive(piece)]


def _split_possessive(piece: str) -> list[str]:
    if piece.endswith("'s"):
        owner = piece[:-2].strip("'")
        return [owner, "'s"] if owner else ["'s"]
    word = piece.strip("'")
    return [word] if word else []


STEM_CACHE = 2**16  # Words whose stem is cached: far more than captions use, and a limit for typed words.


_LETTERS = str.maketrans(
    {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ı": "i", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ŋ": "n", "ħ": "h"}
)
_MARKS = re.compile("(?<=[a-zα-ω])[\u0300-\u036f]+")
"""Marks on Latin and Greek letters; in other scripts they tell letters apart."""


def without_accents(word: str) -> str:
    """Return a lower-case word in plain letters, where its script is Latin or Greek: "café" as "cafe", ß as "ss"."""
    if word.isascii():
        return word
    plain = _MARKS.sub("", unicodedata.normalize("NFKD", word.translate(_LETTERS)))
    return unicodedata.normalize("NFKC", plain)


@lru_cache(STEM_CACHE)
def fold(word: str) -> str:
    """Return the form by which words are compared: without accents, and the English stem (Porter's second stemmer).

    So "dogs" matches "dog", "runs" matches "running" and "cafe" matches "café". NLTK has the same stemmer in an older
    revision ("evening" becomes "even"), but importing it takes over a second.
    """
    import snowballstemmer  # takes 12 ms, needed only to compare words

    return str(
        snowballstemmer.stemmer("english").stemWord(without_accents(word))
    )  # A new one for each word, as it is not thread-safe.


def stems(text: str) -> list[str]:
    """Return the stem of each word of `text`, in order."""
    return [fold(word) for word in tokenize(text)]


STOP_WORDS = frozenset(
    tokenize(
        "a an the this that these those is are was were be being been has have had do does in on at of with and or to "
        "by for from as into onto over out off up down near next through while who which there it its he she they them "
        "him his her their 's one two some other another"
    )
)
"""Words of captions that do not say what a picture shows."""
QUERY_STOP_WORDS = STOP_WORDS | frozenset(
    tokenize(
        "i me my we us our ours you your yours hers theirs whom whose what where when why how am will would "
        "can could shall should may might must did done doing having not no nor but if so than then too very just "
        "only also both each every any all few more most many much such same own else about above across after "
        "again against along among around before behind below beneath beside besides between beyond during inside "
        "outside toward towards under underneath until upon via within without aren't can't doesn't don't i'm isn't "
        "it's show find picture pictures photo photos photograph photographs image images"
    )
)
"""The stop words of typed queries, with words such as "show" and "picture"."""
_OTHER_LANGUAGES = (
    # German
    "der die das den dem des ein eine einen einem einer eines und oder aber auf in im ins an am ans mit ohne von "
    "vom zu zum zur bei beim für über unter neben vor hinter zwischen durch um aus nach während ist sind war "
    "waren wird werden hat haben sich er sie es ihr ihre ihren ihrem seine seinen seinem sein ihm ihn dass als "
    "wie wo wer was nicht kein keine noch auch nur etwas jemand andere anderen anderer dabei dort hier",
    # French
    "le la les l un une des du de d et ou mais à au aux en dans sur sous avec sans par pour chez vers entre "
    "devant derrière pendant près est sont était étaient a ont avoir être il elle ils elles on se s son sa ses "
    "leur leurs ce cet cette ces qui que qu dont où ne pas plus autre autres tout tous toute toutes très quelque "
    "y",
    # Czech
    "a i v ve na nad pod před za u o od do z ze s se k ke po při mezi přes bez pro je jsou byl byla bylo byli být "
    "má mají si svůj svou své svém svým jeho její jejich ten ta to ty tento tato toto který která které kteří co "
    "kdo kde jak když nebo ale že by už jeden jedna jedno jiný jiná další nějaký nějaká několik",
)
FUNCTION_WORDS = QUERY_STOP_WORDS | frozenset(tokenize(" ".join(_OTHER_LANGUAGES)))
"""The stop words of all languages that queries are read in."""


def split_by_query(caption: str, words: str) -> Iterator[tuple[str, bool]]:
    """Yield the pieces of a caption, and whether each is a word of the query, in whatever inflection."""
    query, end = frozenset(stems(words)), 0
    for found in _WORD.finditer(caption):
        yield caption[end : found.start()], False
        yield found.group(), bool(query & {*stems(found.group())})
        end = found.end()
    yield caption[end:], False


def plural(count: int, noun: str) -> str:
    """Return a number and its noun: 1 picture, 2,000 pictures, 3 copies."""
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else many}"
