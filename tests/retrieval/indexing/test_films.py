"""Films are indexed by their frames, once, and found at their second; a kill loses no film that was reported."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.films import kinds
from data.films.reads import films_by_id, motion_files, motions_of
from data.limits import DEFAULT_LIMITS
from data.paths import to_bytes
from data.store import Store
from retrieval.commands.report import films_indexed, not_indexed
from retrieval.index.index import Index
from retrieval.index.upkeep import build_index, current_index
from retrieval.indexing import indexer
from retrieval.indexing.indexer import Report, index
from retrieval.search.filters import Selection
from retrieval.search.query import Query, QueryFilm, QueryImage
from retrieval.search.search import Searcher
from tests.films import BLUE, GREEN, GREY, RED, ColourCaptioner, make_animation, make_film


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(f"sqlite:///{tmp_path / 'library.sqlite3'}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a film of three colours, and a blue and a grey picture."""
    photos = tmp_path / "photos"
    photos.mkdir()
    make_film(photos / "wall.mp4")
    Image.new("RGB", (40, 30), BLUE).save(photos / "blue.png")
    Image.new("RGB", (40, 30), GREY).save(photos / "grey.png")
    return photos


def run(store: Store, folder: Path, captioner: ColourCaptioner | None = None, **options: object) -> Report:
    return index(store, captioner or ColourCaptioner(), [folder], DEFAULT_LIMITS, **options)  # type: ignore[arg-type]


def found(store: Store, words: str, index: Index | None = None, **options: object) -> list[tuple[str, float | None]]:
    result = Searcher(store, index or build_index(store)).search(Query(words), **options)  # type: ignore[arg-type]
    return [(Path(hit.path).name, hit.time) for hit in result.hits]


def test_a_film_is_found_at_its_second_once(store: Store, folder: Path) -> None:
    report = run(store, folder)
    assert (report.captioned, report.films.films, report.films.frames) == (3, 1, 3)
    assert films_indexed(report) == ["films: 1 film by 3 frames"]
    assert found(store, "a green wall")[0] == ("wall.mp4", 2.0)
    assert len(found(store, "a green wall")) == 3
    assert dict(found(store, "blue"))["wall.mp4"] == pytest.approx(4, abs=0.15)
    assert store.status().pictures == 3
    assert store.status().model_versions == {"colours-1": 3}


def test_a_hit_has_path_and_time_in_json(store: Store, folder: Path) -> None:
    run(store, folder)
    (hit,) = Searcher(store, build_index(store)).search(Query("green")).hits
    document = hit.to_json()
    assert (document["path"], document["time"]) == (str(folder / "wall.mp4"), 2.0)
    assert (document["caption"], document["captions"]) == ("a green wall", ["a green wall"])


def test_names_phrases_exclusions_and_filters_hold_for_the_film(store: Store, folder: Path) -> None:
    run(store, folder)
    assert found(store, "wall.mp4")[0][0] == "wall.mp4"
    assert found(store, '"green wall"') == [("wall.mp4", 2.0)]
    assert found(store, "wall -red -green")[0][0] in ("blue.png", "wall.mp4")
    assert dict(found(store, "wall -red -green"))["wall.mp4"] == pytest.approx(4, abs=0.15)
    assert "wall.mp4" not in dict(found(store, "wall -red -green -blue"))
    film_id = next(iter(films_by_id(store)))
    only = Selection(np.array([film_id], np.int64))
    assert found(store, "a wall", selection=only) == [("wall.mp4", 0.0)]
    others = Selection(np.setdiff1d(np.array(sorted(store.pictures(range(20)))), [film_id]))
    assert {name for name, _ in found(store, "a wall", selection=others)} == {"blue.png", "grey.png"}


def test_a_persons_caption_of_a_film_is_found(store: Store, folder: Path) -> None:
    run(store, folder)
    film_id = next(iter(films_by_id(store)))
    store.set_user_caption(film_id, "our holidays in Spain")
    assert found(store, "holidays") == [("wall.mp4", 0.0)]
    assert "wall.mp4" not in dict(found(store, "wall -spain"))


