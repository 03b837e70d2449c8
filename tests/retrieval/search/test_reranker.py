from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from captioner.cells import CoarseCells, pack_cells
from captioner.types import CELLS, JOINT
from data.store import Batch, CaptionRow, DescriptionRow, Store
from retrieval.index.upkeep import build_index
from retrieval.search.query import Query
from retrieval.search.reranker import DEPTH, READABLE, SentenceScores, depth, shift
from retrieval.search.search import Searcher
from tests.retrieval.conftest import GALLERY, MODEL

SENTENCES = np.eye(3, dtype=np.float32)


class Brightness:
    """Gives a sentence more likelihood the brighter the cells are."""

    def share_read(self, tokens: Sequence[str]) -> float:
        return 1.0

    def logprob(self, tokens: Sequence[str], cells: CoarseCells) -> np.ndarray:
        return cells.values.mean(axis=(1, 2)).astype(np.float64)


RERANKING = MODEL._replace(
    calibration=replace(MODEL.calibration, reranker={"logprob": 2.0, "hubness": 0.0}),
    likelihood=Brightness(),  # type: ignore[arg-type]
    sentences=SENTENCES,
)


def bright(level: float) -> bytes:
    return pack_cells(np.full((1, 4, 3), level, np.float32))[0]


def give_cells(store: Store, cells: dict[str, bytes]) -> None:
    """Write pictures of the gallery again, with attention cells."""
    batch = Batch()
    pictures = store.pictures(range(1, len(GALLERY) + 1))
    for picture, (name, (_, vector)) in zip(pictures.values(), GALLERY.items(), strict=True):
        if name in cells:
            unit = np.array(vector, np.float32) / np.linalg.norm(vector)
            captions = [caption for caption in picture.captions if caption.source == "model"]
            batch.descriptions.append(
                DescriptionRow(
                    picture.digest,
                    "model-1",
                    [CaptionRow(one.text, one.logprob or 0.0) for one in captions],
                    {"vgg16": unit, JOINT: unit[:3]},
                    {CELLS: cells[name]},
                )
            )
    store.write_batch(batch)


def first_dog(store: Store) -> tuple[str, dict[str, float]]:
    hit = Searcher(store, build_index(store), RERANKING).search(Query("the dog here")).hits[0]
    return hit.path, hit.scores


def test_what_the_decoder_would_say_decides_between_equals(store: Store) -> None:
    give_cells(store, {"beach": bright(0.1), "park": bright(3.0)})
    path, scores = first_dog(store)
    assert "park" in path
    assert scores["logprob"] == pytest.approx(3.0, abs=0.01)
    give_cells(store, {"beach": bright(3.0), "park": bright(0.1)})
    assert "beach" in first_dog(store)[0]


def test_pictures_without_cells_keep_their_rank(store: Store) -> None:
    path, scores = first_dog(store)
    assert "beach" in path
    assert "logprob" not in scores


def test_one_or_two_words_are_not_reranked(store: Store) -> None:
    give_cells(store, {"beach": bright(0.1), "park": bright(3.0)})
    hits = Searcher(store, build_index(store), RERANKING).search(Query("the dog")).hits
    assert "beach" in hits[0].path
    assert "logprob" not in hits[0].scores


def test_a_picture_with_damaged_cells_is_not_reranked(store: Store) -> None:
    give_cells(store, {"beach": b"nonsense", "park": bright(3.0)})
    hits = Searcher(store, build_index(store), RERANKING).search(Query("the dog here")).hits
    assert {hit.path: "logprob" in hit.scores for hit in hits} == {
        "/photos/beach.jpg": False,
        "/photos/park.jpg": True,
    }


def test_hubs_get_a_higher_hubness() -> None:
    scores = SentenceScores(Brightness(), SENTENCES)  # type: ignore[arg-type]
    found = scores.of(["dog"], [bright(1.0)] * 2, np.array([[1, 0, 0], [0.6, 0.6, 0.6]], np.float16))
    assert found["hubness"] == pytest.approx([1 / 3, 0.6], abs=1e-3)
    added = shift({"hubness": -1.0}, found, np.array([0.5, 0.5]))
    assert added[0] > 0 > added[1]


def test_the_shift_has_no_mean_and_leaves_out_what_was_not_scored() -> None:
    parts = {"a": np.array([1.0, 3.0, np.nan]), "b": np.array([0.0, 1.0, 5.0])}
    chances = np.array([0.2, 0.5, 0.9])
    added = shift({"a": 2.0, "b": 1.0}, parts, chances)
    odds = chances / (1 - chances)
    assert added[2] == 0
    assert odds[:2] @ added[:2] == pytest.approx(0)
    assert added[1] - added[0] == pytest.approx(5.0)


def test_few_words_are_reranked_less_deep() -> None:
    assert [depth(["dog"] * words) for words in (1, 2, 3, 4, 100)] == [0, 0, 12, 16, DEPTH]


def test_words_that_the_decoder_does_not_know_are_not_reranked(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Brightness, "share_read", lambda *_: READABLE - 0.1)
    give_cells(store, {"beach": bright(0.1), "park": bright(3.0)})
    assert "logprob" not in first_dog(store)[1]
