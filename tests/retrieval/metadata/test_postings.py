"""Postings of names, folders, keywords and days: looked up by term, the same after they were stored."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from data.records import PictureText, SearchedPicture
from retrieval.arrays import IndexDamaged, save_arrays
from retrieval.metadata.postings import MetadataPostings, PostingsBuilder, day_number


def picture(number: int, name: bytes, taken: datetime | None = None, *keywords: str) -> SearchedPicture:
    texts = [PictureText("keyword", keyword) for keyword in keywords]
    return SearchedPicture(number, [], False, {}, [b"/root/trips/" + name], texts, taken)


@pytest.fixture
def postings() -> MetadataPostings:
    builder = PostingsBuilder([b"/root"])
    builder.add(picture(3, b"sea.jpg", datetime(2019, 5, 4, 10)))
    builder.add(picture(5, b"sea 2.jpg", None, "boat", "Sea"))
    builder.add(picture(9, b"hut.png", datetime(1970, 1, 1), "boats"))
    return builder.build()


def test_terms_find_rows(postings: MetadataPostings) -> None:
    assert postings.find("sea").tolist() == [0, 1]
    assert postings.find("=sea").tolist() == [0, 1]
    assert postings.find("=sea.jpg").tolist() == [0]
    assert postings.find("boat").tolist() == [1, 2]
    assert postings.find("trip").tolist() == [0, 1, 2]
    assert postings.find("root").tolist() == []
    assert postings.days.tolist() == [20190504, 0, 0]
    assert len(postings) == 3


def test_they_are_stored(postings: MetadataPostings, tmp_path: Path) -> None:
    postings.save(tmp_path)
    loaded = MetadataPostings.load(tmp_path)
    assert loaded.find("boat").tolist() == [1, 2]
    save_arrays(tmp_path, {"metadata_rows": np.zeros(1, np.int32)})
    with pytest.raises(IndexDamaged, match="do not fit"):
        MetadataPostings.load(tmp_path)


def test_no_pictures() -> None:
    empty = PostingsBuilder([]).build()
    assert (len(empty), empty.find("sea").tolist()) == (0, [])


def test_days() -> None:
    assert day_number(datetime(1936, 2, 29)) == 19360229
    assert day_number(datetime(1970, 1, 1)) == 0
    assert day_number(None) == 0
    assert day_number(datetime(2019, 5, 1), "month") == 20190500
    assert day_number(datetime(2019, 1, 1), "year") == 20190000