def test_a_second_run_reads_nothing_and_another_model_describes_the_same_frames(store: Store, folder: Path) -> None:
    run(store, folder)
    before = films_by_id(store)
    second = ColourCaptioner()
    assert (run(store, folder, second).unchanged, second.seen) == (3, 0)
    third = ColourCaptioner("colours-2")
    assert (run(store, folder, third).captioned, third.seen) == (3, 5)
    assert films_by_id(store) == before
    assert store.status().model_versions == {"colours-2": 3}
    assert build_index(store).models == {"vgg16": "colours-2"}


def test_an_index_follows_films_that_come_change_and_go(store: Store, folder: Path, tmp_path: Path) -> None:
    shutil.move(folder / "wall.mp4", tmp_path / "later.mp4")
    run(store, folder)
    current = current_index(store, tmp_path / "index")
    assert dict(found(store, "green", current)) == {}
    shutil.move(tmp_path / "later.mp4", folder / "later.mp4")
    run(store, folder)
    current = current_index(store, tmp_path / "index", current)
    assert found(store, "green", current) == [("later.mp4", 2.0)]
    assert found(store, "green", current_index(store, tmp_path / "index")) == [("later.mp4", 2.0)]
    make_film(folder / "later.mp4", [GREY, RED])
    run(store, folder)
    current = current_index(store, tmp_path / "index", current)
    assert found(store, "green", current) == []
    assert dict(found(store, "red", current))["later.mp4"] == pytest.approx(2, abs=0.15)
    assert len(current) == len(build_index(store)) == 4
    (folder / "later.mp4").unlink()
    run(store, folder)
    current = current_index(store, tmp_path / "index", current)
    assert (found(store, "red", current), len(current)) == ([], 2)


def test_an_edited_film_keeps_its_id_and_caption(store: Store, folder: Path) -> None:
    run(store, folder)
    film_id = next(iter(films_by_id(store)))
    store.set_user_caption(film_id, "our wall")
    make_film(folder / "wall.mp4", tags={"title": "The wall"})  # the same frames
    run(store, folder)
    assert list(films_by_id(store)) == [film_id]
    assert [text.text for text in store.pictures([film_id])[film_id].metadata] == ["The wall"]
    assert found(store, '"our wall"') == [("wall.mp4", 0.0)]


