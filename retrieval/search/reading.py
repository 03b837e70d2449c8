"""Reads the words of a query over one state of the library: corrected, expanded, with what is excluded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce

import numpy as np

from captioner.types import SearchModel
from data.roots import read_roots
from data.store import Store
from data.text import FUNCTION_WORDS, fold, stems, tokenize, without_accents
from retrieval.index.index import Index
from retrieval.metadata.terms import is_generic, plain, texts_of, words_of
from retrieval.search.lexicon import load_lexicon
from retrieval.search.metadata import match
from retrieval.search.people import People
from retrieval.search.query import MAX_EXCLUDED, Query, QueryError
from retrieval.search.spelling import Slip, Speller
from retrieval.search.unsaid import content_words, no_synonyms, unsaid_words
from retrieval.search.words import Exclusion, Typed, parse
from retrieval.vectors.pieces import distinct

NEGATED = ("no", "without", "without a", "without an", "without any", "without the", "not wearing a", "with no")
"""How a caption says that something is not in the picture."""
CHECKED, NAMES_CHECKED = 20_000, 2_000
"""Up to this many pictures, a phrase is compared with the words of captions, and of names and keywords; beyond, with
their stems only."""
NUMERALS = dict(
    zip(
        map(str, range(2, 13)),
        tokenize("two three four five six seven eight nine ten eleven twelve"),
        strict=True,
    )
)
COUNTS = frozenset([*NUMERALS, *NUMERALS.values()])
FEW = 3
"""Numbers are set aside, and words replaced, in queries of so many words at most: longer ones are sentences."""


@dataclass(frozen=True)
class Reading:
    """What a text asks for.

    `text` is what is searched for, maybe empty; `allowed` the ids that phrases and exclusions leave (rising), None for
    all. `corrected` has the text as it was typed and as it is meant, `expanded` the words that captions never say and
    those that are searched for instead. `without` are the excluded words. `quoted` tells that all words are in phrases,
    so that each picture allowed is what is asked for.
    """

    text: str
    allowed: np.ndarray | None = None
    without: Sequence[Exclusion] = ()
    corrected: tuple[str, str] | None = None
    expanded: Mapping[str, str] = field(default_factory=dict)
    quoted: bool = False

    @property
    def uncounted(self) -> list[str]:
        """The text without its numbers, where it says little else: "dogs" and "dog" for "three dogs"."""
        words = tokenize(self.text)
        others = [word for word in words if word not in COUNTS]
        if not (others and len(others) < len(words) <= FEW):
            return []
        one = [load_lexicon().lemma(word) for word in others]
        return list(dict.fromkeys([" ".join(others), " ".join(one)]))


class Reader:
    """Reads queries over one state of the library; what it looks up is kept for the next query."""

    def __init__(self, store: Store, index: Index, model: SearchModel | None, people: People) -> None:
        self._store, self._index, self._people = store, index, people
        self._synonyms = model.embedder.synonyms if model and model.embedder else no_synonyms
        self._speller = Speller(index.captions, store, model, self._is_named)

    def read(self, query: Query) -> Reading:
        """Return what the text of the query asks for. Raises QueryError."""
        meant = query.text if query.verbatim else self._speller.correct(query.text)
        typed = parse(meant)
        also = [Exclusion(tuple(tokenize(text))) for text in query.exclude]
        exclusions = [*typed.exclusions, *(one for one in also if one.words)]
        if len(exclusions) > MAX_EXCLUDED:
            raise QueryError(f"{len(exclusions)} words are excluded; give {MAX_EXCLUDED} at most")
        text, expanded = (typed.wanted, {}) if query.verbatim else self._expanded(typed)
        corrected = (query.text, meant) if meant != query.text else None
        in_phrases = FUNCTION_WORDS.union(*typed.phrases)
        quoted = bool(typed.phrases) and in_phrases.issuperset(tokenize(typed.wanted))
        reading = Reading(text, None, exclusions, corrected, expanded, quoted)
        if not (exclusions or typed.phrases):
            return reading
        return self._restricted(reading, typed)

    def slips(self, text: str) -> list[Slip]:
        """Return the words of a text that nobody knows, see `Speller.slips`."""
        return self._speller.slips(text)

    def _expanded(self, typed: Typed) -> tuple[str, dict[str, str]]:
        """Replace words that no caption says by the nearest that one does, where there is one."""
        if len(content_words(typed.wanted)) > FEW:  # A sentence is near its pictures as a whole: measured on dev.
            return typed.wanted, {}
        quoted = {word for phrase in typed.phrases for word in phrase}
        text, expanded = typed.wanted, {}
        unsaid = unsaid_words(text, self._index.captions) if text else []
        for word in unsaid:
            nearest = None if word in quoted else self._nearest(word)
            if nearest:
                expanded[word] = nearest
        if expanded:
            text = " ".join(expanded.get(word, word) for word in tokenize(text))
        return text, expanded

    def _nearest(self, word: str) -> str | None:
        """The word of captions that comes nearest to a word that no caption says, by two sources; "two" for "2"."""
        if word in NUMERALS:
            return NUMERALS[word] if self._said([NUMERALS[word]]) else None
        synonyms = [one for one in self._synonyms(word) if self._said([one])]
        # What the text encoder knows well is near its pictures as it is.
        if not word.isascii() or self._is_named(word) or (not synonyms and self._speller.knows_well(word)):
            return None
        lexicon = load_lexicon()
        near = (lexicon.nearest.get(word) or lexicon.nearest.get(lexicon.lemma(word), "")).split()
        return next((one for one in near if self._said([one]) and (one in synonyms or not synonyms)), None)

    def _is_named(self, word: str) -> bool:
        """Whether names of people, files and folders, keywords or dates have the word."""
        return self._people.is_name(word) or match(word, self._index.metadata, self._index.captions, None) is not None

    def _said(self, words: Sequence[str]) -> bool:
        return bool(self._index.captions.spread(words).all())

    def _restricted(self, reading: Reading, typed: Typed) -> Reading:
        """Keep the pictures that say the phrases, or are called so, and do not say what is excluded."""
        allowed = self._index.ids
        for phrase in typed.phrases:
            saying = np.union1d(self._saying(phrase), self._called(phrase))
            allowed = np.intersect1d(allowed, saying, assume_unique=True)
        described = False
        for exclusion in reading.without:
            negating = self._negating(exclusion) if exclusion.in_words else allowed[:0]
            described |= bool(len(negating))
            excluded = np.setdiff1d(self._excluded(exclusion, stems(typed.wanted)), negating, assume_unique=True)
            # What a person says of a film holds for all of its frames.
            excluded = self._index.frames.with_frames(excluded)
            allowed = np.setdiff1d(allowed, excluded, assume_unique=True)
        # Captions of this library say "no shirt" themselves: then the words describe a picture, too.
        text = typed.whole if described else reading.text
        return replace(reading, text=text, allowed=allowed)

    def _saying(self, phrase: Sequence[str]) -> np.ndarray:
        """The ids of the pictures a caption of which has the words of `phrase` in order, without accents, rising."""
        ids = self._index.captions.ids_with(phrase)
        if not 0 < len(ids) <= CHECKED:
            return ids
        sought = f" {' '.join(map(without_accents, phrase))} "
        stored = self._store.captions(ids.tolist())
        found = [number for number, own in stored.items() if any(sought in _plain(one.text) for one in own)]
        return np.array(sorted(found), np.int64)

    def _called(self, words: Sequence[str]) -> np.ndarray:
        """The ids of the pictures whose name, folder, title or keyword has `words` in order, rising."""
        telling = [stem for word in words if not is_generic(plain(word)) for stem in words_of(word)]
        found = [self._index.metadata.find(stem) for stem in telling]
        ids = reduce(np.intersect1d, found) if found else np.zeros(0, np.int64)
        if len(words) == 1 or not 0 < len(ids) <= NAMES_CHECKED:
            return ids
        sought = f" {' '.join(map(plain, words))} "
        roots = [root.path for root in read_roots(self._store)]
        pictures = self._store.pictures(ids.tolist()).items()
        texts = {number: texts_of(one.paths, one.texts_beside, roots) for number, one in pictures}
        return np.array(
            [one for one, own in texts.items() if any(sought in _plain(text.text) for text in own)], np.int64
        )

    def _excluded(self, exclusion: Exclusion, wanted: Sequence[str]) -> np.ndarray:
        """The ids of the pictures whose captions say what is excluded, in any form, or something narrower, or show it.

        With a minus, pictures that are called so are excluded, too. What is narrower and `wanted`, by its stem, is not
        excluded: "man -people".
        """
        captions = self._index.captions
        found = [captions.ids_with(exclusion.words), self._people.pictures(exclusion.words)]
        found += [] if exclusion.in_words else [self._called(exclusion.words)]
        if len(exclusion.words) == 1:
            (word,) = exclusion.words
            variants = [one for one in self.variants(word) if fold(one) not in wanted]
            found += [captions.ids_with([one]) for one in variants]
            if not any(map(len, found)):
                found += [captions.ids_with([one]) for one in self._synonyms(word)]
        return distinct(found)

    def variants(self, word: str) -> list[str]:
        """Return what also says `word`: its irregular forms, and words of captions for kinds of it."""
        lexicon = load_lexicon()
        lemma = lexicon.lemma(word)
        narrower = lexicon.narrower.get(word) or lexicon.narrower.get(lemma, "")
        named = [lemma, *narrower.split()]
        forms = [form for one in named for form in lexicon.forms(one)]
        return [one for one in dict.fromkeys([*named, *forms]) if fold(one) != fold(word)]

    def _negating(self, exclusion: Exclusion) -> np.ndarray:
        """The ids of the pictures a caption of which says that what is excluded is not there."""
        return distinct([self._index.captions.ids_with([*said.split(), *exclusion.words]) for said in NEGATED])


def _plain(text: str) -> str:
    return f" {' '.join(map(without_accents, tokenize(text)))} "
