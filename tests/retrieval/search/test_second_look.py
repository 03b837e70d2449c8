from collections.abc import Sequence

import numpy as np
import pytest

from captioner.bundle import SECOND_LOOK
from captioner.types import TextModel
from captioner.views import CoarseViews, pack_views
from data.store import Batch, DescriptionRow, Store, StoreDamaged
from retrieval.index.upkeep import build_index
from retrieval.search.query import Query
from retrieval.search.search import Searcher
from retrieval.search.second_look import LOOKS, READABLE, SecondLook, looks, shift
from tests.retrieval.conftest import GALLERY, MODEL

SENTENCES = np.eye(3, dtype=np.float32)


class Brightness:
    """Finds a sentence the likelier the brighter the view."""

    def share_read(self, tokens: Sequence[str]) -> float:
        return 1.0

    def logprob(self, tokens: Sequence[str], views: CoarseViews) -> np.ndarray:
        return views.cells.mean(axis=(1, 2)).astype(np.float64)


MODEL_WITH_LOOK = TextModel(
    MODEL.version,
    MODEL.embedder,
    {**MODEL.relevance, SECOND_LOOK: {"logprob": 2.0, "hubness": 0.0}},
    Brightness(),  # type: ignore[arg-type]
    SENTENCES,
)


def bright(level: float) -> bytes:
    return pack_views(np.full((1, 4, 3), level, np.float32))[0]


def give_views(store: Store, views: dict[str, bytes]) -> None:
    """Write pictures of the gallery anew, with views."""
    batch = Batch()
    pictures = store.pictures(range(1, len(GALLERY) + 1))
    for picture, (name, (_, vector)) in zip(pictures.values(), GALLERY.items(), strict=True):
        if name in views:
            unit = np.array(vector, np.float32) / np.linalg.norm(vector)
            captions = [caption for caption in picture.captions if caption.source == "model"]
            batch.descriptions.append(
                DescriptionRow(picture.digest, "model-1", captions, unit, unit[:3], views[name])  # type: ignore[arg-type]
            )
    store.write_batch(batch)


def first_dog(store: Store) -> tuple[str, dict[str, float]]:
    hit = Searcher(store, build_index(store), MODEL_WITH_LOOK).search(Query("the dog here")).hits[0]
    return hit.path, hit.scores


def test_what_the_decoder_would_say_decides_between_equals(store: Store) -> None:
    give_views(store, {"beach": bright(0.1), "park": bright(3.0)})
    path, scores = first_dog(store)
    assert "park" in path
    assert scores["logprob"] == pytest.approx(3.0, abs=0.01)
    give_views(store, {"beach": bright(3.0), "park": bright(0.1)})
    assert "beach" in first_dog(store)[0]


def test_pictures_without_views_keep_their_place(store: Store) -> None:
    path, scores = first_dog(store)
    assert "beach" in path
    assert "logprob" not in scores


def test_one_or_two_words_are_worth_no_look(store: Store) -> None:
    give_views(store, {"beach": bright(0.1), "park": bright(3.0)})
    hits = Searcher(store, build_index(store), MODEL_WITH_LOOK).search(Query("the dog")).hits
    assert "beach" in hits[0].path
    assert "logprob" not in hits[0].scores


def test_damaged_views_are_named(store: Store) -> None:
    give_views(store, {"beach": b"nonsense"})
    with pytest.raises(StoreDamaged, match="index again"):
        first_dog(store)


def test_hubs_are_told_from_others() -> None:
    look = SecondLook(Brightness(), SENTENCES, {"hubness": -1.0})  # type: ignore[arg-type]
    parts = look.parts(["dog"], [bright(1.0)] * 2, np.array([[1, 0, 0], [0.6, 0.6, 0.6]], np.float16))
    assert parts["hubness"] == pytest.approx([1 / 3, 0.6], abs=1e-3)
    added = look.shift(parts, np.array([0.5, 0.5]))
    assert added[0] > 0 > added[1]


def test_the_shift_has_no_mean_and_leaves_out_what_was_not_looked_at() -> None:
    parts = {"a": np.array([1.0, 3.0, np.nan]), "b": np.array([0.0, 1.0, 5.0])}
    chances = np.array([0.2, 0.5, 0.9])
    added = shift({"a": 2.0, "b": 1.0}, parts, chances)
    odds = chances / (1 - chances)
    assert added[2] == 0
    assert odds[:2] @ added[:2] == pytest.approx(0)
    assert added[1] - added[0] == pytest.approx(5.0)


def test_few_words_are_worth_few_looks() -> None:
    assert [looks(["dog"] * words) for words in (1, 2, 3, 4, 100)] == [0, 0, 12, 16, LOOKS]


def test_words_that_the_decoder_cannot_say_are_worth_no_look(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Brightness, "share_read", lambda *_: READABLE - 0.1)
    give_views(store, {"beach": bright(0.1), "park": bright(3.0)})
    assert "logprob" not in first_dog(store)[1]
