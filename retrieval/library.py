"""A library on disk: the store, and a searcher that follows its changes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from threading import Lock, Thread
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from platformdirs import user_cache_path

from captioner.bundle import BUNDLED, load_search_model
from captioner.checksums import bundle_version
from captioner.classifier import Classifier
from captioner.errors import BundleError
from captioner.metric import Metric, MetricDescriber, load_metric, metric_names
from captioner.types import JOINT, Caption, Description, KindDescriber, SearchModel
from data.errors import RetroflexError
from data.films.reads import films_by_id
from data.films.sampling import spread
from data.notices import Notices, read_notices
from data.paths import to_bytes
from data.records import Status
from data.settings import Settings
from data.store import Store, StoredPicture, open_store
from retrieval.classes import Classifiers, Guess
from retrieval.faces.search import FaceSearcher, QueryFace
from retrieval.index.index import Index
from retrieval.index.upkeep import current_index, merge_index, needs_merging
from retrieval.merger import Merger
from retrieval.search.collection import Collection
from retrieval.search.completion import Completer
from retrieval.search.filters import Selection
from retrieval.search.grouping import Grouping
from retrieval.search.query import QUERY_FRAMES, Query
from retrieval.search.results import SearchResult
from retrieval.search.search import DEFAULT_LIMIT, Searcher
from retrieval.vectors.base import VectorsUnreachable

if TYPE_CHECKING:
    from retrieval.index.remote import RemoteVectors

COMPLETIONS_KEPT = 10.0
"""Seconds that completions may be behind the library, while it changes."""


class Library:
    """One open library; several threads may use it at once."""

    def __init__(self, settings: Settings, store: Store, merges: bool) -> None:
        """Use `Library.open`."""
        self.settings = settings
        self.store = store
        self._searcher: Searcher | None = None
        self._notices: tuple[int, Notices] | None = None
        self._classifiers = Classifiers(settings.library)
        self._reloading = Lock()
        self._completing = Lock()
        self._completer: tuple[Completer, int, float] | None = None
        self.faces = FaceSearcher(store)
        self._remote = _remote_vectors(settings, store, beside=merges) if settings.vectors else None
        self._index: Index | None = None
        self._merger = Merger(settings, self._use_merged) if merges and not store.read_only else None

    @classmethod
    def open(cls, settings: Settings, create: bool = False, merges: bool = False) -> Library:
        """Open the library that the settings name, or with `create` make it if there is none.

        A long-running process `merges` the segments of the search index in the background and prepares for many
        queries. Raises RetroflexError when there is no library, or a StoreError.
        """
        return cls(settings, open_store(settings, create), merges)

    def searcher(self) -> Searcher:
        """Return the searcher of the store's current state, with an updated index if that has changed.

        Raises StoreError.
        """
        with self._reloading:
            searcher = self._searcher
            looks = self._remote is not None and self._remote.needs_a_look()
            if searcher is None or looks or searcher.index.generation != self.store.generation():
                searcher = self._searcher = self._load_searcher(self._index)
                if self._merger is not None and needs_merging(searcher.index):
                    self._merger.start()
            return searcher

    @property
    def indexed(self) -> int | None:
        """The store's generation that is searched now; None before the first search."""
        return self._searcher.index.generation if self._searcher else None

    def search(
        self,
        query: Query,
        limit: int = DEFAULT_LIMIT,
        offset: int = 0,
        distant: bool = False,
        selection: Selection | None = None,
        grouping: Grouping | None = None,
    ) -> SearchResult:
        """Return a page of hits, see `Searcher.search`, and what the query's pictures are."""
        result = self.searcher().search(query, limit, offset, distant, selection, grouping)
        return replace(result, classes=[self.classify(image.description) for image in query.like])

    def search_face(
        self,
        face: QueryFace,
        limit: int = DEFAULT_LIMIT,
        offset: int = 0,
        distant: bool = False,
        selection: Selection | None = None,
    ) -> SearchResult:
        """Return a page of pictures of a person, see `FaceSearcher.search`."""
        index = self.searcher().index
        return self.faces.search(face, index.frames.pictures_among(index.ids), limit, offset, distant, selection)

    @cached_property
    def collection(self) -> Collection:
        """The library without a query, for browsing, counting and filters."""
        return Collection(self.store)

    def completer(self) -> Completer:
        """Return what completes typed words. Raises StoreError.

        While pictures are added, it may be a few seconds behind: reading all names at each change would take long.
        """
        with self._completing:
            searcher, now = self.searcher(), time.monotonic()
            made, generation, until = self._completer or (None, None, 0.0)
            if made is None or (generation != searcher.index.generation and now > until):
                made = Completer(self.store, self.collection, searcher.index.captions, self.model)
                self._completer = made, searcher.index.generation, now + COMPLETIONS_KEPT
            return made

    def picture(self, picture_id: int) -> StoredPicture | None:
        """Return one picture, None when there is none with this id. Raises StoreError."""
        return self.store.pictures([picture_id]).get(picture_id)

    def description(self, picture_id: int) -> Description | None:
        """Return the stored description of one picture, None if this id cannot be found. Needs no captioner.

        The captions are those that searches use, a person's included. Raises StoreError.
        """
        index, picture = self.searcher().index, self.picture(picture_id)
        if picture is None or not index.holds(picture_id):
            return None
        captions = [Caption(caption.text, caption.logprob or 0.0) for caption in picture.captions]
        vectors = self._vectors_of(index, np.array([picture_id], np.int64))
        return Description(captions, {kind: values[0] for kind, values in vectors.items()})

    def _vectors_of(self, index: Index, ids: np.ndarray) -> dict[str, np.ndarray]:
        """Return by kind the vectors float32 (n, d) of the items of rising `ids` (n,), zeros of an item without."""
        vectors: dict[str, np.ndarray] = {}
        with suppress(VectorsUnreachable):
            vectors = {kind: index.vectors.get(kind, ids) for kind in index.vectors.models}
        if self._remote is None or self._index is None:
            return vectors
        # A query without vectors would be answered by captions, without a word where Milvus answers again by then.
        return self._remote.stored(self._index.models, ids, vectors)

    def film_frames(self, picture_id: int, model_version: str | None = None) -> list[Description]:
        """Return the stored descriptions of up to QUERY_FRAMES frames of a film, by time; none if it is no film.

        With `model_version`, none either unless that described them. Raises StoreError.
        """
        film = films_by_id(self.store, [picture_id]).get(picture_id)
        index = self.searcher().index
        if film is None or model_version not in (None, *index.models.values()):
            return []
        held = np.array([frame.id for frame in film.frames if index.holds(frame.id)], np.int64)
        chosen = np.sort(held[spread(len(held), QUERY_FRAMES)])
        captions = self.store.captions(chosen.tolist())
        vectors = self._vectors_of(index, chosen)
        return [
            Description(
                [Caption(caption.text, caption.logprob or 0.0) for caption in captions.get(frame, [])],
                {kind: values[row] for kind, values in vectors.items()},
            )
            for row, frame in enumerate(chosen.tolist())
        ]

    def film_frames_of(self, digest: str, model_version: str) -> list[Description]:
        """Return `film_frames` of the film of this `digest` if `model_version` described it, else none."""
        picture_id = self.store.picture_id(digest)
        if picture_id is None or self.store.describe_needed([digest], model_version):
            return []
        return self.film_frames(picture_id, model_version)

    def description_of(self, digest: str, model_version: str) -> Description | None:
        """Return the stored description of the picture of this `digest`, None unless `model_version` made it.

        Vectors of another model cannot be compared with those of the library. Raises StoreError.
        """
        if model_version not in self.searcher().index.models.values():
            return None
        if self.store.describe_needed([digest], model_version):
            return None
        picture_id = self.store.picture_id(digest)
        return None if picture_id is None else self.description(picture_id)

    @property
    def metrics(self) -> list[str]:
        """The names of its learned metrics, see `captioner.metric`."""
        return metric_names(self.settings.library)

    def classifiers(self) -> list[Classifier]:
        """Return its classifiers, by field; a damaged one is left out and logged."""
        return self._classifiers.all()

    def classify(self, description: Description) -> dict[str, list[Guess]]:
        """Return by field what a description's picture is, best first, by classifiers of the library's own vectors.

        A classifier of vectors that the description or the library lacks says nothing. Raises StoreError.
        """
        return self._classifiers.classify(description, self.searcher().index.models)

    def further_describer(self, kind: str) -> KindDescriber:
        """Return the describer by the further encoder that made the library's vectors of this kind; downloads nothing.

        Raises QueryError for a kind that the library does not have, and RetroflexError if the encoder cannot be built
        here or is of another version.
        """
        from captioner.encoders.registry import build_further, family, what_is_missing
        from captioner.encoders.weights import of_library
        from captioner.pipeline import VectorDescriber

        self.searcher().check_kind(kind)
        describer: KindDescriber
        if kind in self.metrics:
            describer = self._by_metric(load_metric(self.settings.library, kind))
        else:
            trained = of_library(self.settings.library, kind)
            missing = "" if trained else what_is_missing(family(kind))
            if missing:
                raise RetroflexError(f"{kind} cannot describe a picture here: {missing}")
            describer = VectorDescriber(build_further(kind, trained))
        stored = self.searcher().index.models[kind]
        if describer.model_version != stored:
            raise RetroflexError(
                f"the library's {kind} vectors were made by {stored}, and this is {describer.model_version}; "
                f"to compare with them, run: retroflex index --features {kind}"
            )
        return describer

    def _by_metric(self, metric: Metric) -> MetricDescriber:
        from captioner.captioner import Captioner

        if metric.kind in self.model.kinds:
            return MetricDescriber(metric, Captioner.load(self.settings.bundle))
        return MetricDescriber(metric, self.further_describer(metric.kind))

    @property
    def kinds(self) -> list[str]:
        """The kinds of vectors that pictures can be compared by, of encoders. Raises StoreError."""
        return sorted(self.searcher().index.vectors.models.keys() - {JOINT})

    @property
    def caches(self) -> Settings:
        """Settings whose folders are for what can be made again: the user's, for a library that may only be read."""
        if not self.store.read_only:
            return self.settings
        name = hashlib.sha256(to_bytes(self.settings.library)).hexdigest()[:16]
        return replace(self.settings, library=user_cache_path("retroflex") / name)

    def notices(self) -> Notices:
        """Return what a person should know, counted once for each state of the store. Raises StoreError."""
        generation = self.store.generation()
        if self._notices is None or self._notices[0] != generation:
            self._notices = generation, read_notices(self.store)
        return self._notices[1]

    def merge(self) -> None:
        """Merge small segments of the search index, unless another process writes it. Raises StoreError."""
        merge_index(self.store, self.settings.index_dir, self._remote is None)

    def copy_vectors(self, progress: Callable[[int, int], None]) -> None:
        """Copy to Milvus what is missing there, if vectors are searched there; `progress` gets items done and all.

        Raises VectorsUnreachable or StoreError.
        """
        if self._remote is not None:
            with self._reloading:
                self._index = current_index(self.store, self.settings.index_dir, self._index, with_vectors=False)
            self._remote.copy(self._index, progress)

    def close(self) -> None:
        """Close the store."""
        if self._remote is not None:
            self._remote.close()
        self.store.close()

    @cached_property
    def model(self) -> SearchModel:
        """The part of the captioner that search needs. Raises BundleError."""
        return load_search_model(self.settings.bundle or BUNDLED)

    def _load_searcher(self, loaded: Index | None) -> Searcher:
        index = self._index = current_index(self.store, self.settings.index_dir, loaded, self._remote is None)
        if self._merger is not None:
            Thread(target=index.captions.warm_up, name="warming up", daemon=True).start()
        return Searcher(self.store, index if self._remote is None else self._remote.attached(index), self.model)

    def _use_merged(self) -> None:
        """Search in the index that another process has merged; searches go on while it is opened."""
        merged = self._load_searcher(None)
        with self._reloading:
            if self._searcher is None or self._searcher.index.generation <= merged.index.generation:
                self._searcher = merged


