"""What sidecars say is indexed with their pictures; a changed sidecar is read again, and nothing is described anew."""

from __future__ import annotations

import os
import shutil
from datetime import datetime
from pathlib import Path

import pytest

from captioner.pipeline import VectorDescriber
from data.limits import DEFAULT_LIMITS
from data.notices import noted_pictures
from data.store import Store
from retrieval.indexing.indexer import Report, index
from tests.conftest import draw_picture
from tests.data.metadata.test_sidecars import BOMB, PACKET
from tests.retrieval.indexing.test_metadata import CountingEncoder

SHARED = ["lake", "Places|Italy|Rome"]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path / 'library.sqlite3'}")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two pictures, the first with a sidecar."""
    folder = tmp_path / "photos"
    folder.mkdir()
    draw_picture(folder / "a.jpg", "red", seed=1)
    draw_picture(folder / "b.jpg", "blue", seed=2)
    write(folder / "a.jpg.xmp", "Sunday swim")
    return folder


def write(path: Path, title: str, date: str = "2019-05-04T10:11:12") -> None:
    path.write_text(PACKET.format(date=date, title=title))


def run(store: Store, *roots: Path) -> tuple[Report, int, list[tuple[int, int]]]:
    """The report, how many pictures were described, and the steps that were reported."""
    before, steps = CountingEncoder.described, list[tuple[int, int]]()
    report = index(
        store,
        VectorDescriber(CountingEncoder()),
        list(roots),
        DEFAULT_LIMITS,
        progress=lambda done, total, _: steps.append((done, total)),
    )
    return report, CountingEncoder.described - before, steps


def said(store: Store) -> dict[str, list[str]]:
    """What is stored of each picture beside its captions, by the name of its first file."""
    pictures = store.pictures(store.searched_ids()[1].tolist()).values()
    return {Path(one.shown_paths[0]).name: [text for _, text in one.metadata] for one in pictures}


def test_a_sidecar_is_read_with_its_picture(store: Store, photos: Path) -> None:
    report, described, steps = run(store, photos)
    assert (report.captioned, described, steps[-1]) == (2, 2, (2, 2))
    assert said(store) == {"a.jpg": ["Sunday swim", *SHARED], "b.jpg": []}
    taken = [(one.taken_at, one.taken_from) for one in store.pictures([1, 2]).values() if one.metadata]
    assert taken == [(datetime(2019, 5, 4, 10, 11, 12), "xmp")]
    again = run(store, photos)
    assert (again[0].unchanged, again[1:]) == (2, (0, [(0, 0)]))


def test_a_changed_new_or_removed_sidecar_is_noticed(store: Store, photos: Path) -> None:
    run(store, photos)
    write(photos / "a.jpg.xmp", "Monday hike, and more")
    write(photos / "b.xmp", "Cat")
    report, described, steps = run(store, photos)
    assert (report.captioned, report.unchanged, described, steps[-1]) == (0, 2, 0, (2, 2))
    assert said(store) == {"a.jpg": ["Monday hike, and more", *SHARED], "b.jpg": ["Cat", *SHARED]}
    (photos / "a.jpg.xmp").unlink()
    assert run(store, photos)[1:] == (0, [(0, 1), (1, 1)])
    assert said(store) == {"a.jpg": [], "b.jpg": ["Cat", *SHARED]}
    assert run(store, photos)[2] == [(0, 0)]


def test_copies_share_what_their_sidecars_say(store: Store, photos: Path, tmp_path: Path) -> None:
    run(store, photos)
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(photos / "a.jpg", other / "copy.jpg")
    write(other / "copy.xmp", "From the other folder")
    _, described, steps = run(store, other)
    assert (described, steps[-1]) == (0, (2, 2))
    assert said(store) == {"copy.jpg": ["From the other folder", *SHARED, "Sunday swim"], "b.jpg": []}
    assert run(store, other, photos)[2] == [(0, 0)]


def test_a_touched_file_whose_sidecar_is_gone_loses_its_words(store: Store, photos: Path) -> None:
    run(store, photos)
    (photos / "a.jpg.xmp").unlink()
    os.utime(photos / "a.jpg", (1.6e9, 1.6e9))
    assert run(store, photos)[1] == 0
    assert said(store)["a.jpg"] == []
    assert run(store, photos)[2] == [(0, 0)]


def test_one_file_is_indexed_with_its_sidecar(store: Store, photos: Path) -> None:
    run(store, photos / "a.jpg")
    assert said(store) == {"a.jpg": ["Sunday swim", *SHARED]}


def test_a_hostile_sidecar_is_a_note(store: Store, photos: Path) -> None:
    (photos / "b.jpg.xmp").write_text(BOMB)
    note = "has a sidecar that is not read, b.jpg.xmp: it has a document type or entities, which are refused"
    report, described, _ = run(store, photos)
    assert (described, [(one.path.name, one.reason) for one in report.notes]) == (2, [("b.jpg", note)])
    assert [(os.path.basename(one.path), one.notes) for one in noted_pictures(store)] == [(b"b.jpg", [note])]
    assert run(store, photos)[0].notes == []
    (photos / "b.jpg.xmp").write_text(BOMB * 2)
    assert [one.path.name for one in run(store, photos)[0].notes] == ["b.jpg"]
    write(photos / "b.jpg.xmp", "Cat")
    assert (run(store, photos)[0].notes, noted_pictures(store)) == ([], [])
