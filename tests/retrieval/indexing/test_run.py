"""A run indexes the given folders, or all remembered ones, each with its own exclusions."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import RetroflexError
from data.limits import DEFAULT_LIMITS
from data.paths import to_bytes
from data.roots import read_roots
from data.store import Store
from retrieval.indexing.indexer import Report
from retrieval.indexing.run import plan_given, plan_remembered, run
from tests.conftest import draw_picture
from tests.retrieval.indexing.test_indexer import FakeCaptioner


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path / 'library.sqlite3'}")


def go_through(store: Store, plan: object, captioner: FakeCaptioner | None = None, **options: object) -> Report:
    return run(plan, store, captioner or FakeCaptioner(), DEFAULT_LIMITS, **options)  # type: ignore[arg-type]


def test_given_folders_are_indexed_again_with_their_exclusions(store: Store, photos: Path) -> None:
    other = photos.parent / "other"
    other.mkdir()
    draw_picture(other / "one.png", "red")
    first = go_through(store, plan_given(store, [photos], ["trip"]))
    second = go_through(store, plan_given(store, [other, photos / "photo0.jpg"], []))
    assert (first.captioned, second.captioned) == (10, 1)
    assert [(root.path, root.exclude) for root in read_roots(store)] == [
        (to_bytes(other), ()),
        (to_bytes(photos), ("trip",)),
    ]
    draw_picture(photos / "trip" / "new.png", "red", seed=77)
    draw_picture(photos / "new.png", "red", seed=78)
    draw_picture(other / "new.png", "red", seed=79)
    steps: list[tuple[int, int, int]] = []
    report = go_through(
        store,
        plan_remembered(store),
        progress=lambda done, total, so_far: steps.append((done, total, so_far.captioned)),
    )
    assert (report.captioned, report.unchanged) == (2, 11)
    assert steps == [(0, 1, 0), (1, 1, 1), (1, 2, 1), (2, 2, 2)]
    assert all(root.indexed_at for root in read_roots(store))


def test_a_missing_remembered_folder_keeps_its_pictures(store: Store, photos: Path) -> None:
    go_through(store, plan_given(store, [photos], []))
    ids = store.searched_ids()[1].tolist()
    photos.rename(photos.parent / "elsewhere")
    report = go_through(store, plan_remembered(store))
    assert [one.reason for one in report.skipped] == ["is not there now; its pictures are kept"]
    assert (report.gone, len(report.warnings)) == (12, 1)
    assert (store.status().pictures, store.status().absent) == (0, 12)
    (photos.parent / "elsewhere").rename(photos)
    captioner = FakeCaptioner()
    assert go_through(store, plan_remembered(store), captioner).known_content == 12
    assert (captioner.seen, store.searched_ids()[1].tolist(), store.status().absent) == (0, ids, 0)


def test_a_missing_remembered_folder_is_forgotten_on_request(store: Store, photos: Path) -> None:
    go_through(store, plan_given(store, [photos], []))
    store.set_user_caption(1, "mine")
    photos.rename(photos.parent / "elsewhere")
    report = go_through(store, plan_remembered(store), forget=True)
    assert (report.gone, report.warnings, store.status().absent) == (12, [], 0)
    assert list(store.pictures(range(1, 13))) == [1]


def test_without_a_remembered_folder_one_has_to_be_named(store: Store) -> None:
    with pytest.raises(RetroflexError, match="retroflex index DIR"):
        plan_remembered(store)


def test_a_missing_folder_is_not_remembered(store: Store, tmp_path: Path) -> None:
    with pytest.raises(RetroflexError, match="no such"):
        go_through(store, plan_given(store, [tmp_path / "nowhere"], []))
    assert read_roots(store) == []


def test_captions_of_another_model_are_kept_on_request(store: Store, photos: Path) -> None:
    go_through(store, plan_given(store, [photos], []))
    draw_picture(photos / "new.png", "red", seed=78)
    newer = FakeCaptioner("fake-2")
    assert go_through(store, plan_remembered(store), newer, recaption=False).captioned == newer.seen == 1
    assert go_through(store, plan_remembered(store), newer).captioned == 12
