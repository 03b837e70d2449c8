"""Indexing: new pictures are captioned once, bad files are skipped, and a kill loses nothing."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from captioner import pipeline
from captioner.encoders.base import Features
from captioner.types import Caption, Description
from data.decoding import pool
from data.decoding.pool import Decoders
from data.jpeg.eighth import decode_eighth
from data.limits import DEFAULT_LIMITS, Limits
from data.notices import noted_pictures
from data.store import Store
from retrieval.indexing import indexer, pictures
from retrieval.indexing.indexer import Report, index
from tests.conftest import draw_picture
from tests.data.decoding.hostile import many_scans


class FakeCaptioner:
    """Captions a picture by its mean colour; counts the pictures it saw."""

    model_version = "fake-1"
    input_side = 8

    def __init__(self, version: str = "fake-1") -> None:
        self.model_version = version
        self.encoded: list[int] = []
        self.captioned: list[int] = []

    @property
    def seen(self) -> int:
        return sum(self.encoded)

    def encode(self, pictures: np.ndarray) -> Features:
        self.encoded.append(len(pictures))
        means = pictures.reshape(len(pictures), -1, 3).mean(axis=1).astype(np.float32) + 1
        return Features(means / np.linalg.norm(means, axis=1, keepdims=True), means[:, None])

    def caption(self, features: Features) -> list[Description]:
        self.captioned.append(len(features.grids))
        return [
            Description([Caption("a " + " ".join(f"tone{int(value)}" for value in grid[0]), -1.0)], {"vgg16": vector})
            for grid, vector in zip(features.grids, features.vectors, strict=True)
        ]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path / 'library.sqlite3'}")


def run(store: Store, folder: Path, captioner: FakeCaptioner | None = None, **options: object) -> Report:
    return index(store, captioner or FakeCaptioner(), [folder], DEFAULT_LIMITS, **options)  # type: ignore[arg-type]


def contents(store: Store) -> list[tuple[object, ...]]:
    """The content of the store without ids and times."""
    by_id = {one.id: one.vectors["vgg16"].values for one in store.searched_pictures(store.searched_ids()[1].tolist())}
    pictures = store.pictures(list(by_id)).values()
    return sorted(
        (one.digest, sorted(one.paths), [caption.text for caption in one.captions], by_id[one.id].tobytes())
        for one in pictures
    )


def test_indexes_a_folder_once(store: Store, photos: Path) -> None:
    first, captioner = run(store, photos), FakeCaptioner()
    again = run(store, photos, captioner)
    assert (first.captioned, first.skipped) == (12, [])
    assert (again.captioned, again.unchanged, captioner.seen) == (0, 12, 0)
    assert store.status().pictures == 12


def test_a_renamed_picture_keeps_its_captions(store: Store, photos: Path) -> None:
    run(store, photos)
    before = {digest: captions for digest, _, captions, _ in contents(store)}
    (photos / "photo0.jpg").rename(photos / "trip" / "renamed.jpg")
    captioner = FakeCaptioner()
    report = run(store, photos, captioner)
    assert (captioner.seen, report.known_content, report.gone) == (0, 1, 1)
    assert {digest: captions for digest, _, captions, _ in contents(store)} == before


def test_a_copy_is_one_picture_with_two_paths(store: Store, photos: Path) -> None:
    shutil.copy(photos / "photo0.jpg", photos / "copy.jpg")
    report = run(store, photos)
    assert (report.captioned, store.status().pictures, store.status().files) == (12, 12, 13)


def test_what_the_walk_left_out_is_listed_until_it_is_mended(store: Store, photos: Path) -> None:
    os.symlink("later.jpg", photos / "link.jpg")
    os.mkfifo(photos / "pipe")
    assert len(run(store, photos).skipped) == len(run(store, photos).skipped) == 2
    assert store.skipped_files() == [
        (os.fsencode(photos / "link.jpg"), "is a link to later.jpg, which is not there"),
        (os.fsencode(photos / "pipe"), "is a pipe, not a file"),
    ]
    draw_picture(photos / "later.jpg", "blue", seed=99)
    (photos / "pipe").unlink()
    report = run(store, photos)
    assert (report.captioned, report.gone, store.skipped_files()) == (1, 0, [])


def test_a_linked_picture_whose_disk_is_out_keeps_its_place(store: Store, photos: Path, tmp_path: Path) -> None:
    disk = draw_picture(tmp_path / "disk.jpg", "red", seed=98)
    os.symlink(disk, photos / "link.jpg")
    run(store, photos)
    disk.rename(tmp_path / "out.jpg")
    report = run(store, photos)
    assert ([skip.path.name for skip in report.skipped], report.gone) == (["link.jpg"], 0)
    assert store.status().files == 13


def test_a_changed_and_a_deleted_file(store: Store, photos: Path) -> None:
    run(store, photos)
    draw_picture(photos / "photo0.jpg", "blue", seed=99)
    (photos / "photo1.png").unlink()
    report = run(store, photos)
    assert (report.captioned, report.gone, report.unchanged) == (1, 1, 10)
    assert store.status().files == 11


def test_a_new_model_captions_again_but_keeps_a_users_caption(store: Store, photos: Path) -> None:
    run(store, photos)
    _, ids = store.searched_ids()
    store.set_user_caption(int(ids[0]), "my own words")
    report = run(store, photos, FakeCaptioner("fake-2"))
    assert report.captioned == 12
    captions = store.pictures([int(ids[0])])[int(ids[0])].captions
    assert [(one.source, one.model_version) for one in captions] == [("user", None), ("model", "fake-2")]


def test_bad_files_are_skipped_with_their_reason_and_the_rest_is_indexed(store: Store, photos: Path) -> None:
    (photos / "notes.jpg").write_text("no picture")
    (photos / "empty.png").touch()
    whole = (photos / "photo3.jpg").read_bytes()
    (photos / "header.jpg").write_bytes(whole[: whole.index(b"\xff\xda") + 14])
    (photos / "half.jpg").write_bytes(whole[: len(whole) // 2])
    report = run(store, photos)
    reasons = {one.path.name: one.reason for one in report.skipped}
    assert report.captioned == 13  # half of a picture is one
    assert "not a picture" in reasons["notes.jpg"]
    assert "empty" in reasons["empty.png"]
    assert "damaged" in reasons["header.jpg"]
    assert run(store, photos).captioned == 0


def test_a_picture_that_takes_too_long_is_skipped_and_not_tried_again(
    store: Store, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "DECODERS", Decoders(processes=1, seconds=0.3))
    (photos / "scans.jpg").write_bytes(many_scans((1200, 1200), 3000))
    report = run(store, photos)
    assert [(skip.path.name, skip.reason) for skip in report.skipped] == [
        ("scans.jpg", "takes too long to decode: more than 0.32 seconds")
    ]
    assert (report.captioned, run(store, photos).unchanged) == (12, 13)


def test_a_picture_whose_decoder_ended_is_tried_again(
    store: Store, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_picture(photos / "more.png", "green", seed=100)
    with Image.open(photos / "more.png") as image:
        image.save(photos / "more.gif")
    (photos / "more.png").unlink()
    monkeypatch.setattr(pool, "DECODERS", Decoders(processes=1))
    with monkeypatch.context() as broken:
        broken.setattr(sys, "executable", "/bin/false")
        report = run(store, photos)
    assert "more.gif" in [skip.path.name for skip in report.skipped]
    assert {skip.reason for skip in report.skipped} == {
        "cannot be read now: its decoder ended or did not start; try again"
    }
    again = run(store, photos)
    assert (again.captioned, again.skipped) == (len(report.skipped), [])
    assert store.status().pictures == 13


def test_odd_names(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    draw_picture(folder / "plain.png", "red")
    os.rename(folder / "plain.png", os.fsencode(folder) + b"/new\nline\xff.png")
    assert run(store, folder).captioned == 1
    assert contents(store)[0][1] == [os.fsencode(folder) + b"/new\nline\xff.png"]


def test_an_empty_folder_is_no_error(store: Store, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    assert run(store, tmp_path / "nothing") == Report()


def test_an_interrupt_keeps_finished_work(store: Store, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BATCH", 2)
    monkeypatch.setattr(pipeline, "GROUP", 2)
    seen: list[tuple[int, int]] = []

    def stop_half_way(done: int, total: int, report: Report) -> None:
        seen.append((done, total))
        if done >= 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(store, photos, progress=stop_half_way)
    assert seen[:3] == [(0, 12), (2, 12), (4, 12)]
    assert store.status().pictures == 6
    captioner = FakeCaptioner()
    run(store, photos, captioner)
    assert captioner.seen == 6


def test_batches_are_full_despite_known_or_bad_files(
    store: Store, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store, photos)
    for number in range(24):
        draw_picture(photos / f"new{number:02}.png", "blue", seed=200 + number)
        (photos / f"new{number:02}bad.png").write_text("no picture")
    for name in ("a", "b", "c"):
        shutil.copy(photos / "photo0.jpg", photos / f"{name}.jpg")
    monkeypatch.setattr(pipeline, "BATCH", 4)
    monkeypatch.setattr(pipeline, "GROUP", 8)
    captioner = FakeCaptioner()
    report = run(store, photos, captioner)
    assert (report.captioned, report.known_content, len(report.skipped)) == (24, 3, 24)
    assert all(size >= 4 for size in sorted(captioner.encoded)[1:])
    assert len(captioner.encoded) <= 6
    assert all(size >= 8 for size in sorted(captioner.captioned)[1:])
    assert store.status().pictures == 36


def test_two_batches_are_encoded_at_a_time(store: Store, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "BATCH", 2)
    other = Barrier(2)

    class Waiting(FakeCaptioner):
        def encode(self, pictures: np.ndarray) -> Features:
            other.wait(timeout=60)
            return super().encode(pictures)

    captioner = Waiting()
    assert run(store, photos, captioner).captioned == 12
    assert captioner.encoded == [2] * 6


@pytest.mark.parametrize(("bulk", "used"), [(1, True), (2, False)])
def test_many_large_pictures_are_decoded_in_bulk(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bulk: int, used: bool
) -> None:
    Image.new("RGB", (200, 100), (10, 20, 30)).save(tmp_path / "a.jpg")
    monkeypatch.setattr(indexer, "BULK", bulk)
    with mock.patch("data.jpeg.eighth.decode_eighth", wraps=decode_eighth) as decoder:
        assert run(store, tmp_path).captioned == 1
    assert decoder.called == used
    assert [one.captions for one in store.searched_pictures([1])] == [["a tone11 tone21 tone31"]]


def test_known_files_do_not_wait_for_new_ones(store: Store, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(store, photos)
    for number in range(40):
        shutil.copy(photos / f"photo{3 * (number % 4)}.jpg", photos / f"copy{number}.jpg")
    monkeypatch.setattr(pipeline, "BATCH", 2)
    monkeypatch.setattr(pipeline, "GROUP", 2)
    seen: list[int] = []
    report = run(store, photos, FakeCaptioner(), progress=lambda done, total, report: seen.append(done))
    assert (report.captioned, report.known_content) == (0, 40)
    assert seen == [0, 16, 32, 40]


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.retrieval.indexing.test_indexer import FakeCaptioner
from data.limits import DEFAULT_LIMITS, Limits
from data.notices import noted_pictures
from data.store import Store
from captioner import pipeline
from retrieval.indexing import indexer, pictures
pipeline.BATCH = pipeline.GROUP = 2
for line in sys.stdin:
    seconds, url = line.split()
    if process := os.fork():
        usage = os.wait4(process, 0)[2]
        print(usage.ru_utime + usage.ru_stime, flush=True)
        continue
    signal.setitimer(signal.ITIMER_PROF, float(seconds))
    indexer.index(Store.open(url), FakeCaptioner(), [Path(sys.argv[1])], DEFAULT_LIMITS)
    os._exit(0)
"""
"""Indexes into each library that it is told, and is killed, without another word, by SIGPROF after so many seconds of
processor time: a busy machine does not shift the moments. Then it says how much time it took.
"""


