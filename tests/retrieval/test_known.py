"""Descriptions that a library holds already."""

from __future__ import annotations

import numpy as np
import pytest

from retrieval.known import known_content, known_picture
from retrieval.library import Library
from retrieval.search.query import Query, Wanted
from tests.retrieval.conftest import GALLERY


def test_a_picture_is_described_as_it_was_indexed(library: Library) -> None:
    known = known_picture(library, 3)
    assert known is not None
    captions, vector = GALLERY["boat"]
    assert [caption.text for caption in known.captions] == captions
    assert known.vector @ vector / np.linalg.norm(vector) == pytest.approx(1, abs=1e-3)
    assert known.embedding is not None
    assert library.search(Query(like=[Wanted(known)])).hits[0].path == "/photos/boat.jpg"


def test_a_persons_caption_speaks_for_a_picture_too(library: Library) -> None:
    library.store.set_user_caption(3, "our ferry")
    known = known_picture(library, 3)
    assert known is not None
    assert known.captions[0].text == "our ferry"


@pytest.mark.parametrize("number", [0, 6, 10**17])
def test_what_is_not_there_is_not_known(library: Library, number: int) -> None:
    assert known_picture(library, number) is None


def test_a_picture_whose_files_are_gone_is_not_known(library: Library) -> None:
    library.store.set_user_caption(3, "our ferry")  # It stays in the store for the sake of this.
    library.store.remove([b"/photos/boat.jpg"])
    assert known_picture(library, 3) is None


def test_a_file_is_known_by_its_content_and_its_model(library: Library) -> None:
    assert known_content(library, b"boat", "model-1") is not None
    assert known_content(library, b"boat", "model-2") is None
    assert known_content(library, b"ferry", "model-1") is None
