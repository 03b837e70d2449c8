"""The index on disk is complete or missing, checked on opening, and only damaged parts are built again."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.store import Store
from retrieval.bleu.score import TYPED_VARIANT
from retrieval.index import files as index_files
from retrieval.index import storage, upkeep
from retrieval.index.files import CURRENT
from retrieval.index.index import Index
from retrieval.index.segment import Segment
from retrieval.index.storage import load_index
from retrieval.index.upkeep import build_index, current_index

Add = Callable[..., None]


@pytest.fixture
def index_dir(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def two_segments(store: Store, index_dir: Path, add: Add) -> Path:
    """An index of pictures 1 to 5, of which 2 is absent, and of 2 and 6."""
    current_index(store, index_dir)
    store.set_user_caption(2, "Rex")
    add(store, "cat", ["a cat on the mat"], [0, 0, 0, 1])
    index = current_index(store, index_dir)
    assert [part.ids.tolist() for part in index.parts] == [[1, 3, 4, 5], [2, 6]]
    return index_dir


def folders(index_dir: Path, kind: str) -> list[Path]:
    return sorted(path for path in index_dir.iterdir() if path.is_dir() and path.name.startswith(kind))


def said(index: Index, *words: str) -> list[int]:
    """Ids of the pictures whose captions have one of the words."""
    return sorted(index.captions.top(words, TYPED_VARIANT, 9).ids.tolist())


def test_rows_of_all_parts_are_the_same_pictures(store: Store) -> None:
    store.set_user_caption(3, "our boat")
    index = build_index(store)
    ids = np.arange(1, 6)
    assert index.ids.tolist() == ids.tolist()
    assert index.by_user(ids).tolist() == [False, False, True, False, False]
    assert said(index, "our", "boat") == [3]
    assert index.vectors.search("vgg16", np.array([1, 0.1, 0, 0], np.float32), 1).ids.tolist() == [1]
    assert index.vectors.get("vgg16", ids[2:3])[0] == pytest.approx(np.array([0, 1, 0.2, 0]) / 1.04**0.5, abs=1e-3)
    assert (index.holds(5), index.holds(6)) == (True, False)


def test_pictures_with_a_caption_or_a_vector_only_are_rows_too(store: Store, add: Add) -> None:
    """Vectors of an older model are not compared; such pictures are still found by their words."""
    add(store, "mute", [], [0, 0, 0, 1])
    add(store, "old", ["an old man"], [0, 0, 0, 1], "model-0")
    index = build_index(store)
    assert index.ids.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert index.models == {"vgg16": "model-1", "joint": "model-1"}
    cosines = index.vectors.scores("vgg16", np.array([0, 0, 0, 1], np.float32), np.array([6, 7]))
    assert cosines.tolist() == [1, 0]
    assert said(index, "old") == [7]


def test_a_saved_index_answers_as_before(store: Store, two_segments: Path) -> None:
    loaded = load_index(two_segments)
    assert loaded is not None
    assert (loaded.generation, loaded.damage, len(loaded)) == (store.generation(), (), 6)
    assert (said(loaded, "dog"), said(loaded, "rex"), said(loaded, "cat")) == ([1, 2], [2], [6])
    assert [loaded.holds(one) for one in (1, 2, 6, 7)] == [True, True, True, False]


def test_loaded_segments_are_not_read_again(two_segments: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = load_index(two_segments)
    monkeypatch.setattr(Segment, "load", lambda *given: pytest.fail("read again without need"))
    again = load_index(two_segments, held)
    assert again is not None
    assert len(again) == 6


def test_at_first_there_is_no_index(index_dir: Path) -> None:
    assert load_index(index_dir) is None


def test_every_file_that_is_altered_or_missing_is_noticed(two_segments: Path) -> None:
    names = [path for path in two_segments.rglob("*") if path.is_file() and path.name != "LOCK"]
    assert len(names) > 20
    for path in names:
        content = path.read_bytes()
        for how in range(4):
            damage(path, how)
            lost = load_index(two_segments)
            if path.name == CURRENT and how == 3:
                assert lost is None
            else:
                assert lost is not None
                assert len(lost.damage) == 1
            path.write_bytes(content)
    mended = load_index(two_segments)
    assert mended is not None
    assert not mended.damage


@pytest.mark.parametrize("name", [CURRENT, "state*/manifest.json", "state*/absent.npy", "segment*/ids.npy"])
@pytest.mark.parametrize("how", [0, 3])
def test_damaged_or_missing_files_are_repaired(
    store: Store, two_segments: Path, caplog: pytest.LogCaptureFixture, name: str, how: int
) -> None:
    damage(next(two_segments.glob(name)), how)
    mended = current_index(store, two_segments)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * (name != CURRENT or how != 3)
    assert not mended.damage
    assert sorted(one for part in mended.parts for one in part.ids) == [1, 2, 3, 4, 5, 6]
    assert (said(mended, "dog"), said(mended, "rex"), said(mended, "cat")) == ([1, 2], [2], [6])
    loaded = load_index(two_segments)
    assert loaded is not None
    assert not loaded.damage


def damage(path: Path, how: int) -> None:
    content = path.read_bytes()
    middle = len(content) // 2
    flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    path.unlink()
    if how < 3:
        path.write_bytes([flipped, content[:middle], b""][how])


def test_only_the_damaged_segment_is_built_again(
    store: Store, two_segments: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = folders(two_segments, "segment")
    (damaged,) = [path for path in before if np.load(path / "ids.npy").tolist() == [2, 6]]
    (damaged / "by_user.npy").write_bytes(b"rubbish")
    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "merged_with_update", lambda *given: [])
        current_index(store, two_segments)
    after = folders(two_segments, "segment")
    assert len({*before} & {*after}) == 1
    assert [record.getMessage() for record in caplog.records] == [
        "the search index file by_user.npy is damaged; it is built again from the library"
    ]


def test_damage_in_a_large_file_is_noticed_at_its_ends(tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(index_files.SAMPLES * index_files.SAMPLE_BYTES * 3))
    before = index_files._describe(path)
    with path.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"x")
    assert index_files._describe(path) != before


def test_an_index_of_another_format_is_built_again_silently(
    store: Store, index_dir: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(index_files, "FORMAT", 3)
        current_index(store, index_dir)
    assert load_index(index_dir) is None
    assert len(current_index(store, index_dir)) == 5
    assert load_index(index_dir) is not None
    assert caplog.records == []


def test_a_folder_that_cannot_be_written_is_one_line_and_searches_still_work(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "index").write_text("a file where the folder should be")
    held = current_index(store, tmp_path / "index")
    assert len(held) == 5
    assert len(caplog.records) == 1
    assert "cannot be stored" in caplog.text
    store.set_user_caption(1, "Rex")
    followed = current_index(store, tmp_path / "index", held)
    assert followed.parts[0].segment is held.parts[0].segment
    assert said(followed, "rex") == [1]


@pytest.mark.parametrize("step", ["seal_folder", "set_current"])
def test_a_full_disk_leaves_the_current_index_and_searches_still_work(
    store: Store, two_segments: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, step: str
) -> None:
    def full(*given: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    before = load_index(two_segments)
    store.set_user_caption(1, "Bello")
    monkeypatch.setattr(storage, step, full)
    assert said(current_index(store, two_segments), "bello") == [1]
    assert "No space left" in caplog.text
    monkeypatch.undo()
    after = load_index(two_segments)
    assert before is not None
    assert after is not None
    assert after.generation == before.generation
    assert said(current_index(store, two_segments), "bello") == [1]


def test_a_folder_that_could_not_be_filled_is_removed(index_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(folder: Path) -> index_files.Facts:
        (folder / "half.npy").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    index_dir.mkdir()
    with pytest.raises(OSError, match="No space left"):
        index_files.seal_folder(index_dir, "segment", fill, durable=False)
    assert folders(index_dir, "segment") == []


def test_folders_of_a_killed_writer_are_ignored_and_removed(store: Store, two_segments: Path) -> None:
    for present in folders(two_segments, "s"):
        shutil.copytree(present, two_segments / f"{present.name}-killed")
        (two_segments / f"{present.name}-killed" / "manifest.json").unlink()
    loaded = load_index(two_segments)
    assert loaded is not None
    assert not loaded.damage
    store.set_user_caption(1, "Rex")
    index = current_index(store, two_segments)
    assert len(folders(two_segments, "segment")) == len(index.parts)
    assert len(folders(two_segments, "state")) == 1


def test_an_index_that_keeps_moving_away_is_damaged(two_segments: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*given: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(storage, "_load_state", gone)
    lost = load_index(two_segments)
    assert lost is not None
    assert (lost.parts, lost.damage) == ((), ("files of the search index are missing",))


def test_readers_never_see_half_an_update(store: Store, two_segments: Path) -> None:
    stop, failures, reads = threading.Event(), [], []

    def read() -> None:
        while not stop.is_set():
            try:
                index = load_index(two_segments)
                reads.append(
                    index is not None and not index.damage and len(index) == 6 and said(index, "dog") == [1, 2]
                )
            except Exception as error:
                failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(6):
        store.set_user_caption(1 + number % 5, f"number {number}")
        if number % 3 == 2:
            upkeep.merge_index(store, two_segments)
        else:
            current_index(store, two_segments)
    while not (reads or failures):
        time.sleep(0.01)  # On a busy machine no reader may have come to an end yet.
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert reads
    assert all(reads)