@pytest.mark.slow
def test_kill_at_twenty_times_then_resume_equals_an_undisturbed_run(tmp_path: Path, photos: Path) -> None:
    for number in range(60):
        draw_picture(photos / f"more{number}.png", "green", seed=100 + number)
    undisturbed = Store.open(f"sqlite:///{tmp_path / 'undisturbed.sqlite3'}")
    run(undisturbed, photos)
    expected = contents(undisturbed)
    partly, moments = 0, random.Random(3)
    with killed_runs(photos) as kill_after:
        whole = kill_after(0, f"sqlite:///{tmp_path / 'timed.sqlite3'}")
        for attempt in range(20):
            url = f"sqlite:///{tmp_path / f'killed{attempt}.sqlite3'}"
            kill_after(moments.uniform(0, whole), url)
            store = Store.open(url)
            kept = contents(store)
            assert all(row[2] and row[3] for row in kept), "a picture without captions or vector"
            assert {row[0] for row in kept} <= {row[0] for row in expected}
            partly += 0 < len(kept) < len(expected)
            run(store, photos)
            assert contents(store) == expected
    assert partly >= 5, "too few of the kills fell into the run to show anything"


@contextmanager
def killed_runs(folder: Path) -> Iterator[Callable[[float, str], float]]:
    """Yield a function that indexes `folder` in a process, see KILLED; 0 seconds are for ever."""
    command = [sys.executable, "-c", KILLED, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=Path(__file__).parents[3], **pipes) as process:  # type: ignore[call-overload]

        def kill_after(seconds: float, url: str) -> float:
            print(f"{seconds:.6f} {url}", file=process.stdin, flush=True)
            return float(process.stdout.readline())

        yield kill_after


