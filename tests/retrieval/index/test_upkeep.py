"""An index that follows its store answers like a new one, after any changes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captioner.types import JOINT, Caption, Description
from data.records import content_hash
from data.store import Batch, CaptionRow, DescriptionRow, FileRow, PictureRow, Store
from retrieval.index import upkeep
from retrieval.index.index import Index
from retrieval.index.upkeep import build_index, current_index, merge_index, needs_merging
from retrieval.search import retrievers
from retrieval.search.query import Query, QueryImage
from retrieval.search.search import Searcher
from tests.retrieval.conftest import MODEL, SENSES

WORDS = [*SENSES, "a", "a", "on", "red", "runs", "runs", "cat"]
QUERIES = ("a dog", "dog", "the red boat on a ship", "puppy runs", "cat", "zyzzyva")


class Gallery:
    """A store in which anything may happen; `paths` gives each file's digest."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store, self.random, self.made = store, random.Random(seed), 0
        self.paths: dict[bytes, str] = {}
        self.model = "model-1"

    def anything(self) -> None:
        happens = [self.add, self.add, self.add, self.caption, self.describe, self.rename, self.remove, self.copy]
        self.random.choice(happens)() if self.paths else self.add()

    def add(self) -> None:
        paths = [self._new_path() for _ in range(self.random.randint(1, 5))]
        self._write(paths, [content_hash(path) for path in paths])

    def copy(self) -> None:
        self._write([self._new_path()], [self.paths[self._path()]])

    def describe(self) -> None:
        """A new model, or new captions, for a few of the pictures."""
        self.model = self.random.choice(["model-1", "model-1", "model-2"])
        digests = sorted(set(self.paths.values()))
        chosen = self.random.sample(digests, self.random.randint(1, len(digests)))
        self.store.write_batch(Batch(descriptions=[self._description(one) for one in chosen]))

    def caption(self) -> None:
        picture_id = self.store.picture_id(self.paths[self._path()])
        assert picture_id is not None
        self.store.set_user_caption(picture_id, self._text())

    def rename(self) -> None:
        old, new = self._path(), self._new_path()
        digest = self.paths[new] = self.paths.pop(old)
        self.store.write_batch(Batch(gone=[old], files=[FileRow(new, 1, 1, digest)]))

    def remove(self) -> None:
        chosen = self.random.sample(sorted(self.paths), self.random.randint(1, min(4, len(self.paths))))
        for path in chosen:
            del self.paths[path]
        if self.random.random() < 0.5:
            self.store.remove(chosen)
        else:
            self.store.write_batch(Batch(gone=chosen))

    def _write(self, paths: list[bytes], digests: list[str]) -> None:
        self.paths.update(zip(paths, digests, strict=True))
        self.store.write_batch(
            Batch(
                files=[FileRow(path, 1, 1, digest) for path, digest in zip(paths, digests, strict=True)],
                pictures=[PictureRow(digest, 50, 40, "JPEG", 1, None) for digest in digests],
                descriptions=[self._description(digest) for digest in digests],
            )
        )

    def _description(self, digest: str) -> DescriptionRow:
        captions = [CaptionRow(self._text(), -1.0) for _ in range(self.random.randint(0, 2))]
        vector = np.array([self.random.choice([0.0, 0.5, 1.0]) for _ in range(4)], np.float32)
        joint = {JOINT: vector[:3]} if self.random.random() < 0.8 else {}
        return DescriptionRow(digest, self.model, captions, {"vgg16": vector, **joint})

    def _text(self) -> str:
        return " ".join(self.random.choices(WORDS, k=self.random.randint(1, 7)))

    def _path(self) -> bytes:
        return self.random.choice(sorted(self.paths))

    def _new_path(self) -> bytes:
        self.made += 1
        return b"/photos/%d.jpg" % self.made


def queries() -> Iterator[Query]:
    yield from map(Query, QUERIES)
    vector = np.array([1.0, 0.5, 0.0, 0.5], np.float32)
    described = Description(
        [Caption("a dog on a boat", -1.0), Caption("the red cat", -2.0)], {"vgg16": vector, JOINT: vector[:3]}
    )
    yield Query(like=[QueryImage(described)])
    yield Query("red", like=[QueryImage(described, 2.0)], unlike=[QueryImage(replace(described, captions=[]), 0.5)])


