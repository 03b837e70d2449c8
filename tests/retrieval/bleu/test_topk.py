"""The best pictures are those that sorting all scores gives, ties included, by the NumPy and the compiled search."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.bleu import compiled, postings, topk
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import CAPTION_VARIANT, TYPED_VARIANT, BleuVariant, score

WORDS = ["a", "dog", "runs", "on", "the", "grass"]
SENTENCE = st.lists(st.sampled_from(WORDS), max_size=8)
GALLERY = st.lists(st.lists(SENTENCE, max_size=3), max_size=40)
QUERY = st.lists(st.sampled_from([*WORDS, "unknown"]), max_size=9)
VARIANTS = [
    TYPED_VARIANT,
    CAPTION_VARIANT,
    BleuVariant(2, (0.5, 0.5), 0, brevity=True, agreement=0.3),
    BleuVariant(3, (0.0, 0.5, 9.0), 3, brevity=False, agreement=1.0),
    BleuVariant(3, (0.2, 0.5, 0.3), 4),
]


def best(scores: np.ndarray, rows: np.ndarray, count: int) -> tuple[list[int], list[float]]:
    """The first `count` of `rows` by falling score, equal ones by rising row."""
    order = sorted(rows.tolist(), key=lambda row: (-scores[row], row))[:count]
    return order, scores[order].tolist()


def built(gallery: list[list[list[str]]], compiled: bool) -> BleuPostings:
    index = BleuPostings.build([[" ".join(words) for words in captions] for captions in gallery], fold=str)
    if compiled:
        index.compile()
    return index


def sentences(seed: int, pictures: int, captions: int) -> list[list[list[str]]]:
    """Pictures of a few common words and many rare ones, so that some n-grams are listed and some common."""
    random = np.random.default_rng(seed)
    words = [*WORDS, *(f"word{number}" for number in range(200))]
    chance = 1 / np.arange(1, len(words) + 1)
    draw = [random.choice(words, (captions, 7), p=chance / chance.sum()).tolist() for _ in range(pictures)]
    return [picture[: random.integers(captions + 1)] for picture in draw]


@pytest.mark.parametrize("compiled", [False, True])
@settings(deadline=None)
@given(GALLERY, QUERY, st.sampled_from(VARIANTS), st.integers(0, 12), st.randoms())
def test_equals_sorting_all_scores(
    compiled: bool, gallery: list, query: list[str], variant: BleuVariant, count: int, random: object
) -> None:
    index = built(gallery, compiled)
    alone = np.array([score(query, captions, variant) for captions in gallery])
    rows, scores = index.scores(query, variant)
    assert scores.tolist() == alone[rows].tolist()
    absent = np.array([random.random() < 0.3 for _ in gallery], bool)  # type: ignore[attr-defined]
    for gone in (None, absent):
        kept = rows if gone is None else rows[~gone[rows]]
        found = index.top(query, variant, count, gone)
        assert (found[0].dtype, found[1].dtype) == (np.int32, np.float64)
        assert (found[0].tolist(), found[1].tolist()) == best(alone, kept, count)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("block", [64, 2**14])
@pytest.mark.parametrize("captions", [1, 4])
def test_equals_sorting_in_galleries_of_several_blocks(compiled: bool, block: int, captions: int) -> None:
    gallery = sentences(3, 1500, captions)
    index = built(gallery + gallery[:700], compiled)
    if compiled:
        index._search.block = block  # type: ignore[attr-defined]
    absent = np.random.default_rng(0).random(len(index)) < 0.1
    queries = [caption for picture in sentences(4, 40, 2) for caption in picture]
    for number, query in enumerate(queries):
        cut, variant = query[: 1 + number % 7], VARIANTS[number % len(VARIANTS)]
        every = index.dense(cut, variant)
        rows = index.scores(cut, variant)[0]
        for count in (1, 30, 5000):
            rows_found, scores_found = index.top(cut, variant, count, absent)
            assert (rows_found.tolist(), scores_found.tolist()) == best(every, rows[~absent[rows]], count)


@pytest.mark.parametrize("variant", VARIANTS)
def test_scores_at_rows_are_the_dense_scores_there(variant: BleuVariant) -> None:
    index, random = built(sentences(5, 600, 3), compiled=False), np.random.default_rng(1)
    for query in (["a", "dog", "word1", "a"], ["word9"], ["unknown"], [], ["the", "the", "the", "dog", "runs"]):
        for rows in (random.integers(0, len(index), 100), np.arange(len(index)), np.zeros(0, np.int64)):
            found = index.at(query, variant, rows)
            assert found.dtype == np.float64
            assert found.tolist() == index.dense(query, variant)[rows].tolist()


@pytest.mark.parametrize("compiled", [False, True])
def test_a_query_too_long_for_tables_has_the_same_results(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    index = built(sentences(6, 300, 2), compiled)
    query = [*WORDS, "word1", "word2", "a"]
    absent = np.arange(len(index)) % 3 == 0
    expected = index.top(query, TYPED_VARIANT, 20, absent)
    monkeypatch.setattr(topk, "LARGEST_TABLE", 10)
    assert np.array_equal(index.top(query, TYPED_VARIANT, 20, absent), expected)


def test_counts_too_large_for_small_marks_are_exact(tmp_path: Path) -> None:
    index = BleuPostings.build([["dog " * 300], ["dog a"], ["dog " * 20]], fold=str)
    for loaded in (False, True):
        if loaded:
            index.save(tmp_path)
            index = BleuPostings.load(tmp_path, 3)
            index.compile()
        assert index.top(["dog"] * 25, BleuVariant(1, (1.0,), 1, brevity=False), 3)[0].tolist() == [0, 2, 1]


def test_only_large_galleries_load_the_compiled_search(monkeypatch: pytest.MonkeyPatch) -> None:
    index = built([[["a", "dog"]]] * 3, compiled=False)
    index.warm_up()
    assert not isinstance(index._search, compiled.CompiledSearch)
    monkeypatch.setattr(postings, "COMPILED_FROM", 3)
    index.warm_up()
    assert isinstance(index._search, compiled.CompiledSearch)
    assert index.top(["dog"], TYPED_VARIANT, 2)[0].tolist() == [0, 1]


def test_orders_that_were_not_indexed_are_refused() -> None:
    index = BleuPostings.build([["a dog"]], max_order=1)
    with pytest.raises(ValueError, match="orders 1 to 1"):
        index.top(["dog"], TYPED_VARIANT, 1)
    with pytest.raises(ValueError, match="orders 1 to 1"):
        index.at(["dog"], TYPED_VARIANT, np.array([0]))
