"""Pictures of an older version of the program get their dates, sources and words without being described anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import ExifTags, Image

from captioner.encoders.base import Features
from captioner.pipeline import VectorDescriber
from data.facts import read_facts
from data.limits import DEFAULT_LIMITS
from data.records import PictureText, StoredPicture
from data.store import Store
from data.tables import files, picture_texts, pictures
from retrieval.indexing.indexer import Report, index
from tests.tiny_encoder import MeanColour


class CountingEncoder(MeanColour):
    """Counts the pictures that it describes."""

    described = 0

    def encode(self, pictures: np.ndarray) -> Features:
        CountingEncoder.described += len(pictures)
        return super().encode(pictures)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(f"sqlite:///{tmp_path / 'library.sqlite3'}")
    yield opened
    opened.close()


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    exif = Image.Exif()
    exif[ExifTags.Base.XPKeywords] = "lake;swim".encode("utf-16-le")
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2019:05:04 10:11:12"
    Image.new("RGB", (8, 6), "red").save(folder / "dated.jpg", exif=exif)
    Image.new("RGB", (8, 6), "blue").save(folder / "IMG_20180203_040506.png")
    (folder / "a copy.png").write_bytes((folder / "IMG_20180203_040506.png").read_bytes())
    Image.new("RGB", (8, 6), "green").save(folder / "plain.png")
    for file in folder.iterdir():
        os.utime(file, (1.6e9, 1.6e9))
    return folder


def run(store: Store, folder: Path, steps: list[tuple[int, int]] | None = None) -> Report:
    def progress(done: int, total: int, report: Report) -> None:
        if steps is not None:
            steps.append((done, total))

    return index(store, VectorDescriber(CountingEncoder()), [folder], DEFAULT_LIMITS, progress=progress)


def stored(store: Store) -> dict[str, StoredPicture]:
    """The pictures by the name of their first file."""
    found = store.pictures(store.searched_ids()[1].tolist()).values()
    return {Path(one.shown_paths[0]).name: one for one in found}


def taken(store: Store) -> dict[str, tuple[datetime | None, str | None]]:
    return {name: (one.taken_at, one.taken_from) for name, one in stored(store).items()}


EXPECTED = {
    "dated.jpg": (datetime(2019, 5, 4, 10, 11, 12), "original"),
    "IMG_20180203_040506.png": (datetime(2018, 2, 3, 4, 5, 6), "name"),
    "plain.png": (datetime(2020, 9, 13, 12, 26, 40), "file"),
}


def make_old(store: Store) -> None:
    """Take back what a library of an older version lacks, and give a picture the wrong date that this one read."""
    with store.writing() as connection:
        connection.execute(sa.delete(picture_texts))
        connection.execute(sa.update(files).values(named_at=None))
        wrong = datetime(9999, 12, 31)
        connection.execute(sa.update(pictures).values(taken_at=wrong, taken_from=None, metadata_version=None))


def test_every_date_has_its_source(store: Store, photos: Path) -> None:
    run(store, photos)
    assert taken(store) == EXPECTED
    assert stored(store)["dated.jpg"].metadata == (PictureText("keyword", "lake"), PictureText("keyword", "swim"))


def test_a_month_comes_before_the_files_own_time_and_behind_a_date_in_its_name(store: Store, tmp_path: Path) -> None:
    for name, colour in (("20180203.jpg", "red"), ("plain.jpg", "blue")):
        exif = Image.Exif()
        exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2019:05:00 00:00:00"
        Image.new("RGB", (8, 6), colour).save(tmp_path / name, exif=exif)
    run(store, tmp_path)
    dates = {"20180203.jpg": datetime(2018, 2, 3), "plain.jpg": datetime(2019, 5, 1)}
    assert taken(store) == {name: (dates[name], source) for name, source in zip(dates, ("name", "month"), strict=True)}
    assert sorted(read_facts(store).dates.astype(datetime).tolist()) == sorted(dates.values())


def test_an_older_library_is_read_again_once(store: Store, photos: Path) -> None:
    run(store, photos)
    make_old(store)
    described, steps = CountingEncoder.described, list[tuple[int, int]]()
    run(store, photos, steps)
    assert taken(store) == EXPECTED
    assert len(stored(store)["dated.jpg"].metadata) == 2
    assert (steps[0], steps[-1]) == ((0, 3), (3, 3))
    assert CountingEncoder.described == described
    generation = store.generation()
    run(store, photos, steps)
    assert (steps[-1], store.generation()) == ((0, 0), generation)


def test_a_file_that_cannot_be_read_keeps_what_was_known(store: Store, photos: Path) -> None:
    run(store, photos)
    make_old(store)
    content = (photos / "plain.png").read_bytes()
    (photos / "plain.png").write_bytes(b"x" * len(content))
    os.utime(photos / "plain.png", (1.6e9, 1.6e9))
    run(store, photos)
    assert taken(store)["plain.png"] == (datetime(9999, 12, 31), None)
    (photos / "plain.png").write_bytes(content)
    os.utime(photos / "plain.png", (1.6e9, 1.6e9))
    run(store, photos)
    assert taken(store)["plain.png"] == EXPECTED["plain.png"]


def test_a_renamed_file_has_the_date_of_its_new_name(store: Store, photos: Path) -> None:
    run(store, photos)
    (photos / "a copy.png").unlink()
    (photos / "IMG_20180203_040506.png").rename(photos / "Screenshot 2017-01-02 at 03.04.05.png")
    run(store, photos)
    assert taken(store)["Screenshot 2017-01-02 at 03.04.05.png"] == (datetime(2017, 1, 2, 3, 4, 5), "name")
