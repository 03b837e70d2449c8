"""Spelling: typed words that nobody knows become words that captions say, where the evidence is clear.

A word stays as it is if captions, names and keywords or WordNet know it, and so do numbers, codes and names of files.
One slip is corrected in a short word, two in a long one; between words that are as near, the more frequent is taken,
and the one that goes with the other words of the query: that captions say beside them, or that means something near.

A word that WordNet alone knows is corrected only if what is meant goes with the other words clearly: "swimming pol" is
"swimming pool", and "pol" alone stays.

The text encoder learnt from captions of several languages, in which there are slips, too. A word that it met stays,
unless it met it seldom or places no word of captions beside it ("gril"), and two letters are swapped or one is doubled
in it or halved of a frequent word of captions, or what is meant goes with the other words: "man wering a hat".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import pairwise
from math import log
from typing import NamedTuple

import numpy as np

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
BESIDE, MEANING, UNRELATED = 8.0, 4.0, 0.4
"""What it counts for a word that it stands beside another in captions, by its share of theirs, and that it means what
is near, by cosine, from the one on that words have which are no more than in one language."""
CLEARLY_BESIDE, CLEARLY_NEAR, SMOOTHED = 0.1, 0.75, 4
"""The share and the cosine from which a word that WordNet knows is a slip of another; pictures that a share is of in
addition, for a few that say both are little evidence."""
COMPARED = 8
"""Candidates, the best ones, that are compared with the other words."""
KEPT = 2**14
"""Words whose candidates are kept, of one state of the library."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_QUOTED = re.compile(rf"[{QUOTES}][^{QUOTES}]*[{QUOTES}]")
_CODE = re.compile(r"\S*[\d_@/\\.]\w\S*")
"""What a file name, a code or an address looks like."""


class Slip(NamedTuple):
    """An unknown word of a text, from character `start` to `end`, and what may be meant; None where nothing is near."""

    start: int
    end: int
    correction: str | None


class Candidate(NamedTuple):
    """A word that may be meant: lower ranks are likelier, by the cost of the slip and by how frequent the word is.

    One that is not `likely` is meant only where it goes with the other words.
    """

    rank: float
    word: str
    cost: float
    likely: bool


class Context(NamedTuple):
    """The words right before and right after a word, one or none each, and all others of the query that count."""

    before: Sequence[str]
    after: Sequence[str]
    others: Sequence[str]


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
        self._near: dict[str, list[Candidate]] = {}

    def correct(self, text: str) -> str:
        """Return `text` with its unknown words corrected; what stands in quotes stays."""
        slips = self._slips(text, self._words(text))
        if len(slips) > MOST or (slips and self._is_foreign(text)):
            return text
        for one in reversed(slips):
            if one.correction:
                better = _as_typed(one.correction, text[one.start : one.end])
                text = text[: one.start] + better + text[one.end :]
        return self._joined(text)

    def slips(self, text: str) -> list[Slip]:
        """Return the words of `text` that nobody knows, in order, and what may be meant by each."""
        return self._slips(text, self._words(text)[:MOST])

    def _slips(self, text: str, words: Sequence[re.Match[str]]) -> list[Slip]:
        found, meant = [], [one.group().lower() for one in words]
        for place, one in enumerate(words):
            word = meant[place]
            if not (word.isascii() and word.isalpha()) or self._captions.spread([word])[0]:
                continue
            unknown = self._is_unknown(word)
            if unknown or self._is_doubtful(word):
                correction = self._correct(word, _context(text, words, meant, place), unknown)
                meant[place] = correction or word
                if unknown or correction:
                    found.append(Slip(one.start(), one.end(), correction))
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
        """Whether nobody knows a word that no caption says."""
        if self.knows_well(word) and self._means_something(word):
            return False
        return not (load_lexicon().is_english(word) or self._is_named(word))

    def _is_doubtful(self, word: str) -> bool:
        """Whether WordNet alone knows a word that no caption says: a slip of another where that goes with the query."""
        if self.knows_well(word):
            return False
        return load_lexicon().is_english(word) and not (word in self._caption_words or self._is_named(word))

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

    def _correct(self, word: str, context: Context, unknown: bool) -> str | None:
        """Return the word or the two words that are meant, None where that is not clear; see `_is_doubtful`."""
        # A word of another language may be a compound.
        split = self._split(word) if unknown and word not in self._met else None
        if split and len(self._captions.ids_with(split.split())):
            return split
        if word not in self._near:
            if len(self._near) >= KEPT:
                self._near.clear()
            self._near[word] = sorted(self._candidates(word))[:COMPARED]
        found, others = [], self._meanings(context.others)
        for rank, target, cost, likely in self._near[word]:
            beside, near = self._beside(target, context), self._nearness(target, others)
            clear = beside >= CLEARLY_BESIDE or (near >= CLEARLY_NEAR and cost < WRONG)
            if (unknown and likely) or clear:
                found.append((rank - BESIDE * beside - MEANING * max(near - UNRELATED, 0), target))
        return min(found)[1] if found else split

    def _beside(self, target: str, context: Context) -> float:
        """Return the share of the pictures whose captions say a neighbour that say it beside `target`, the highest."""
        pairs = [(one, (one, target)) for one in context.before] + [(one, (target, one)) for one in context.after]
        shares = (
            self._captions.saying_pair(pair) / (int(self._captions.spread([one])[0]) + SMOOTHED) for one, pair in pairs
        )
        return max(shares, default=0.0)

    def _meanings(self, words: Sequence[str]) -> dict[str, np.ndarray]:
        """Return the text encoder's vector of each of the words that it met."""
        if self._embedder is None:
            return {}
        vectors = {word: self._embedder.embed([word]) for word in words if word in self._ranks}
        return {word: vector for word, vector in vectors.items() if vector is not None}

    def _nearness(self, target: str, others: Mapping[str, np.ndarray]) -> float:
        """Return the highest cosine of `target` and another word of the query, 0 without an encoder that knows both."""
        # Forms of one word mean the same, and so tell nothing: "running" and "run".
        vectors = [vector for word, vector in others.items() if not _is_form(target, word)]
        own = self._meanings([target]).get(target) if vectors else None
        return 0.0 if own is None else max(float(own @ vector) for vector in vectors)

    def _candidates(self, word: str) -> Iterator[Candidate]:
        """Yield words that are near enough."""
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
                if cost != SWAPPED and (first != word[0] or target in FUNCTION_WORDS):
                    continue
                frequent = said and weight > SAID + log(len(self._caption_words) / FREQUENT + 1)
                likely = word not in self._met or (frequent and cost <= SWAPPED)
                if _clear(word, cost, frequent):
                    yield Candidate(STEEPNESS * cost - weight, target, cost, likely)

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


def _context(text: str, words: Sequence[re.Match[str]], meant: Sequence[str], place: int) -> Context:
    def adjacent(one: int, other: int) -> bool:
        return text[words[one].end() : words[other].start()] in (" ", "-")

    before = [meant[place - 1]] if place and adjacent(place - 1, place) else []
    after = [meant[place + 1]] if place + 1 < len(words) and adjacent(place, place + 1) else []
    return Context(before, after, [*meant[:place], *meant[place + 1 :]])


def _is_form(word: str, other: str) -> bool:
    return word.startswith(other) or other.startswith(word)


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
