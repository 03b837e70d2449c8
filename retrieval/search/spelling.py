"""Spelling: typed words that nobody knows become words that captions say, where the evidence is clear.

A word stays as it is if captions, names and keywords or WordNet know it, and so do numbers, codes and names of files.
One slip is corrected in a short word, two in a long one; between words that are as near, the more frequent is taken.

The text encoder learnt from captions of several languages, in which there are slips, too. A word that it met stays,
unless it met it seldom or places no word of captions beside it ("gril"), and two letters are swapped or one is doubled
in it or halved of a frequent word of captions.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from math import log
from typing import NamedTuple

from captioner.types import SearchModel
from data.store import Store
from data.text import FUNCTION_WORDS, QUERY_STOP_WORDS, tokenize, without_accents
from retrieval.index.index import Captions
from retrieval.search.lexicon import load_lexicon
from retrieval.search.unsaid import no_synonyms
from retrieval.search.words import QUOTES

SHORTEST, LONG = 3, 7
"""Letters of the shortest word that is corrected, and of the shortest in which two slips are."""
MOST = 20
"""Unknown words of a query that are looked up; a longer list is no slip of the pen."""
SAID, FREQUENT, RARE = 4.0, 300, 0.4
SWAPPED, DOUBLED, MISSED, WRONG, TWO = 0.6, 0.5, 1.0, 1.4, 2.2
"""What slips cost: two letters swapped, a letter doubled or its double missing, one too many or too few, another
letter, and two slips."""
STEEPNESS = 3.0
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_QUOTED = re.compile(rf"[{QUOTES}][^{QUOTES}]*[{QUOTES}]")
_CODE = re.compile(r"\S*[\d_@/\\.]\w\S*")
"""What a file name, a code or an address looks like."""


class Slip(NamedTuple):
    """An unknown word of a text, from character `start` to `end`, and what may be meant; None where nothing is near."""

    start: int
    end: int
    correction: str | None


class Speller:
    """Corrects typed words, over one state of the library."""

    def __init__(
        self, captions: Captions, store: Store, model: SearchModel | None, is_named: Callable[[str], bool]
    ) -> None:
        """`is_named` tells whether names, keywords or dates of pictures have a word."""
        self._captions, self._store, self._is_named = captions, store, is_named
        self._embedder = model.embedder if model else None
        self._synonyms = self._embedder.synonyms if self._embedder else no_synonyms
        self._caption_words: Sequence[str] = model.caption_words.words if model and model.caption_words else ()
        self._corrected: dict[str, str | None] = {}

    def correct(self, text: str) -> str:
        """Return `text` with its unknown words corrected; what stands in quotes stays."""
        words = [one for one in self._words(text) if not self._captions.spread([one.group().lower()])[0]]
        unknown = [one for one in words if self._is_unknown(one.group().lower())]
        if len(unknown) > MOST or (unknown and self._is_foreign(text)):
            return text
        for one in reversed(unknown):
            better = self._correct(one.group().lower())
            if better:
                text = text[: one.start()] + _as_typed(better, one.group()) + text[one.end() :]
        return self._joined(text)

    def slips(self, text: str) -> list[Slip]:
        """Return the words of `text` that nobody knows, in order, and what may be meant by each."""
        found = []
        for one in self._words(text)[:MOST]:
            word = one.group().lower()
            if not self._captions.spread([word])[0] and self._is_unknown(word):
                found.append(Slip(one.start(), one.end(), self._correct(word)))
        return found

    def knows_well(self, word: str) -> bool:
        """Whether the text encoder met a word often."""
        return word in self._met and not self._is_rare(word)

    def _words(self, text: str) -> list[re.Match[str]]:
        """The words that may be corrected, function words left out."""
        kept = [one.span() for pattern in (_QUOTED, _CODE) for one in pattern.finditer(text)]
        return [
            one
            for one in _WORD.finditer(text)
            if len(one.group()) >= SHORTEST
            and one.group().lower() not in FUNCTION_WORDS
            and not any(start <= one.start() < end for start, end in kept)
        ]

    def _is_unknown(self, word: str) -> bool:
        if not word.isascii() or not word.isalpha() or (self.knows_well(word) and self._means_something(word)):
            return False
        return not (load_lexicon().is_english(word) or self._is_named(word))

    def _means_something(self, word: str) -> bool:
        """Whether captions say the word, or one that the text encoder places beside it."""
        return word in self._caption_words or bool(self._synonyms(word))

    def _is_rare(self, word: str) -> bool:
        """Whether the text encoder met a word so seldom that it may be a slip in a caption that it learnt from."""
        return self._ranks.get(word, 0) > len(self._ranks) * RARE and word not in self._caption_words

    def _is_foreign(self, text: str) -> bool:
        """Whether a function word of another language stands in the text, whose words are mostly not known here."""
        words = [word for word in tokenize(text) if word in FUNCTION_WORDS - QUERY_STOP_WORDS and len(word) > 1]
        return any(not load_lexicon().is_english(word) for word in words)

    @cached_property
    def _ranks(self) -> dict[str, int]:
        return {word: rank for rank, word in enumerate(self._embedder.words)} if self._embedder is not None else {}

    @cached_property
    def _met(self) -> frozenset[str]:
        return frozenset([*self._ranks, *self._caption_words, *map(without_accents, self._ranks)])

    @cached_property
    def _targets(self) -> dict[str, dict[str, float]]:
        """What may be meant, by first letter: each word with the logarithm of how frequent it is."""
        weights = {word: log(len(self._caption_words) / rank) for rank, word in enumerate(self._caption_words, 1)}
        own = [word for text in self._store.user_texts() for word in tokenize(text)]
        weights |= {word: weights.get(word, 0.0) for word in own}
        targets: dict[str, dict[str, float]] = defaultdict(dict)
        for word, weight in weights.items():
            if word.isalpha() and len(word) >= SHORTEST:
                targets[word[0]][word] = weight
        return targets

    def _correct(self, word: str) -> str | None:
        if word not in self._corrected:
            self._corrected[word] = self._best(word)
        return self._corrected[word]

    def _best(self, word: str) -> str | None:
        """Return the word or the two words that are meant, None where that is not clear."""
        split = None if word in self._met else self._split(word)  # A word of another language may be a compound.
        if split and len(self._captions.ids_with(split.split())):
            return split
        found = [(STEEPNESS * cost - weight, target) for target, cost, weight in self._candidates(word)]
        return min(found)[1] if found else split

    def _candidates(self, word: str) -> Iterator[tuple[str, float, float]]:
        """Yield words that are near enough, with the cost of the slip and the weight of the word."""
        from rapidfuzz import process  # takes some milliseconds to import, needed for unknown words only
        from rapidfuzz.distance import OSA

        slips = 2 if len(word) >= LONG else 1
        for first in dict.fromkeys(word[:2]):
            targets = self._targets.get(first, {})
            near = process.extract(word, targets.keys(), scorer=OSA.distance, score_cutoff=slips, limit=30)
            for target, distance, _ in near:
                cost = slip_cost(word, target) if distance == 1 else TWO
                said = bool(self._captions.spread([target])[0])
                weight = targets[target] + (SAID if said else 0.0)
                if first != word[0] and cost != SWAPPED:
                    continue
                frequent = said and weight > SAID + log(len(self._caption_words) / FREQUENT + 1)
                if word in self._met and not (frequent and cost <= SWAPPED):
                    continue
                if _clear(word, cost, frequent):
                    yield target, cost, weight

    def _split(self, word: str) -> str | None:
        """Two words of captions that were typed as one; the two that captions say most."""
        pairs = [(word[:cut], word[cut:]) for cut in range(SHORTEST, len(word) - SHORTEST + 1)]
        counted = [(int(self._captions.spread(pair).min()), pair) for pair in pairs if FUNCTION_WORDS.isdisjoint(pair)]
        said = [(count, pair) for count, pair in counted if count and all(part in self._met for part in pair)]
        return " ".join(max(said)[1]) if said else None

    def _joined(self, text: str) -> str:
        """Join two words that captions never say side by side, where they say them as one: "skate board"."""
        words = self._words(text)
        for one, other in reversed(list(pairwise(words))):
            if text[one.end() : other.start()] != " ":
                continue
            pair = [one.group().lower(), other.group().lower()]
            joined = "".join(pair)
            if joined in self._met and self._captions.spread([joined])[0] and not len(self._captions.ids_with(pair)):
                text = text[: one.end()] + other.group().lower() + text[other.end() :]
        return text


def slip_cost(word: str, target: str) -> float:
    """Return what the one slip costs that makes `word` of `target`."""
    if len(word) == len(target):
        differ = [place for place in range(len(word)) if word[place] != target[place]]
        return SWAPPED if len(differ) == 2 else WRONG
    shorter, longer = sorted((word, target), key=len)
    place = next((place for place in range(len(shorter)) if shorter[place] != longer[place]), len(shorter))
    doubled = longer[place] in (longer[place - 1 : place] or "", longer[place + 1 : place + 2] or "")
    return DOUBLED if doubled else MISSED


def _clear(word: str, cost: float, frequent: bool) -> bool:
    """Whether so short a word may be meant by so little: under four letters only swapped, or a very frequent one."""
    if len(word) == SHORTEST:
        return cost == SWAPPED or (cost < WRONG and frequent)
    if len(word) == SHORTEST + 1:
        return cost < WRONG
    return True


def _as_typed(word: str, typed: str) -> str:
    """Return `word` with a capital where the typed word has one."""
    return word.capitalize() if typed[:1].isupper() else word