def _remote_vectors(settings: Settings, store: Store, beside: bool) -> RemoteVectors:
    from retrieval.index.remote import RemoteVectors  # a library with vectors of its own needs none of it

    return RemoteVectors(settings, store, beside)


@contextmanager
def opened_for_indexing(settings: Settings, create: bool) -> Iterator[Library]:
    """Open the library, or with `create` make it; if the block fails, a new library without pictures is removed.

    It is kept while another process has it open in the same way. Raises RetroflexError when there is no library, or a
    StoreError.
    """
    new = not settings.exists
    made = [folder for folder in (settings.library, *settings.library.parents) if not folder.exists()]
    with _in_use(settings.library, create) as folder:
        opened = Library.open(settings, create)
        try:
            yield opened
        except BaseException:
            if new and not opened.store.status().files and _is_alone(folder):
                opened.close()
                _remove(settings, made)
            raise


@contextmanager
def _in_use(library: Path, create: bool) -> Iterator[int | None]:
    """Tell other processes that this one uses the folder, by a lock that all share; None if there is no folder."""
    folder = None
    with suppress(OSError):  # opening the library says why
        if create:
            library.mkdir(parents=True, exist_ok=True)
        folder = os.open(library, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_SH)
    try:
        yield folder
    finally:
        if folder is not None:
            os.close(folder)


def _is_alone(folder: int | None) -> bool:
    """Return whether no other process uses the folder; from then on none begins to."""
    if folder is None:
        return False
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove(settings: Settings, made: Sequence[Path]) -> None:
    """Remove the files of a library, and the folders `made` for it, inner ones first, unless they hold more."""
    rmtree(settings.index_dir, ignore_errors=True)
    files = [settings.database.with_name(settings.database.name + suffix) for suffix in ("", "-wal", "-shm")]
    for file in [*files, *settings.library.glob("indexing.*")]:  # see `retrieval.indexing.turn`
        file.unlink(missing_ok=True)
    with suppress(OSError):
        for folder in made:
            folder.rmdir()


class LibraryModel(NamedTuple):
    """The captioner in use, None if it cannot be read; the numbers of pictures that it has described and has not."""

    version: str | None
    described: int
    stale: int


def library_model(settings: Settings, status: Status) -> LibraryModel:
    """Return how many pictures of a library the captioner of the settings has described."""
    try:
        version = bundle_version(settings.bundle or BUNDLED)
    except BundleError:
        return LibraryModel(None, 0, status.pictures)
    described = status.model_versions.get(version, 0)
    return LibraryModel(version, described, status.pictures - described)
