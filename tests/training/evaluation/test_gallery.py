"""Describing a data set and making a library of it."""

from __future__ import annotations

from pathlib import Path

from data.dataset import read_dataset
from retrieval.search.query import Query
from tests.training.conftest import ColourCaptioner
from training.evaluation.gallery import describe_pictures, searchable


def test_pictures_are_described_in_batches(colour_captioner: ColourCaptioner, colour_dataset: Path) -> None:
    pictures = read_dataset(colour_dataset, "dev").pictures
    described = describe_pictures(colour_captioner, pictures)
    assert colour_captioner.batches == [4]
    assert described.pictures == pictures
    assert [one.captions[1].text for one in described.descriptions] == [
        "red paper",
        "green paper",
        "blue paper",
        "white paper",
    ]
    assert described.captions_per_picture == 3
    assert described.texts[0] == ["a plain red wall", "red paper", "the red sky"]


def test_a_bad_picture_is_left_out_and_named(colour_captioner: ColourCaptioner, colour_dataset: Path) -> None:
    (colour_dataset / "Flicker8k_Dataset" / "green.jpg").write_bytes(b"no picture")
    described = describe_pictures(colour_captioner, read_dataset(colour_dataset, "dev").pictures)
    assert [picture.name for picture in described.pictures] == ["red.jpg", "blue.jpg", "white.jpg"]
    assert len(described.descriptions) == 3
    assert len(described.problems) == 1
    assert described.problems[0].startswith("green.jpg is not a picture")


def test_every_name_finds_its_row(colour_captioner: ColourCaptioner, colour_dataset: Path) -> None:
    described = describe_pictures(colour_captioner, read_dataset(colour_dataset, "dev").pictures)
    with searchable(described, ColourCaptioner()) as (searcher, rows):
        for name in ("red", "green", "blue", "white"):
            best = searcher.rank(Query(name)).ids[0]
            assert int(searcher.index.ids[rows[f"{name}.jpg"]]) == best


def test_human_captions_are_not_searched(colour_captioner: ColourCaptioner, colour_dataset: Path) -> None:
    described = describe_pictures(colour_captioner, read_dataset(colour_dataset, "dev").pictures)
    with searchable(described, ColourCaptioner()) as (searcher, _):
        assert searcher.search(Query("somebody painted this")).total == 0
        assert searcher.search(Query("paper")).total == 4


def test_the_same_picture_under_two_names_counts_twice(colour_captioner: ColourCaptioner, colour_dataset: Path) -> None:
    folder = colour_dataset / "Flicker8k_Dataset"
    (folder / "green.jpg").write_bytes((folder / "red.jpg").read_bytes())
    described = describe_pictures(colour_captioner, read_dataset(colour_dataset, "dev").pictures)
    with searchable(described, ColourCaptioner()) as (searcher, rows):
        assert sorted(rows.values()) == [0, 1, 2, 3]
        assert searcher.search(Query("red")).total == 2


def test_file_names_do_not_help_to_find_pictures(colour_captioner: ColourCaptioner, colour_dataset: Path) -> None:
    pictures = colour_dataset / "Flicker8k_Dataset"
    described = describe_pictures(colour_captioner, read_dataset(colour_dataset, "dev").pictures)
    assert (pictures / "green.jpg").exists()
    with searchable(described, ColourCaptioner()) as (searcher, _):
        for query in ("green.jpg", "green", "1970"):
            assert all("metadata" not in hit.scores for hit in searcher.search(Query(query), distant=True).hits)