def test_a_film_that_is_half_described_is_not_stored_and_finished_next_time(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    make_film(folder / "a.mp4", [RED])
    make_film(folder / "b.mp4", [RED, GREEN, BLUE, GREY] * 10, seconds=1)
    with pytest.raises(KeyboardInterrupt):
        run(store, folder, ColourCaptioner(fails_after=34))
    assert all(len(film.frames) == 1 for film in films_by_id(store).values())
    run(store, folder)
    assert sorted(len(film.frames) for film in films_by_id(store).values()) == [1, 40]


def test_every_samples_again_and_later_runs_leave_that(store: Store, folder: Path) -> None:
    run(store, folder)
    report = run(store, folder, every=1.0)
    assert (report.films.films, report.films.frames) == (1, 6)
    (film,) = films_by_id(store).values()
    assert (film.sampling, len(film.frames)) == ("every 1 s", 6)
    assert run(store, folder).films.films == 0
    assert len(build_index(store)) == 8


def test_animations_are_films_and_still_ones_pictures(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "moving"
    folder.mkdir()
    make_animation(folder / "moving.gif")
    make_animation(folder / "moving.webp", [GREEN, BLUE])
    make_animation(folder / "still.gif", [GREY])
    make_animation(folder / "still.webp", [GREY])
    run(store, folder)
    assert sorted(dict(found(store, "blue")).items()) == [("moving.gif", 2.0), ("moving.webp", 1.0)]
    assert sorted(found(store, "grey")) == [("still.gif", None), ("still.webp", None)]


def test_bad_films_are_skipped_with_a_reason_and_the_rest_goes_on(store: Store, folder: Path) -> None:
    (folder / "noise.mp4").write_bytes(b"noise" * 100)
    (folder / "empty.mov").touch()
    report = run(store, folder)
    assert sorted((skip.path.name, skip.reason) for skip in report.skipped) == [
        ("empty.mov", "is empty (0 bytes)"),
        ("noise.mp4", "is not a film in a supported format"),
    ]
    assert report.captioned == 3
    assert run(store, folder).unchanged == 5


def test_a_film_without_a_telling_suffix_is_found_by_its_content(store: Store, folder: Path) -> None:
    os.rename(folder / "wall.mp4", folder / "VID_0001")
    run(store, folder)
    assert found(store, "green") == [("VID_0001", 2.0)]


def test_without_the_extra_films_are_passed_over_and_kept(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(store, folder)
    for module in (indexer, kinds):
        monkeypatch.setattr(module, "can_read_films", lambda: False)
    monkeypatch.setattr("retrieval.commands.report.can_read_films", lambda: False)
    make_film(folder / "new.mp4")
    make_animation(folder / "new.gif")
    report = run(store, folder)
    assert (report.captioned, report.gone, report.films.films) == (1, 0, 0)
    lines = not_indexed(report)
    assert lines == ["passed over: 2 .mp4", "to index films: pip install '.[video]'"]
    assert found(store, "green") == [("wall.mp4", 2.0)]
    assert ("new.gif", None) in found(store, "red")


def test_the_film_of_a_live_photo_joins_its_picture(store: Store, folder: Path) -> None:
    Image.new("RGB", (40, 30), GREEN).save(folder / "IMG_1.JPG")
    make_film(folder / "IMG_1.MOV", [RED], seconds=2)
    Image.new("RGB", (40, 30), RED).save(folder / "IMG_2.jpg")
    make_film(folder / "IMG_2.mov", [RED, GREEN, BLUE])  # too long for a Live Photo
    report = run(store, folder)
    assert (report.films.films, report.films.live_photos) == (2, 1)
    (path,) = motion_files(store)
    assert path == to_bytes(folder / "IMG_1.MOV")
    picture_id = next(number for number, one in store.pictures(range(99)).items() if b"IMG_1.JPG" in one.paths[0])
    assert [file.path for file in motions_of(store, picture_id)] == [path]
    assert run(store, folder).unchanged == 7
    (folder / "IMG_1.MOV").unlink()
    run(store, folder)
    assert motions_of(store, picture_id) == []


def film_query(colours: list[tuple[int, int, int]]) -> QueryFilm:
    squares = np.stack([np.full((32, 32, 3), colour, np.uint8) for colour in colours])
    return QueryFilm(ColourCaptioner().describe(squares))


def test_a_film_finds_films_and_pictures_that_show_the_same(store: Store, folder: Path) -> None:
    make_film(folder / "grey.mp4", [GREY, GREY, (10, 10, 10)])
    run(store, folder)
    searcher = Searcher(store, build_index(store))
    whole = searcher.search(Query(like=[film_query([RED, GREEN, BLUE])], by="vgg16"))
    assert whole.hits[0].path.endswith("wall.mp4")
    assert whole.hits[0].score == pytest.approx(1, abs=1e-2)
    part = searcher.search(Query(like=[film_query([GREEN])], by="vgg16")).hits[0]
    assert (Path(part.path).name, part.time) == ("wall.mp4", 2.0)
    picture = QueryImage(film_query([BLUE]).frames[0])
    best = [hit.time for hit in searcher.search(Query(like=[picture])).hits if hit.path.endswith("wall.mp4")]
    assert best == [pytest.approx(4, abs=0.15)]


def test_frames_of_the_same_film_are_no_copies(store: Store, folder: Path, tmp_path: Path) -> None:
    from captioner.calibration import Calibration
    from captioner.types import SearchModel
    from retrieval.copies.near import Copies, near_copies

    make_film(folder / "still.mp4", [BLUE, GREEN, BLUE])
    run(store, folder)
    model = SearchModel("colours-1", "vgg16", Calibration())
    built = build_index(store)
    assert Copies(lambda: built, lambda: model, tmp_path / "near.npz").find(60).groups == []
    blue = next(number for number, one in store.pictures(range(99)).items() if b"blue.png" in one.paths[0])
    assert near_copies(built, model, blue, 5) == []
