"""Descriptions of picture files, kept in a store of their own: a run that was stopped goes on where it was.

A description belongs to the content of a file and to a model version, so folders, samples and runs share the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

import numpy as np

from captioner.pipeline import Flow, ThreadExecutor
from captioner.types import Caption, Description, SearchDescriber, StagedDescriber
from data.limits import DEFAULT_LIMITS
from data.paths import absolute, to_bytes
from data.settings import DATABASE_FILE
from data.store import Store
from retrieval.commands.progress import Bar, stopping_by_signal
from retrieval.indexing.indexer import index


class DescriptionCache:
    """What describers made of picture files; `folder` is made if it is missing."""

    def __init__(self, folder: Path) -> None:
        """Raise StoreError or OSError where the folder cannot be used."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.store = Store.open(f"sqlite:///{quote(str(folder / DATABASE_FILE))}")
        self._done: set[tuple[str, tuple[Path, ...]]] = set()

    def describe(self, describer: StagedDescriber, files: Sequence[Path], title: str) -> int:
        """Describe those of `files` that this model version has not described; return how many these were.

        Files that cannot be read are left out. Ctrl-C keeps what is done and raises KeyboardInterrupt. A list that
        was done before by this object is not looked at again.
        """
        done = (describer.model_version, tuple(files))
        if not files or done in self._done:
            return 0
        flow = Flow()
        bar = Bar(flow, title)
        with stopping_by_signal(flow, at_once=True), bar.running():
            executor = ThreadExecutor(flow)
            report = index(self.store, describer, files, DEFAULT_LIMITS, progress=bar.show, executor=executor)
        self._done.add(done)
        return report.captioned

    def items(self, files: Sequence[Path]) -> np.ndarray:
        """Return the item of each file, int64 (n,), 0 for one that could not be read."""
        stored = self.store.stored_files()
        digests = [stored[path].digest if (path := to_bytes(absolute(file))) in stored else "" for file in files]
        ids = {digest: self.store.picture_id(digest) for digest in set(digests) - {""}}
        return np.array([ids.get(digest) or 0 for digest in digests], np.int64)

    def close(self) -> None:
        """Close the store."""
        self.store.close()


def vectors_of(store: Store, kind: str, model_version: str, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the `items` (n,) have a vector of that kind and model, bool (n,), and these, float32 (m, d)."""
    blobs = store.features(np.unique(items).tolist(), kind, model_version)
    there = np.array([item in blobs for item in items.tolist()], bool)
    vectors = [np.frombuffer(blobs[item], "<f2") for item in items[there].tolist()]
    return there, np.array(vectors, np.float32) if vectors else np.zeros((0, 0), np.float32)


def descriptions_of(store: Store, model: SearchDescriber, items: np.ndarray) -> list[Description | None]:
    """Return the description of each of the `items` (n,) by a captioner, without cells; None where there is none."""
    ids = np.unique(items).tolist()
    known = store.pictures(ids)
    kinds = model.search_model.kinds
    blobs = {kind: store.features(ids, kind, model.model_version) for kind in kinds}
    made: dict[int, Description] = {}
    for item in blobs[kinds[0]].keys() & known.keys():
        captions = [Caption(one.text, one.logprob or 0.0) for one in known[item].captions]
        own = {kind: np.frombuffer(of[item], "<f2").astype(np.float32) for kind, of in blobs.items() if item in of}
        made[item] = Description(captions, own)
    return [made.get(item) for item in items.tolist()]
