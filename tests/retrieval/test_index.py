"""The index on disk: whole or not there, checked on opening, built again when it is damaged or stale."""

from __future__ import annotations

import logging
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from data.store import Store, StoredVectors
from data.text import tokenize
from retrieval import index as index_module
from retrieval import index_files
from retrieval.arrays import IndexDamaged
from retrieval.index import build_index, current_index, load_index, save_index


@pytest.fixture
def index_dir(tmp_path: Path) -> Path:
    return tmp_path / "index"


def folders(index_dir: Path) -> list[Path]:
    return [path for path in index_dir.iterdir() if path.is_dir()]


def test_rows_of_both_parts_are_the_same_pictures(store: Store) -> None:
    store.set_user_caption(3, "our boat")
    index = build_index(store)
    assert index.ids.tolist() == [1, 2, 3, 4, 5]
    assert index.by_user.tolist() == [False, False, True, False, False]
    assert len(index) == len(index.postings) == len(index.vectors) == len(index.embeddings) == 5
    assert index.ids[index.postings.scores(tokenize("our boat"))[0]].tolist() == [3]
    assert index.ids[index.vectors.top(np.array([1, 0.1, 0, 0], np.float32), 1)[0]].tolist() == [1]


def test_pictures_with_a_caption_or_a_vector_only_keep_their_rows(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors of an older model are not compared with; such pictures are still found by their words."""
    ids, matrix = np.array([2, 4, 9]), np.eye(3, 4, dtype=np.float16)
    stored = StoredVectors("m", ids, matrix, matrix[:, :2])
    monkeypatch.setattr(store, "vectors", lambda: stored)
    index = build_index(store)
    assert index.ids.tolist() == [1, 2, 3, 4, 5, 9]
    assert index.vectors.cosine(np.array([0, 1, 0, 0], np.float32)).tolist() == [0, 0, 0, 1, 0, 0]
    assert index.embeddings.cosine(np.array([1, 0], np.float32)).tolist() == [0, 1, 0, 0, 0, 0]
    assert index.ids[index.postings.scores(["boat"])[0]].tolist() == [3]


def test_a_saved_index_answers_as_before(store: Store, index_dir: Path) -> None:
    built = build_index(store)
    save_index(built, index_dir)
    loaded = load_index(index_dir)
    assert loaded is not None
    assert loaded.generation == store.generation()
    assert np.array_equal(loaded.ids, built.ids)
    for mine, theirs in zip(loaded.postings.scores(["dog"]), built.postings.scores(["dog"]), strict=True):
        assert np.array_equal(mine, theirs)


def test_the_index_is_loaded_while_it_fits_and_built_when_not(
    store: Store, index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = current_index(store, index_dir)
    with monkeypatch.context() as patch:
        patch.setattr(index_module, "build_index", lambda store: pytest.fail("built again without need"))
        assert current_index(store, index_dir).generation == first.generation
    store.set_user_caption(1, "Rex")
    assert current_index(store, index_dir).postings.scores(["rex"])[0].tolist() == [0]
    assert len(folders(index_dir)) == 1


def test_there_is_no_index_at_first(index_dir: Path) -> None:
    assert load_index(index_dir) is None


def test_every_file_that_is_altered_or_missing_is_noticed(store: Store, index_dir: Path) -> None:
    save_index(build_index(store), index_dir)
    (folder,) = folders(index_dir)
    files = [*folder.iterdir(), index_dir / "CURRENT"]
    assert len(files) == 21
    for path in files:
        content = path.read_bytes()
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        for damaged in (flipped, content[:middle], b""):
            path.write_bytes(damaged)
            with pytest.raises(IndexDamaged):
                load_index(index_dir)
        path.unlink()
        if path.name != "CURRENT":
            with pytest.raises(IndexDamaged, match="missing"):
                load_index(index_dir)
        path.write_bytes(content)
    assert load_index(index_dir) is not None


def test_damage_in_a_large_file_is_noticed_at_its_ends(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(index_files.SAMPLES * index_files.SAMPLE_BYTES * 3))
    before = index_files._describe(path)
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"x")
    assert index_files._describe(path) != before


def test_a_damaged_index_is_built_again_with_one_line(
    store: Store, index_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    current_index(store, index_dir)
    (folder,) = folders(index_dir)
    (folder / "ngram_rows.npy").write_bytes(b"rubbish")
    with caplog.at_level(logging.WARNING):
        assert len(current_index(store, index_dir)) == 5
    assert [record.getMessage() for record in caplog.records] == [
        "the search index file ngram_rows.npy is damaged; it is built again from the library"
    ]
    assert load_index(index_dir) is not None


def test_an_index_of_another_format_is_built_again(
    store: Store, index_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(index_files, "FORMAT", 99)
        current_index(store, index_dir)
    assert len(current_index(store, index_dir)) == 5
    assert "format 99" in caplog.text


def test_a_folder_that_cannot_be_written_is_one_line_and_the_search_goes_on(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "index").write_text("a file where the folder should be")
    assert len(current_index(store, tmp_path / "index")) == 5
    assert len(caplog.records) == 1
    assert "cannot be kept" in caplog.text


def test_a_full_disk_leaves_the_present_index_and_nothing_beside_it(
    store: Store, index_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_index(build_index(store), index_dir)
    before = folders(index_dir)

    def full(path: Path, content: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(index_files, "_replace", full)
    with pytest.raises(OSError, match="No space left"):
        save_index(build_index(store), index_dir)
    assert folders(index_dir) == before
    assert load_index(index_dir) is not None


def test_the_rest_of_a_killed_build_is_ignored_and_removed(store: Store, index_dir: Path) -> None:
    save_index(build_index(store), index_dir)
    (present,) = folders(index_dir)
    shutil.copytree(present, index_dir / "7-killed")
    (index_dir / "7-killed" / "manifest.json").unlink()
    assert load_index(index_dir) is not None
    save_index(build_index(store), index_dir)
    assert len(folders(index_dir)) == 1


def test_readers_never_see_half_an_index(store: Store, index_dir: Path) -> None:
    save_index(build_index(store), index_dir)
    stop, failures, reads = threading.Event(), [], []

    def read() -> None:
        while not stop.is_set():
            try:
                index = load_index(index_dir)
                reads.append(index is not None and index.postings.scores(["dog"])[0].tolist() == [0, 1])
            except Exception as error:
                failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(8):
        save_index(build_index(store), index_dir)
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert reads
    assert all(reads)