def assert_same_answers(store: Store, index: Index) -> None:
    fresh = build_index(store)
    assert (len(index), index.models, index.generation) == (len(fresh), fresh.models, fresh.generation)
    ours, theirs = (Searcher(store, one, MODEL) for one in (index, fresh))
    for query in queries():
        mine, expected = ours.rank(query), theirs.rank(query)
        assert mine.ids.tolist() == expected.ids.tolist()
        assert mine.scores.tolist() == expected.scores.tolist()
        assert (mine.hits, mine.more) == (expected.hits, expected.more)
        np.testing.assert_equal(dict(mine.parts), dict(expected.parts))


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sizes at which a few pictures are merged as a million would be."""
    monkeypatch.setattr(upkeep, "AT_ONCE", 4)
    monkeypatch.setattr(upkeep, "FULL", 16)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path}/library.sqlite3")
    yield opened
    opened.close()


@pytest.mark.usefixtures("small_segments")
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("large", [False, True])
def test_after_any_changes_the_answers_are_those_of_a_new_index(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, large: bool
) -> None:
    if large:
        monkeypatch.setattr(retrievers, "EVERY", 2)
        monkeypatch.setattr(retrievers, "NEAREST", 7)
    gallery, held, most = Gallery(store, seed), None, 0
    for _ in range(25):
        gallery.anything()
        if gallery.random.random() < 0.2:
            merge_index(store, tmp_path / "index")
        if gallery.random.random() < 0.3:
            held = None  # A new process.
        with monkeypatch.context() as patch:
            patch.setattr(upkeep, "LARGEST", 9)
            held = current_index(store, tmp_path / "index", held)
        most = max(most, len(held.parts))
        assert_same_answers(store, held)
    assert most > 2


@pytest.mark.usefixtures("small_segments")
def test_merging_leaves_segments_that_are_larger_than_all_smaller_ones(store: Store, tmp_path: Path) -> None:
    gallery, index_dir = Gallery(store, 7), tmp_path / "index"
    held = None
    for _ in range(20):
        gallery.add()
        held = current_index(store, index_dir, held)
    merged = merge_index(store, index_dir)
    assert merged is not None
    assert not needs_merging(merged)
    sizes = sorted(len(part) for part in merged.parts if len(part) < upkeep.FULL)
    assert all(size > sum(sizes[:place]) for place, size in enumerate(sizes) if place)
    assert_same_answers(store, merged)
    assert len([path for path in index_dir.iterdir() if path.is_dir()]) == len(merged.parts) + 1


def test_a_small_change_does_not_touch_the_large_segment(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = Gallery(store, 1)
    for _ in range(20):
        gallery.add()
    before = current_index(store, tmp_path / "index")
    read: list[int] = []
    searched = store.searched_pictures
    monkeypatch.setattr(store, "searched_pictures", lambda ids: read.extend(ids) or searched(ids))
    store.set_user_caption(2, "our dog")
    after = current_index(store, tmp_path / "index", before)
    assert read == [2]
    assert after.parts[0].segment is before.parts[0].segment
    assert len(after) == len(before)
    assert_same_answers(store, after)


def test_another_models_vectors_wait_for_a_merge_in_a_large_library(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "REBUILT_AT_ONCE", 0)
    gallery, index_dir = Gallery(store, 3), tmp_path / "index"
    gallery.add()
    assert current_index(store, index_dir).models["vgg16"] == "model-1"
    gallery.model = "model-2"
    for _ in range(5):
        gallery.add()
    waiting = current_index(store, index_dir)
    assert (waiting.models["vgg16"], waiting.main_models["vgg16"]) == ("model-1", "model-2")
    assert len(waiting) == len(build_index(store))
    assert needs_merging(waiting)
    merge_index(store, index_dir)
    assert_same_answers(store, current_index(store, index_dir))


def test_a_restored_backup_is_indexed_again(store: Store, tmp_path: Path, add: Callable[..., None]) -> None:
    add(store, "one", ["a dog"], [1, 0, 0, 0])
    backup = Store.open(f"sqlite:///{tmp_path}/backup.sqlite3")
    add(backup, "one", ["a dog"], [1, 0, 0, 0])
    add(store, "two", ["a cat"], [0, 1, 0, 0])
    current_index(store, tmp_path / "index")
    add(backup, "three", ["a boat"], [0, 0, 1, 0])
    assert_same_answers(backup, current_index(backup, tmp_path / "index"))
    backup.close()
