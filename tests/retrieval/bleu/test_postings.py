"""Postings give every picture the score that BLEU gives it alone, before and after a round trip to disk."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.text import fold, tokenize
from retrieval.arrays import IndexDamaged
from retrieval.bleu.postings import BleuPostings
from retrieval.bleu.score import SMOOTHINGS, TYPED_VARIANT, BleuVariant, score

MAX_ORDER = 4
WORDS = st.sampled_from(["a", "dog", "Dog's", "dogs", "runs", "on", "été", "the", "the the"])
CAPTION = st.lists(WORDS, max_size=9).map(" ".join)
GALLERY = st.lists(st.lists(CAPTION, max_size=4), max_size=8)
QUERY = st.lists(st.sampled_from(["a", "dog", "'s", "running", "été", "the", "unknown"]), max_size=12)


def one_by_one(gallery: list[list[str]], query: list[str], variant: BleuVariant) -> np.ndarray:
    words = [fold(word) for word in query]
    folded = [[[fold(word) for word in tokenize(text)] for text in captions] for captions in gallery]
    return np.array([score(words, captions, variant) for captions in folded])


def dense(postings: BleuPostings, query: list[str], variant: BleuVariant) -> np.ndarray:
    rows, scores = postings.scores(query, variant)
    assert (rows.dtype, scores.dtype) == (np.int32, np.float64)
    assert (np.diff(rows) > 0).all()
    every = np.zeros(len(postings))
    every[rows] = scores
    return every


@given(GALLERY, QUERY, st.sets(st.integers(0, 7)))
def test_spread_counts_the_pictures_that_say_each_word(gallery: list[list[str]], query: list[str], dead: set) -> None:
    built = BleuPostings.build(iter(gallery), MAX_ORDER)
    absent = np.isin(np.arange(len(gallery)), list(dead))
    said = [{fold(word) for text in captions for word in tokenize(text)} for captions in gallery]
    for gone in (None, absent):
        alive = [own for row, own in enumerate(said) if gone is None or not gone[row]]
        expected = [sum(fold(word) in own for own in alive) for word in query]
        assert built.spread(query, gone).tolist() == expected


VARIANTS = st.integers(1, MAX_ORDER).flatmap(
    lambda order: st.builds(
        BleuVariant,
        st.just(order),
        st.just(tuple(np.arange(order, 0, -1) / 10)),
        st.sampled_from(SMOOTHINGS),
        st.booleans(),
        st.sampled_from([0.0, 0.5, 1.0]),
    )
)


@settings(deadline=None)  # Every example writes an index to disk.
@given(GALLERY, QUERY, VARIANTS)
def test_equal_bleu_of_each_picture(gallery: list[list[str]], query: list[str], variant: BleuVariant) -> None:
    built = BleuPostings.build(iter(gallery), MAX_ORDER)
    expected = one_by_one(gallery, query, variant)
    assert np.allclose(dense(built, query, variant), expected, rtol=0, atol=1e-9)
    with tempfile.TemporaryDirectory() as folder:
        built.save(Path(folder))
        loaded = BleuPostings.load(Path(folder), MAX_ORDER)
        assert np.array_equal(dense(loaded, query, variant), dense(built, query, variant))


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_order_and_ties_of_a_large_gallery(smoothing: int) -> None:
    random = np.random.default_rng(5)
    words = [f"word{number}" for number in range(60)]
    gallery = [[" ".join(random.choice(words, random.integers(1, 12))) for _ in range(5)] for _ in range(300)]
    gallery += gallery[:100]
    variant = BleuVariant(3, (0.5, 0.3, 0.2), smoothing, agreement=0.5)
    query = [*random.choice(words, 6), "word1", "word1"]
    expected, found = one_by_one(gallery, query, variant), dense(BleuPostings.build(gallery, 3), query, variant)
    assert np.array_equal(np.argsort(-found, kind="stable"), np.argsort(-expected, kind="stable"))
    assert np.array_equal(found[:100], found[300:])
    assert np.array_equal(found, expected)


def test_a_word_repeated_hundreds_of_times_is_counted_exactly() -> None:
    gallery, query = [["dog " * 300, "a dog"], ["dog"]], ["dog"] * 300
    variant = BleuVariant(2, (0.5, 0.5), 2)
    found = dense(BleuPostings.build(gallery), query, variant)
    assert np.allclose(found, one_by_one(gallery, query, variant), atol=1e-12)
    assert found[0] == pytest.approx(1.0)


def test_pictures_without_a_query_word_are_left_out() -> None:
    postings = BleuPostings.build([["a dog"], [], ["a cat"], ["..."]])
    assert len(postings) == 4
    assert postings.scores(["cat"])[0].tolist() == [2]
    assert postings.scores(["a", "unknown"])[0].tolist() == [0, 2]
    assert postings.scores(["unknown", "b"])[0].tolist() == []
    assert postings.scores([])[0].tolist() == []


def test_forms_of_a_word_meet_unless_told_otherwise() -> None:
    gallery = [["a dog running"], ["two dogs run"], ["a doggerel"]]
    assert BleuPostings.build(gallery).scores(["dogs", "runs"])[0].tolist() == [0, 1]
    assert BleuPostings.build(gallery, fold=str).scores(["dogs", "runs"])[0].tolist() == [1]


def test_one_word_finds_every_picture_that_says_it_most_agreed_first() -> None:
    gallery = [["a dog on a very long and winding road", "a cat"], ["a dog", "the dog"], ["a boat"]]
    rows, scores = BleuPostings.build(gallery).scores(["dog"])
    assert rows.tolist() == [0, 1]
    assert scores[0] < scores[1]


def test_an_empty_gallery_answers_nothing(tmp_path: Path) -> None:
    BleuPostings.build([]).save(tmp_path)
    loaded = BleuPostings.load(tmp_path, 3)
    assert len(loaded) == 0
    assert loaded.scores(["dog"])[0].tolist() == []


def test_orders_that_were_not_indexed_are_refused() -> None:
    with pytest.raises(ValueError, match="orders 1 to 1"):
        BleuPostings.build([["a dog"]], max_order=1).scores(["dog"], BleuVariant(2, (0.5, 0.5), 1))


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': "])
def test_a_file_that_is_no_array_is_damage(tmp_path: Path, content: bytes) -> None:
    BleuPostings.build([["a dog"]]).save(tmp_path)
    (tmp_path / "ngram_keys.npy").write_bytes(content)
    with pytest.raises(IndexDamaged, match=r"ngram_keys\.npy cannot be read"):
        BleuPostings.load(tmp_path, 2)


def test_arrays_that_do_not_fit_together_are_damage(tmp_path: Path) -> None:
    BleuPostings.build([["a dog"]]).save(tmp_path)
    np.save(tmp_path / "ngram_rows.npy", np.zeros(9, np.int32))
    with pytest.raises(IndexDamaged, match="do not fit together"):
        BleuPostings.load(tmp_path, 2)


def test_arrays_on_disk_hold_no_objects(tmp_path: Path) -> None:
    BleuPostings.build([["a dog"], ["two cats"]]).save(tmp_path)
    assert all(np.load(path, allow_pickle=False).dtype.kind in "iu" for path in tmp_path.iterdir())


def test_the_best_pictures_are_those_of_all_scores_without_the_absent() -> None:
    gallery = [["a dog"], ["a dog on a dog"], ["a boat"], ["a dog"], ["the dog"]]
    postings = BleuPostings.build(gallery)
    every = postings.dense(["a", "dog"])
    rows, scores = postings.top(["a", "dog"], TYPED_VARIANT, 3)
    assert rows.tolist() == sorted(range(5), key=lambda row: (-every[row], row))[:3]
    assert scores.tolist() == every[rows].tolist()
    absent = np.array([True, False, False, False, True])
    assert set(postings.top(["a", "dog"], TYPED_VARIANT, 9, absent)[0].tolist()) == {1, 2, 3}
    assert postings.at(["a", "dog"], TYPED_VARIANT, np.array([3, 0])).tolist() == every[[3, 0]].tolist()
