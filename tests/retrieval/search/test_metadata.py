"""Words of a query are found in names, folders, keywords and dates beside captions, exact matches first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

from captioner.types import JOINT
from data.records import PictureText, content_hash
from data.roots import forget_root, read_roots, remember_root
from data.settings import load_settings
from data.store import Batch, CaptionRow, DescriptionRow, FileRow, PictureRow
from retrieval.commands.options import Output, print_result
from retrieval.library import Library
from retrieval.search import retrievers
from retrieval.search.filters import Filters
from retrieval.search.metadata import ALL, METADATA, SOME, WHOLE
from retrieval.search.query import Query, QueryImage
from retrieval.search.results import SearchResult
from tests.retrieval.conftest import MODEL

DOG, BOAT, MAN = ([1.0, 0.1, 0.0, 0.0], [0.0, 1.0, 0.2, 0.0], [0.0, 0.0, 1.0, 0.3])
SUBJECTS = {"a dog runs on the beach": DOG, "a red boat on the water": BOAT, "a man crosses the street": MAN}
CAPTIONS = list(SUBJECTS)
PICTURES: dict[str, tuple[str, datetime | None, list[PictureText]]] = {
    "trips/Holiday 2019/IMG_2682.jpg": (CAPTIONS[0], datetime(2019, 5, 4), []),
    "trips/Holiday 2019/IMG_2683.jpg": (CAPTIONS[1], datetime(2019, 7, 1), []),
    "trips/Ève's party/DSC00001.HIF": (CAPTIONS[0], datetime(2020, 5, 4), []),
    "DCIM/100CANON/china.jpg": (CAPTIONS[2], datetime(2019, 12, 31), [PictureText("place", "Beijing")]),
    "DCIM/100CANON/IMG_2684.jpg": (CAPTIONS[2], datetime(2021, 12, 1), [PictureText("keyword", "Places|Italy|Rome")]),
    "photos/a.png": (CAPTIONS[1], None, [PictureText("title", "Old harbour"), PictureText("keyword", "trip")]),
    "photos/beach2018.jpg": (CAPTIONS[2], None, [PictureText("person", "Anna Smith")]),
    "photos/IMG_26824.jpg": (CAPTIONS[1], None, []),
}
"""Path below the root -> caption, date taken, texts."""
ROOT = b"/home/trips-and-more"

Put = Callable[..., None]


def put(library: Library, path: str, caption: str, taken: datetime | None, texts: Sequence[PictureText]) -> None:
    digest = content_hash(path.encode())
    unit = np.array(SUBJECTS[caption], np.float32)
    unit /= np.linalg.norm(unit)
    source, vectors = "original" if taken else None, {"vgg16": unit, JOINT: unit[:3]}
    library.store.write_batch(
        Batch(
            files=[FileRow(ROOT + b"/" + path.encode(), 1, 1, digest)],
            pictures=[PictureRow(digest, 50, 40, "JPEG", 1, taken, source, texts)],
            descriptions=[DescriptionRow(digest, "model-1", [CaptionRow(caption, -1.0)], vectors)],
        )
    )


@pytest.fixture
def named(tmp_path: Path) -> Library:
    """A library of the PICTURES, with a model of words."""
    opened = Library.open(load_settings(library=tmp_path / "named"), create=True)
    vars(opened)["model"] = MODEL
    remember_root(opened.store, ROOT)
    for path, (caption, taken, texts) in PICTURES.items():
        put(opened, path, caption, taken, texts)
    return opened


def search(library: Library, text: str, distant: bool = False) -> SearchResult:
    return library.search(Query(text), distant=distant)


def names(result: SearchResult) -> list[str]:
    return [Path(hit.path).name for hit in result.hits]


def matched(result: SearchResult) -> list[str]:
    """The names of the hits that match by metadata."""
    return [Path(hit.path).name for hit in result.hits if METADATA in hit.scores]


@pytest.mark.parametrize(
    "text", ["IMG_2682", "IMG_2682.jpg", "img_2682.JPG", "img2682", "Holiday 2019/IMG_2682.jpg", "IMG-2682"]
)
def test_a_file_is_found_by_its_name_alone(named: Library, text: str) -> None:
    result = search(named, text)
    assert names(result) == ["IMG_2682.jpg"]
    assert result.hits[0].matched == [PictureText("name", "IMG_2682.jpg")]
    assert result.hits[0].score > 0.98
    assert result.unsaid == []


def test_edited_copies_of_a_file_come_after_it(named: Library) -> None:
    put(named, "photos/IMG_2682-edited.jpg", CAPTIONS[2], None, [])
    put(named, "photos/42.jpg", CAPTIONS[2], None, [])
    assert names(search(named, "IMG_2682.jpg")) == ["IMG_2682.jpg", "IMG_2682-edited.jpg"]
    assert names(search(named, "42"))[0] == "42.jpg"
    assert matched(search(named, "42 dogs", True)) == []


@pytest.mark.parametrize(
    ("text", "first", "field"),
    [
        ("2682", ["IMG_2682.jpg"], "name"),
        ("china.jpg", ["china.jpg"], "name"),
        ("china.png", ["china.jpg"], "name"),
        ("CHINA", ["china.jpg"], "name"),
        ("trips", ["DSC00001.HIF", "IMG_2682.jpg", "IMG_2683.jpg", "a.png"], "folder"),
        ("eve's party", ["DSC00001.HIF"], "folder"),
        ("Ève", ["DSC00001.HIF"], "folder"),
        ("rome", ["IMG_2684.jpg"], "keyword"),
        ("Italy", ["IMG_2684.jpg"], "keyword"),
        ("beijing", ["china.jpg"], "place"),
        ("old harbor", [], "title"),
        ("harbours", ["a.png"], "title"),
        ("anna", ["beach2018.jpg"], "person"),
        ("DSC00001", ["DSC00001.HIF"], "name"),
        ("a.png", ["a.png"], "name"),
    ],
)
def test_what_pictures_are_called(named: Library, text: str, first: list[str], field: str) -> None:
    result = search(named, text)
    assert sorted(matched(result)) == first
    assert sorted(names(result)[: len(first)]) == first
    for hit in result.hits[: len(first)]:
        assert hit.matched
    if len(first) == 1:
        assert field in {one.field for one in result.hits[0].matched}


def test_the_exact_keyword_comes_before_the_inflected_folder(named: Library) -> None:
    assert names(search(named, "trip"))[0] == "a.png"
    assert names(search(named, "trips"))[0] != "a.png"


@pytest.mark.parametrize("text", ["the", "a", "photos", "DCIM", "100CANON", "img", "jpg", "home", "e"])
def test_what_says_nothing_finds_nothing_by_name(named: Library, text: str) -> None:
    assert matched(search(named, text, distant=True)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2019", {"IMG_2682.jpg", "IMG_2683.jpg", "china.jpg"}),
        ("May 2019", {"IMG_2682.jpg"}),
        ("mai 2019", {"IMG_2682.jpg"}),
        ("2019-05", {"IMG_2682.jpg"}),
        ("pictures from 4 May 2019", {"IMG_2682.jpg"}),
        ("2010s", {"IMG_2682.jpg", "IMG_2683.jpg", "china.jpg"}),
        ("2020", {"DSC00001.HIF"}),
    ],
)
def test_dates_alone(named: Library, text: str, expected: set[str]) -> None:
    result = search(named, text)
    assert set(names(result)) == expected
    assert all("date" in {one.field for one in hit.matched} for hit in result.hits)


@pytest.mark.parametrize("text", ["december", "December", "prosinec", "dec", "Dec."])
def test_a_month_alone_comes_first_and_restricts_nothing(named: Library, text: str) -> None:
    result = search(named, text, distant=True)
    assert set(names(result)[:2]) == set(matched(result)) == {"china.jpg", "IMG_2684.jpg"}
    assert all("date" in {one.field for one in hit.matched} for hit in result.hits[:2])
    assert result.unsaid == []


def test_may_and_march_are_months_as_a_whole_query(named: Library) -> None:
    assert matched(search(named, "may")) == matched(search(named, "May")) != []
    assert set(matched(search(named, "may"))) == {"IMG_2682.jpg", "DSC00001.HIF"}
    assert matched(search(named, "dogs that may march", distant=True)) == []
    assert set(names(search(named, "dog may 2019"))) == {"IMG_2682.jpg"}


def test_a_name_that_is_a_month_loses_no_picture(named: Library) -> None:
    named.store.set_user_caption(2, "July at the beach")
    named.store.set_user_caption(8, "a boat in july")
    put(named, "photos/swim.jpg", CAPTIONS[0], datetime(2020, 7, 9), [PictureText("person", "July Jones")])
    found = names(search(named, "july"))
    assert set(found[:2]) == {"IMG_2683.jpg", "swim.jpg"}
    assert "IMG_26824.jpg" in found
    assert names(search(named, "boat july"))[:2] == ["IMG_2683.jpg", "IMG_26824.jpg"]


def test_words_rank_the_pictures_of_a_month_and_the_others_follow(named: Library) -> None:
    result = search(named, "street december", distant=True)
    assert matched(result) == names(result)[:2]
    assert set(matched(result)) == {"china.jpg", "IMG_2684.jpg"}
    assert "beach2018.jpg" in names(search(named, "street december")), "a street in another month is one, too"
    assert result.unsaid == []


def test_a_date_in_words_says_its_source(named: Library) -> None:
    (hit,) = search(named, "May 2019").hits
    assert PictureText("date", "4 May 2019 (by the camera)") in hit.matched


def test_words_rank_the_pictures_of_a_year(named: Library) -> None:
    result = search(named, "dog 2019", distant=True)
    assert names(result)[0] == "IMG_2682.jpg"
    assert set(names(result)) == {"IMG_2682.jpg", "IMG_2683.jpg", "china.jpg"}
    assert names(search(named, "boat in 2019"))[0] == "IMG_2683.jpg"
    assert search(named, "dog 2019").hits[0].scores["cosine"] == pytest.approx(0.995, abs=0.01)


def test_a_folder_and_a_year(named: Library) -> None:
    result = search(named, "holiday 2019")
    assert set(names(result)[:2]) == {"IMG_2682.jpg", "IMG_2683.jpg"}
    assert [hit.scores[METADATA] for hit in result.hits[:2]] == [WHOLE, WHOLE]
    result = search(named, "trips 2020")
    assert (names(result)[0], result.hits[0].scores[METADATA]) == ("DSC00001.HIF", ALL)


def test_a_year_that_no_picture_has_is_a_word(named: Library) -> None:
    result = search(named, "dog 1999")
    assert names(result)[0] in ("IMG_2682.jpg", "DSC00001.HIF")
    assert result.unsaid == ["1999"]


def test_a_word_by_name_and_a_word_by_caption(named: Library) -> None:
    result = search(named, "holiday boat")
    assert names(result)[0] == "IMG_2683.jpg"
    assert result.hits[0].scores[METADATA] == SOME
    assert result.unsaid == []


def test_queries_for_captions_rank_as_before(named: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    queries = ["dog", "a man crosses the street", "boat on the water"]
    found = [named.search(Query(text), distant=True) for text in queries]
    monkeypatch.setattr("retrieval.search.clauses.match", lambda *arguments: None)
    assert [result.to_json() for result in found] == [
        named.search(Query(text), distant=True).to_json() for text in queries
    ]


def test_a_name_that_says_so_is_ahead_and_the_others_follow_in_their_order(named: Library) -> None:
    before = search(named, "dog", distant=True)
    put(named, "photos/dog.jpg", CAPTIONS[1], None, [])
    after = search(named, "dog", distant=True)
    assert names(after) == ["dog.jpg", *names(before)]
    assert [hit.scores for hit in after.hits[1:]] == [hit.scores for hit in before.hits]


def test_filters_hold_for_names_too(named: Library) -> None:
    selection = named.collection.select(Filters(folder=ROOT + b"/photos"))
    result = named.search(Query("trip"), selection=selection)
    assert matched(result) == ["a.png"]
    assert matched(named.search(Query("china"), selection=selection)) == []


def test_dates_in_names_count_for_filters_and_order(named: Library) -> None:
    put(named, "photos/IMG_20180203_040506.jpg", CAPTIONS[0], None, [])
    put(named, "photos/Screenshot 2018-02-03 at 01.02.03.png", CAPTIONS[0], None, [])
    day = date(2018, 2, 3)
    selection = named.collection.select(Filters(taken_from=day, taken_to=day), "newest")
    result = named.search(Query("dog"), selection=selection)
    assert names(result) == ["IMG_20180203_040506.jpg", "Screenshot 2018-02-03 at 01.02.03.png"]
    assert {hit.picture.taken_from for hit in result.hits} == {"name"}


def test_in_a_large_library_the_matches_are_still_found(named: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrievers, "EVERY", 2)
    monkeypatch.setattr("retrieval.search.metadata.EVERY", 2)
    monkeypatch.setattr(retrievers, "NEAREST", 2)
    monkeypatch.setattr("retrieval.search.metadata.NEAREST", 2)
    result = search(named, "trips")
    assert result.more
    assert len(matched(result)) >= 2
    assert names(search(named, "dog 2019"))[0] == "IMG_2682.jpg"


def test_the_index_follows_names_folders_and_keywords(named: Library) -> None:
    search(named, "dog")
    digest = content_hash(b"DCIM/100CANON/china.jpg")
    old, new = ROOT + b"/DCIM/100CANON/china.jpg", ROOT + b"/Peking/palace.jpg"
    named.store.write_batch(Batch(gone=[old], files=[FileRow(new, 1, 1, digest)]))
    assert matched(search(named, "china", True)) == []
    assert matched(search(named, "palace")) == matched(search(named, "peking")) == ["palace.jpg"]
    texts = [PictureText("keyword", "gate")]
    named.store.write_batch(Batch(pictures=[PictureRow(digest, 50, 40, "JPEG", 1, None, None, texts)]))
    assert matched(search(named, "gate")) == ["palace.jpg"]
    assert matched(search(named, "beijing", True)) == []
    named.store.remove([new])
    assert matched(search(named, "gate", True)) == []


def test_folders_above_the_roots_are_no_names(named: Library) -> None:
    assert matched(search(named, "more", True)) == []
    inner = ROOT + b"/trips"
    (root,) = read_roots(named.store)
    forget_root(named.store, root)
    remember_root(named.store, inner)
    put(named, "trips/Holiday 2019/IMG_2682.jpg", CAPTIONS[0], None, [])
    assert matched(search(named, "trips", True)) == []
    remember_root(named.store, ROOT)
    assert matched(search(named, "trips")) == ["IMG_2682.jpg"]


def test_the_terminal_says_where_a_hit_matched(named: Library, capsys: pytest.CaptureFixture[str]) -> None:
    result = search(named, "china.jpg")
    print_result(result, Output(False, False, False, False))
    assert "matched: name china.jpg" in capsys.readouterr().out
    document = result.to_json()["hits"][0]
    assert document["matched"] == [{"field": "name", "text": "china.jpg"}]
    assert (document["taken_at"], document["taken_from"]) == ("2019-12-31T00:00:00", "original")


def test_words_and_a_picture_together(named: Library) -> None:
    described = named.description(7)
    assert described is not None
    result = named.search(Query("trips", like=[QueryImage(described)]), distant=True)
    assert {hit.id for hit in result.hits[:4]} == {1, 2, 3, 6}
    assert result.hits[0].scores[f"words.{METADATA}"] == WHOLE
