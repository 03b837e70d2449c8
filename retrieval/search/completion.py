"""Completion of what is typed: words of captions, names and keywords, people, folders, albums, and values of filters.

All of them are of this library, with how many pictures each has.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import sqlalchemy as sa

from captioner.types import SearchModel
from data.catalogue.values import BOOLEAN
from data.paths import clean_text
from data.soundness import sound
from data.store import Store
from data.tables import faces, files, items, people, picture_texts
from data.text import FUNCTION_WORDS, fold, tokenize
from retrieval.index.index import Captions
from retrieval.metadata.terms import is_generic, is_telling, plain, stem_of
from retrieval.search.catalogue import StoredField, StoredRange
from retrieval.search.collection import Collection
from retrieval.search.declarations import FolderCount
from retrieval.search.fields import ChoiceField, Field, FolderField
from retrieval.search.filters import Filters

WORD, NAME, FOLDER, PERSON = "word", "name", "folder", "person"
ALBUM, FAVOURITE = "album", "favourite"
MOST = 8
COUNTED = 60
"""Words with the prefix whose pictures are counted, the most frequent of the captioner's first."""
MOST_FILES = 200_000
"""Files whose names are read for completion; of a larger library, names are left out."""
MOST_VALUES = 2_000
"""Values of one field of the catalogue that are completed, the most frequent ones."""


class Completion(NamedTuple):
    """What the last word may become: words to put in its place, or a filter to set instead.

    `kind` is word, name, keyword, person, place, title, folder, album, or the name of a field; `label` is for people.
    """

    text: str
    kind: str
    label: str
    pictures: int
    parameter: str = ""
    value: str = ""


class Completer:
    """Completes over one state of the library; may be used by several threads at once."""

    def __init__(self, store: Store, collection: Collection, captions: Captions, model: SearchModel | None) -> None:
        """Reads names, keywords, folders and values once. Raises StoreError."""
        self._captions, self._collection = captions, collection
        caption_words = model.caption_words.words if model and model.caption_words else ()
        own = Counter(word for text in store.user_texts() for word in tokenize(text))
        ranked = [
            word for word in dict.fromkeys((*caption_words, *own)) if word.isalpha() and word not in FUNCTION_WORDS
        ]
        self._rank = {word: rank for rank, word in enumerate(ranked)}
        self._words = sorted(self._rank)
        listed = [*_texts(store), *_people(store), *_names(store), *_values(collection)]
        self._listed = sorted((start, number) for number, one in enumerate(listed) for start in _starts(one.text))
        self._completions = listed

    def complete(self, prefix: str, limit: int = MOST) -> list[Completion]:
        """Return what begins with `prefix`, in any word of it, those with most pictures first; none for no prefix."""
        typed = plain(prefix)
        if not typed:
            return []
        found = [*self._caption_words(prefix.lower()), *self._others(typed), *self._marked(typed)]
        distinct = {(one.text.lower(), one.parameter, one.value): one for one in reversed(found)}
        return sorted(distinct.values(), key=lambda one: (-one.pictures, one.text))[:limit]

    def is_said(self, word: str) -> bool:
        """Whether captions say a word."""
        return bool(self._captions.spread([word.lower()])[0])

    def _caption_words(self, prefix: str) -> Iterator[Completion]:
        """Words of captions; in several forms of one word the captioner's most frequent one is taken."""
        first = bisect_left(self._words, prefix)
        last = bisect_left(self._words, prefix + "\U0010ffff")
        likely = sorted(self._words[first:last], key=self._rank.__getitem__)[:COUNTED]
        forms: set[str] = set()
        for word, pictures in zip(likely, self._captions.spread(likely).tolist(), strict=True):
            stem = fold(word)
            if pictures and (stem not in forms or word == prefix):
                forms.add(stem)
                yield Completion(word, WORD, "in captions", pictures)

    def _others(self, prefix: str) -> Iterator[Completion]:
        place = bisect_left(self._listed, (prefix, -1))
        while place < len(self._listed) and self._listed[place][0].startswith(prefix):
            yield self._completions[self._listed[place][1]]
            place += 1

    def _marked(self, prefix: str) -> Iterator[Completion]:
        """Favourites and albums as they are now: they change without the rest of the library."""
        membership = self._collection.state()[0].membership
        listed = [Completion(one.name, ALBUM, ALBUM, len(one.ids), ALBUM, str(one.id)) for one in membership.albums]
        if len(membership.favourites):
            listed.append(Completion("favourites", ALBUM, "filter", len(membership.favourites), FAVOURITE, "yes"))
        return (one for one in listed if any(start.startswith(prefix) for start in _starts(one.text)))


