"""Filters, orders and counts, held against a loop over the pictures one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from captioner.types import Caption, Description
from data.colour.names import NAMES, names_of
from data.limits import FORMATS
from data.records import content_hash
from data.roots import forget_root, lies_in, note_indexed, read_roots, remember_root
from data.settings import load_settings
from data.store import Batch, CaptionRow, DescriptionRow, FileRow, PictureRow, Store, StoredPicture
from retrieval.library import Library
from retrieval.search.collection import Collection
from retrieval.search.filters import Filters
from retrieval.search.query import Query, QueryError, QueryImage

FOLDERS = (b"/p", b"/p/a", b"/p/a/b", b"/p/a b", b"/p/\xff", b"/q/r/s")
ROOTS = (b"/p", b"/q/r")
MODEL = "model-1"
ORIENTATIONS = ("landscape", "portrait", "square")
SOURCES = ("user", "model")
FACETS = ("folder", "album", "favourite", "orientation", "year", "source", "format", "colour")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """120 pictures, a third of them in two files, a fifth without a date, some captioned by a person."""
    opened = Library.open(load_settings(library=tmp_path_factory.mktemp("library")), create=True)
    random = np.random.default_rng(0)
    batch = Batch()
    for number in range(120):
        digest = content_hash(str(number).encode())
        taken = datetime(2019, 12, 30) + timedelta(days=int(random.integers(800))) if number % 5 else None
        width, height = (int(side) for side in random.choice([40, 50, 400], 2))
        picture_format = str(random.choice(["JPEG", "MPO", "PNG", "HEIF"]))
        colours = number % 2**5
        batch.pictures.append(PictureRow(digest, width, height, picture_format, 9, taken, colours=colours))
        for folder in random.choice(len(FOLDERS), 1 + (number % 3 == 0), replace=False):
            path = FOLDERS[folder] + b"/%d.jpg" % number
            batch.files.append(FileRow(path, 9, int(random.integers(15, 17)) * 10**17, digest))
        vector = random.normal(size=4).astype(np.float32)
        captions = [CaptionRow(f"a {random.choice(['dog', 'cat', 'boat'])} number{number}", -1.0)]
        batch.descriptions.append(DescriptionRow(digest, MODEL, captions, {"vgg16": vector}))
    opened.store.write_batch(batch)
    for root in ROOTS:
        remember_root(opened.store, root)
    for picture_id in (3, 14, 15, 92, 65):
        opened.store.set_user_caption(picture_id, "a dog of mine")
    yield opened
    opened.close()


@pytest.fixture
def collection(library: Library) -> Collection:
    return library.collection


def dated(store: Store, picture: StoredPicture) -> datetime:
    """When it was taken, or the oldest of its files was changed."""
    known = store.stored_files()
    oldest = min(known[path].mtime_ns for path in picture.paths)
    return picture.taken_at or datetime.fromtimestamp(oldest // 10**9, UTC).replace(tzinfo=None)


def keeps(filters: Filters, picture: StoredPicture, taken: datetime) -> bool:
    """What the filters mean, for one picture."""
    width, height = picture.width, picture.height
    orientation = "square" if width == height else "landscape" if width > height else "portrait"
    by_user = any(caption.source == "user" for caption in picture.captions)
    kept = {
        "folder": lambda folder: any(lies_in(path, folder) for path in picture.paths),
        "taken_from": lambda day: taken.date() >= day,
        "taken_to": lambda day: taken.date() <= day,
        "orientation": lambda value: value == orientation,
        "min_side": lambda side: max(width, height) >= side,
        "max_side": lambda side: max(width, height) <= side,
        "format": lambda formats: picture.format.replace("MPO", "JPEG") in formats,
        "source": lambda source: by_user == (source == "user"),
        "colour": lambda colours: {*colours} & {*names_of(picture.colours)},
    }
    return all(kept[name](value) for name, value in filters.items())


def drawn(seed: int) -> Filters:
    """Any filters, each set half of the time."""
    random = np.random.default_rng(seed)
    draws: dict[str, Any] = {
        "folder": lambda: (*FOLDERS[:5], b"/q/r")[random.integers(6)],
        "taken_from": lambda: date(2020, 1, 1) + timedelta(days=int(random.integers(300))),
        "taken_to": lambda: date(2020, 12, 31) + timedelta(days=int(random.integers(300))),
        "orientation": lambda: str(random.choice(ORIENTATIONS)),
        "min_side": lambda: int(random.choice([41, 50, 51])),
        "max_side": lambda: int(random.choice([51, 399, 400])),
        "format": lambda: tuple(random.choice(FORMATS[:2], random.integers(1, 3), replace=False).tolist()),
        "source": lambda: str(random.choice(SOURCES)),
        "colour": lambda: tuple(random.choice(NAMES[:6], random.integers(1, 3), replace=False).tolist()),
    }
    return Filters(**{name: draw() for name, draw in draws.items() if random.random() < 0.4})


@pytest.fixture(scope="module")
def pictures(library: Library) -> dict[int, tuple[StoredPicture, datetime]]:
    found = library.store.pictures(range(1, 121))
    return {number: (picture, dated(library.store, picture)) for number, picture in found.items()}


Pictures = dict[int, tuple[StoredPicture, datetime]]


@pytest.mark.parametrize("seed", range(40))
def test_filters_keep_what_a_loop_keeps(collection: Collection, pictures: Pictures, seed: int) -> None:
    filters = drawn(seed)
    expected = [number for number, one in pictures.items() if keeps(filters, *one)]
    assert sorted(collection.browse(filters, "newest").tolist()) == expected
    selection = collection.select(filters, "newest")
    assert selection is not None
    assert selection.ids.tolist() == expected


def test_the_filters_that_are_drawn_keep_some_and_leave_some(collection: Collection) -> None:
    counts = [len(collection.browse(drawn(seed), "newest")) for seed in range(40)]
    assert sum(0 < count < 120 for count in counts) > 20


@pytest.mark.parametrize("seed", range(10))
def test_facets_count_as_a_loop_does(collection: Collection, pictures: Pictures, seed: int) -> None:
    filters = drawn(seed)
    total, counts = collection.facets(filters)

    def counted(value: Any, **freed: object) -> Counter[object]:
        loose = filters.replace(**freed)
        return Counter(value(*one) for one in pictures.values() if keeps(loose, *one))

    assert total == len(collection.browse(filters, "added"))
    assert dict(counts["format"]) == counted(lambda one, _: one.format.replace("MPO", "JPEG"), format=())
    assert dict(counts["year"]) == counted(lambda _, taken: str(taken.year), taken_from=None, taken_to=None)
    assert sum(dict(counts["orientation"]).values()) == counted(lambda *_: None, orientation=None).total()
    assert sum(dict(counts["source"]).values()) == counted(lambda *_: None, source=None).total()
    colours = [counted(lambda one, _, name=name: name in names_of(one.colours), colour=())[True] for name in NAMES]
    assert dict(counts["colour"]) == {name: count for name, count in zip(NAMES, colours, strict=True) if count}
    for folder in counts["folder"]:
        expected = counted(lambda *_: None, folder=folder.path).total()
        assert folder.pictures == expected, folder.path


def test_the_tree_goes_up_to_the_roots(collection: Collection) -> None:
    folders = {one.id: one for one in collection.facets(Filters()).counts["folder"]}
    above = {one.path: folders[one.above].path if one.above else None for one in folders.values()}
    assert above == {
        b"/p": None,
        b"/p/a": b"/p",
        b"/p/a/b": b"/p/a",
        b"/p/a b": b"/p",
        b"/p/\xff": b"/p",
        b"/q/r": None,
        b"/q/r/s": b"/q/r",
    }
    assert all(collection.folder(one) == folder.path for one, folder in folders.items())
    with pytest.raises(QueryError, match="no such folder"):
        collection.folder("0" * 16)


def test_orders(collection: Collection, pictures: Pictures) -> None:
    newest = collection.browse(Filters(), "newest").tolist()
    assert newest == sorted(pictures, key=lambda number: (-pictures[number][1].timestamp(), number))
    oldest = collection.browse(Filters(), "oldest").tolist()
    assert oldest == sorted(pictures, key=lambda number: (pictures[number][1].timestamp(), number))
    assert collection.browse(Filters(), "added").tolist() == list(range(120, 0, -1))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("asked", ["a dog", "like"])
def test_a_search_within_filters_is_the_search_of_a_gallery_of_these(
    library: Library, monkeypatch: pytest.MonkeyPatch, asked: str, seed: int
) -> None:
    """As many as a page of neighbours are candidates, of the pictures that are left and not of all."""
    monkeypatch.setattr("retrieval.search.retrievers.NEAREST", 10)
    like = Description([Caption("a cat", -1.0)], {"vgg16": np.ones(4, np.float32) / 2})
    query = Query(asked) if asked != "like" else Query(like=[QueryImage(like)])
    selection = library.collection.select(drawn(seed).replace(min_side=41))
    assert selection is not None
    found = library.search(query, 1000, selection=selection)
    monkeypatch.setattr("retrieval.search.retrievers.NEAREST", 1000)
    whole = library.search(query, 1000)
    kept = [hit for hit in whole.hits if hit.id in selection.ids]
    assert found.hits[:10] == kept[:10]
    assert found.total == len(found.hits)
    assert {hit.id for hit in found.hits} <= {hit.id for hit in kept}


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_hits_come_by_date(library: Library, pictures: Pictures, order: str) -> None:
    best = library.search(Query("a dog"), 1000)
    found = library.search(Query("a dog"), 1000, selection=library.collection.select(Filters(), order))
    dates = [pictures[hit.id][1] for hit in found.hits]
    assert dates == sorted(dates, reverse=order == "newest")
    assert sorted(hit.id for hit in found.hits) == sorted(hit.id for hit in best.hits)
    assert found.closest == best.closest
    page = library.search(Query("a dog"), 5, 3, selection=library.collection.select(Filters(), order))
    assert page.hits == found.hits[3:8]


def test_wrong_ranges_are_refused() -> None:
    with pytest.raises(QueryError, match="earlier day"):
        Filters(taken_from=date(2020, 1, 2), taken_to=date(2020, 1, 1))
    with pytest.raises(QueryError, match="smaller"):
        Filters(min_side=2, max_side=1)


def test_filters_of_no_field_are_refused() -> None:
    with pytest.raises(TypeError, match="no field has an option shape"):
        Filters(shape="red")


def test_what_is_written_is_seen_at_once(tmp_path: Path) -> None:
    with_store = Library.open(load_settings(library=tmp_path / "new"), create=True)
    assert with_store.collection.browse(Filters(), "newest").tolist() == []
    assert with_store.collection.facets(Filters()) == (0, {facet: [] for facet in FACETS})
    row = PictureRow("d", 1, 2, "PNG", 9, None)
    with_store.store.write_batch(Batch(files=[FileRow(b"/a/b.png", 9, 0, "d")], pictures=[row]))
    assert with_store.collection.browse(Filters(), "newest").tolist() == [1]
    with_store.store.set_user_caption(1, "mine")
    assert with_store.collection.facets(Filters()).counts["source"] == [("user", 1)]
    with_store.close()


def test_roots_are_remembered_and_take_each_other_in(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/roots.sqlite3")
    rows = [FileRow(b"/p/%s.png" % name, 9, 0, "d") for name in (b"a", b"in/b", b"in/deep/c", b"inside")]
    store.write_batch(Batch(files=rows, pictures=[PictureRow("d", 1, 2, "PNG", 9, None)]))
    remember_root(store, b"/p/in", ["*.gif"])
    remember_root(store, b"/p/in/deep")
    assert [(root.path, root.exclude) for root in read_roots(store)] == [(b"/p/in", ("*.gif",)), (b"/p/in/deep", ())]
    assert remember_root(store, b"/p/in/deep/er").path == b"/p/in/deep"
    note_indexed(store, [b"/p/in"])
    assert [root.indexed_at is None for root in read_roots(store)] == [False, True]
    assert forget_root(store, read_roots(store)[0]) == 1
    assert sorted(store.stored_files()) == [b"/p/a.png", b"/p/in/deep/c.png", b"/p/inside.png"]
    assert remember_root(store, b"/p").path == b"/p"
    assert [root.path for root in read_roots(store)] == [b"/p"]
    store.close()


def test_what_a_root_includes_is_remembered(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/roots.sqlite3")
    remember_root(store, b"/p")
    remember_root(store, b"/p/nas", ["!@eaDir"])
    assert remember_root(store, b"/p") == read_roots(store)[0]
    assert [(root.path, root.exclude) for root in read_roots(store)] == [(b"/p", ()), (b"/p/nas", ("!@eaDir",))]
    remember_root(store, b"/p", ["!@eaDir", "!#recycle"])
    assert [(root.path, root.exclude) for root in read_roots(store)] == [(b"/p", ("!@eaDir", "!#recycle"))]
    assert remember_root(store, b"/p/nas/deep", ["!#recycle", "x"]).path == b"/p"
    store.close()