def test_what_could_not_be_read_of_a_picture_is_told_and_kept(store: Store, photos: Path) -> None:
    whole = (photos / "photo0.jpg").read_bytes()
    (photos / "photo0.jpg").write_bytes(whole[:-2])
    note = "lacks its end, but all of its rows can be read"
    assert [(one.path.name, one.reason) for one in run(store, photos).notes] == [("photo0.jpg", note)]
    assert [(one.path, one.notes) for one in noted_pictures(store)] == [(os.fsencode(photos / "photo0.jpg"), [note])]
    assert run(store, photos).notes == []
    (photos / "photo0.jpg").write_bytes(whole)
    run(store, photos)
    assert noted_pictures(store) == []


def test_large_files_are_read_twice_instead_of_kept(
    store: Store, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store, photos)
    other = Store.open(f"sqlite:///{tmp_path / 'other.sqlite3'}")
    monkeypatch.setattr(pictures, "KEPT_BYTES", 3000)
    read, times = pictures.read_bytes, Counter[Path]()

    def count(path: Path, limits: Limits) -> bytes:
        times[path] += 1
        return read(path, limits)

    monkeypatch.setattr(pictures, "read_bytes", count)
    run(other, photos)
    assert contents(other) == contents(store)
    assert {*times.values()} == {1, 2}


def test_a_file_that_changes_while_it_is_read_is_left_for_the_next_run(
    store: Store, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "KEPT_BYTES", 0)
    read, seen = pictures.read_bytes, set[Path]()

    def growing(path: Path, limits: Limits) -> bytes:
        again = path in seen
        seen.add(path)
        return read(path, limits) + b"more" * (again and path.name == "photo0.jpg")

    monkeypatch.setattr(pictures, "read_bytes", growing)
    reasons = [(one.path.name, one.reason) for one in run(store, photos).skipped]
    assert reasons == [("photo0.jpg", "cannot be read: it is being changed; index again when that is done")]
    monkeypatch.undo()
    assert (run(store, photos).captioned, store.status().pictures) == (1, 12)