def _starts(text: str) -> set[str]:
    """A text is found by its beginning and by that of each of its words."""
    whole = plain(text)
    words = whole.split()
    return {whole, *(" ".join(words[place:]) for place in range(1, len(words)))}


def _texts(store: Store) -> Iterator[Completion]:
    """Keywords, people, places and titles that the files themselves have."""
    table = picture_texts.c
    query = sa.select(table.field, table.text, sa.func.count(sa.distinct(table.picture_id)))
    query = query.where(sound(picture_texts), sa.func.length(table.text) <= 60, table.field != "description")
    with store.reading() as connection:
        rows = connection.execute(query.group_by(table.field, table.text)).all()
    for field, text, pictures in rows:
        yield Completion(text, field, field, pictures)


def _people(store: Store) -> Iterator[Completion]:
    """Names that a person gave to faces."""
    query = sa.select(people.c.name, sa.func.count(sa.distinct(items.c.parent_id)))
    query = query.select_from(people).join(faces, faces.c.person_id == people.c.id)
    query = query.join(items, items.c.id == faces.c.item_id).where(people.c.name.is_not(None), ~people.c.hidden)
    with store.reading() as connection:
        rows = connection.execute(query.where(sound(people), sound(faces)).group_by(people.c.id, people.c.name)).all()
    for name, pictures in rows:
        yield Completion(name, PERSON, PERSON, pictures)


def _names(store: Store) -> Iterator[Completion]:
    """Telling words of file names."""
    with store.reading() as connection:
        if connection.execute(sa.select(sa.func.count()).select_from(files)).scalar_one() > MOST_FILES:
            return
        rows = connection.execute(sa.select(files.c.picture_id, files.c.path).where(sound(files))).all()
    pairs = {(word, number) for number, path in rows for word in _words_of(path)}
    for word, pictures in Counter(word for word, _ in pairs).items():
        yield Completion(word, NAME, "in names", pictures)


def _words_of(path: bytes) -> Iterable[str]:
    stem, _ = stem_of(clean_text(os.path.basename(path)))
    return [word for word in tokenize(plain(stem)) if word.isalpha() and is_telling(word) and not is_generic(word)]


def _values(collection: Collection) -> Iterator[Completion]:
    """Folders, and the values of fields that have few: kinds of files, shapes, colours, categories of a catalogue."""
    _, facets = collection.facets(Filters(collection.fields()))
    for field in collection.fields():
        name = field.options[0].name
        for count in facets.get(field.facet, [])[:MOST_VALUES] if _is_completed(field) else []:
            if isinstance(count, FolderCount):
                path = clean_text(count.path)
                text = os.path.basename(path) or path
                yield Completion(text, FOLDER, "folder", count.pictures, name, count.id)
            elif count.pictures:
                yield Completion(count.value, name, field.options[0].label, count.pictures, name, count.value)


def _is_completed(field: Field) -> bool:
    if isinstance(field, StoredField):
        return not isinstance(field, StoredRange) and field.of.type != BOOLEAN
    return isinstance(field, FolderField | ChoiceField) and field.name not in ("source", FAVOURITE)
