"""Search beside the captions: by names of files and folders, by what files say of themselves, and by dates.

A query is split into units, its words and its dates, and each unit is looked up in the index of metadata. Pictures that
match come first, in three levels; the ranking by captions and vectors orders them within a level, and all others after
them. Where no unit is found, nothing changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import NamedTuple

import numpy as np

from data.metadata.dates import in_words
from data.records import PictureText, StoredPicture
from data.text import tokenize
from retrieval.bleu.score import TYPED_VARIANT
from retrieval.index.index import Captions, MetadataIndex
from retrieval.metadata.postings import day_number
from retrieval.metadata.terms import (
    found_words,
    is_generic,
    is_telling,
    key,
    plain,
    stem_of,
    texts_of,
    whole_terms,
    words_of,
)
from retrieval.search.dates import DateRange, read_dates, without
from retrieval.search.pipeline import Candidates, Clause, Fusion, Stage
from retrieval.search.retrievers import EVERY, NEAREST

METADATA = "metadata"
"""The name of the score."""
WHOLE, ALL, SOME = 1.0, 0.9, 0.8
"""The scores: the query is a whole name, folder or keyword; metadata have all of its units; captions say the others."""
FLOORS = {WHOLE: 0.99, ALL: 0.95, SOME: 0.9}
"""The least relevance at each score; the ranking by captions and vectors adds what is left to the next floor."""
MOST_TOLD = 10
"""Texts that a hit tells it matched by."""
_NO_IDS = np.zeros(0, np.int64)
_NAME = re.compile(r"\S*[_\d]\S*")


class Unit(NamedTuple):
    """A word of the query with the stems to look up, or its dates; `ids` int64, rising: the pictures that match.

    A month without a year is a word that has a date; only dates with a year restrict.
    """

    words: frozenset[str]
    ids: np.ndarray
    said: str = ""
    dates: Sequence[DateRange] = ()
    restricts: bool = False


@dataclass(frozen=True)
class Matches:
    """What a query found in the metadata of a library.

    `whole` (ids, rising) have a text that is the `wholes` terms; each picture of `units` has that unit. `rest` is the
    text for the ranking by captions, "" for none. Only the ids `allowed` (rising) can be hits; None for all.
    """

    wholes: frozenset[str]
    whole: np.ndarray
    units: Sequence[Unit]
    rest: str
    allowed: np.ndarray | None

    @property
    def every(self) -> np.ndarray:
        """The ids of the pictures that match as a whole or in all units, rising."""
        both = reduce(_intersection, [unit.ids for unit in self.units]) if self.units else _NO_IDS
        return self._allowed(np.union1d(self.whole, both))

    @property
    def any(self) -> np.ndarray:
        """The ids of the pictures that match in a word, rising."""
        words = [unit.ids for unit in self.units if not unit.restricts]
        return self._allowed(reduce(np.union1d, words, _NO_IDS))

    def levels(self, ids: np.ndarray, captions: Captions) -> np.ndarray:
        """Return the score of the pictures of rising `ids`, (n,), NaN where it is none of WHOLE, ALL and SOME."""
        levels = np.full(len(ids), np.nan)
        found = [np.isin(ids, unit.ids, assume_unique=True) for unit in self.units]
        words = [one for one, unit in zip(found, self.units, strict=True) if not unit.restricts]
        partly = np.flatnonzero(np.any(words, axis=0)) if words else np.zeros(0, np.int64)
        for one, unit in zip(found, self.units, strict=True):
            have = one[partly]
            if not have.all() and unit.said:
                have |= captions.scores([unit.said], TYPED_VARIANT, ids[partly]) > 0
            partly = partly[have]
        levels[partly] = SOME
        if found:
            levels[np.all(found, axis=0)] = ALL
        levels[np.isin(ids, self.whole, assume_unique=True)] = WHOLE
        return levels

    def explains(self, word: str) -> bool:
        """Return whether a picture has this word of the query in its metadata."""
        stems = set(words_of(word))
        return any(len(unit.ids) and unit.words & stems for unit in self.units)

    def told(self, picture: StoredPicture, roots: Sequence[bytes]) -> list[PictureText]:
        """Return the texts of a picture that match; a date in words, with the source that says so."""
        words = frozenset[str]().union(*(unit.words for unit in self.units))
        texts = [
            text
            for text in texts_of(picture.paths, picture.texts_beside, roots)
            if found_words(text) & words or self.wholes & set(whole_terms(text))
        ]
        day = np.array([day_number(picture.taken_at, picture.taken_from)])
        if picture.taken_at and any(date.includes(day)[0] for unit in self.units for date in unit.dates):
            texts.append(PictureText("date", in_words(picture.taken_at, picture.taken_from)))
        return texts[:MOST_TOLD]

    def _allowed(self, ids: np.ndarray) -> np.ndarray:
        return ids if self.allowed is None else _intersection(ids, self.allowed)


def match(text: str, index: MetadataIndex, captions: Captions, allowed: np.ndarray | None) -> Matches | None:
    """Look the plain words `text` of a query up; None where no picture of `allowed` (ids, rising) has any of them.

    Where the query is the name of a file in the library, it asks for nothing else.
    """
    text = " ".join(text.split())
    is_name = _is_name(text)
    wholes, whole = _whole(text, index)
    if is_name and len(whole):
        name = stem_of(text.rpartition("/")[2])[0]
        return _if_any(Matches(wholes, whole, _together(_units(name, index)), "", allowed))
    dates = [] if is_name else read_dates(text)
    years = [date for date in dates if not date.month]
    dated = _dated(years, index, captions) if years else None
    rest = stem_of(text)[0] if dated is None else without(text, years)
    months = {date.text.lower(): date for date in dates if date.month}
    units = _units(rest, index, months)
    if dated is None and not len(whole) and not any(len(unit.ids) for unit in units):
        return None
    rest = _without_months(rest, units, captions)
    if dated is not None:
        then = np.union1d(dated.ids, whole)
        restricted = then if allowed is None else _intersection(then, allowed)
        return Matches(wholes, whole, [*units, dated], rest if units else "", restricted)
    return _if_any(Matches(wholes, whole, units, rest, allowed))


def _units(text: str, index: MetadataIndex, months: Mapping[str, DateRange] = {}) -> list[Unit]:
    """Look the words of a text up; those that systems give to files count only where they are found.

    The words that are `months` also find the pictures taken in that month of any year.
    """
    words = [word for word in dict.fromkeys(tokenize(text)) if word in months or is_telling(plain(word))]
    units = [_in_month(_unit(word, index), months, index) for word in words]
    return [unit for unit in units if len(unit.ids) or not is_generic(plain(unit.said))]


def _together(units: Sequence[Unit]) -> list[Unit]:
    """Return one unit of all words: other files whose names have them too, as IMG_2682-edited.jpg."""
    words = frozenset[str]().union(*(unit.words for unit in units))
    return [Unit(words, reduce(_intersection, [unit.ids for unit in units]))] if units else []


def _if_any(matches: Matches) -> Matches | None:
    return matches if len(matches.every) or len(matches.any) else None


def _is_name(text: str) -> bool:
    """Return whether a query looks like the name of a file: it has a suffix, or is one piece with _ or digits."""
    return bool(stem_of(text)[1]) or (bool(_NAME.fullmatch(text)) and not read_dates(text) and not text.isdigit())


def _whole(text: str, index: MetadataIndex) -> tuple[frozenset[str], np.ndarray]:
    """Return the terms that stand for the query as a whole text, and the pictures that have one of them."""
    stem, suffix = stem_of(text.rpartition("/")[2])
    term = f"={key(stem)}.{suffix}" if suffix else f"={key(text)}"
    if not (suffix or words_of(text) or (text.isdigit() and len(text) > 1)):
        return frozenset(), _NO_IDS
    return frozenset([term]), index.find(term)


def _dated(dates: Sequence[DateRange], index: MetadataIndex, captions: Captions) -> Unit | None:
    """Return the unit of the dates of a query: pictures taken then, or that say so in any way; None if none do."""
    found = [index.taken(date.includes) for date in dates]
    found += [index.find(f"={key(date.text)}") for date in dates]
    years = [date.text for date in dates if date.text.isdigit()]
    found += [index.find(year) for year in years]
    for year in years:
        if captions.spread([year])[0]:
            said = captions.top([year], TYPED_VARIANT, NEAREST)
            found.append(np.sort(said.ids[said.scores > 0]))
    ids = reduce(np.union1d, found)
    return Unit(frozenset(years), ids, dates=tuple(dates), restricts=True) if len(ids) else None


def _in_month(unit: Unit, months: Mapping[str, DateRange], index: MetadataIndex) -> Unit:
    month = months.get(unit.said)
    if month is None:
        return unit
    return unit._replace(ids=np.union1d(unit.ids, index.taken(month.includes)), dates=(month,))


def _without_months(text: str, units: Sequence[Unit], captions: Captions) -> str:
    """Return the text for the ranking by captions without months that no caption says, unless nothing else is there.

    "June" and "March" may also be what a picture shows.
    """
    dates = [date for unit in units if len(unit.ids) for date in unit.dates if not captions.spread([unit.said])[0]]
    return without(text, dates) or text


def _unit(word: str, index: MetadataIndex) -> Unit:
    """Look a word up, and where it is not found, the words of which it is joined."""
    joined, *parts = words_of(word) or [""]
    ids = index.find(joined)
    if len(ids) or not parts:
        return Unit(frozenset([joined]), ids, word)
    return Unit(frozenset(parts), reduce(_intersection, map(index.find, parts)), word)


def _intersection(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.intersect1d(left, right, assume_unique=True)


class MetadataRetriever:
    """The pictures that match by metadata; of very many the last added, and those that other retrievers find."""

    def __init__(self, matches: Matches, pictures: int, among: Callable[[np.ndarray], Sequence[Stage]]) -> None:
        """`pictures` is their number in the library; `among` makes retrievers among some ids (rising)."""
        self._matches, self._few, self._among = matches, pictures <= EVERY, among

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        for ids in (self._matches.every, self._matches.any):
            if self._few or len(ids) <= NEAREST:
                candidates = candidates.with_ids(ids)
                continue
            candidates = replace(candidates.with_ids(ids[-NEAREST:]), more=True)
            for retriever in self._among(ids):
                candidates = retriever(clause, candidates)
        return candidates


class MetadataScorer:
    """The score METADATA, see `Matches.levels`."""

    def __init__(self, matches: Matches, captions: Captions) -> None:
        self._matches, self._captions = matches, captions

    def __call__(self, clause: Clause, candidates: Candidates) -> Candidates:
        return candidates.with_scores(METADATA, self._matches.levels(candidates.ids, self._captions))


class MetadataFusion:
    """Lifts the relevance of pictures that match by metadata; those of another date than the query's have none."""

    def __init__(self, matches: Matches, usual: Fusion | None) -> None:
        """`usual` is the fusion for the other words of the query, None if there are none."""
        self._matches, self._usual = matches, usual

    def __call__(self, clause: Clause, candidates: Candidates) -> np.ndarray:
        usual = np.zeros(len(candidates.ids)) if self._usual is None else self._usual(clause, candidates)
        relevance, above = usual, 1.0
        for level, floor in FLOORS.items():
            lifted = np.maximum(usual, floor + (above - floor) * usual)
            relevance = np.where(candidates.scores[METADATA] == level, lifted, relevance)
            above = floor
        allowed = self._matches.allowed
        return relevance if allowed is None else np.where(np.isin(candidates.ids, allowed), relevance, 0)
