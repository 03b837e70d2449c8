"""A library on disk: the store, and a searcher that follows its changes."""

from __future__ import annotations

from functools import cached_property
from threading import Lock, Thread

from captioner.bundle import BUNDLED, load_text_model
from captioner.types import TextModel
from data.settings import Settings
from data.store import Store, StoredPicture, open_store
from retrieval.index.index import Index
from retrieval.index.upkeep import current_index, merge_index, needs_merging
from retrieval.merger import Merger
from retrieval.search.collection import Collection
from retrieval.search.query import Query
from retrieval.search.results import SearchResult
from retrieval.search.search import DEFAULT_LIMIT, Searcher
from retrieval.search.selection import Selection


class Library:
    """One open library; may be used by several threads at once."""

    def __init__(self, settings: Settings, store: Store, merges: bool) -> None:
        """Use `Library.open`."""
        self.settings = settings
        self.store = store
        self._searcher: Searcher | None = None
        self._reloading = Lock()
        self._merger = Merger(settings, self._take_merged) if merges else None

    @classmethod
    def open(cls, settings: Settings, create: bool = False, merges: bool = False) -> Library:
        """Open the library that the settings name, or with `create` make it where there is none.

        A long-running process `merges` the segments of the search index in the background, and readies itself for many
        queries. Raises RetroflexError when there is no library, or a StoreError.
        """
        return cls(settings, open_store(settings, create), merges)

    def searcher(self) -> Searcher:
        """Return the searcher of the store's present state; the index is brought up to date when that has changed.

        Raises StoreError.
        """
        with self._reloading:
            held = self._searcher
            if held is None or held.index.generation != self.store.generation():
                held = self._searcher = self._brought_up_to_date(held.index if held else None)
                if self._merger is not None and needs_merging(held.index):
                    self._merger.start()
            return held

    @property
    def indexed(self) -> int | None:
        """The store's generation that is searched at present; None before the first search."""
        return self._searcher.index.generation if self._searcher else None

    def search(
        self,
        query: Query,
        limit: int = DEFAULT_LIMIT,
        offset: int = 0,
        distant: bool = False,
        selection: Selection | None = None,
    ) -> SearchResult:
        """Return a page of hits, see `Searcher.search`."""
        return self.searcher().search(query, limit, offset, distant, selection)

    @cached_property
    def collection(self) -> Collection:
        """The library without a query: browsed, counted and restricted by filters."""
        return Collection(self.store)

    def picture(self, picture_id: int) -> StoredPicture | None:
        """Return one picture, None when there is none with this id. Raises StoreError."""
        return self.store.pictures([picture_id]).get(picture_id)

    def merge(self) -> None:
        """Merge what is due of the search index, unless another process is writing it. Raises StoreError."""
        merge_index(self.store, self.settings.index_dir)

    def close(self) -> None:
        """Close the store."""
        self.store.close()

    @cached_property
    def _text_model(self) -> TextModel | None:
        return load_text_model(self.settings.bundle or BUNDLED)

    def _brought_up_to_date(self, held: Index | None) -> Searcher:
        index = current_index(self.store, self.settings.index_dir, held)
        if self._merger is not None:
            Thread(target=index.postings.warm_up, name="warming up", daemon=True).start()
        return Searcher(self.store, index, self._text_model)

    def _take_merged(self) -> None:
        """Search in the index that another process has merged; opening it holds up no search."""
        merged = self._brought_up_to_date(None)
        with self._reloading:
            if self._searcher is None or self._searcher.index.generation <= merged.index.generation:
                self._searcher = merged
