"""Caption metrics on sentences whose scores can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.metrics import caption_scores, rank_of, ranks_of, ranks_of_queries, recall_at, summarise

REFERENCES = {
    "dog.jpg": ["A brown dog runs on the grass .", "The dog is running fast across a lawn ."],
    "boat.jpg": ["Two men row a red boat .", "A boat with two men in it ."],
    "girl.jpg": ["A girl blows soap bubbles .", "The girl in pink is blowing bubbles ."],
}


def test_a_copied_reference_is_perfect() -> None:
    hypotheses = {name: captions[0] for name, captions in REFERENCES.items()}
    scores = caption_scores(REFERENCES, hypotheses)
    assert [scores[f"bleu{order}"] for order in range(1, 5)] == pytest.approx([100] * 4, abs=1e-4)
    assert scores["distinct"] == 3
    assert scores["mean_length"] == pytest.approx((7 + 6 + 5) / 3)


def test_case_and_punctuation_do_not_matter() -> None:
    shouted = {name: captions[0].upper().replace(" .", "!") for name, captions in REFERENCES.items()}
    copied = {name: captions[0] for name, captions in REFERENCES.items()}
    assert caption_scores(REFERENCES, shouted) == caption_scores(REFERENCES, copied)


def test_bleu_is_the_corpus_score_with_brevity_penalty() -> None:
    # 5 of 6 words and 3 of 4 pairs match; 6 words stand against the closest references' 7 + 6.
    references = {"a": ["one two three four five six seven"], "b": ["red green blue white black grey"]}
    hypotheses = {"a": "one two three", "b": "red green yellow"}
    scores = caption_scores(references, hypotheses)
    penalty = math.exp(1 - 13 / 6)
    assert scores["bleu1"] == pytest.approx(100 * penalty * 5 / 6, rel=1e-6)
    assert scores["bleu2"] == pytest.approx(100 * penalty * math.sqrt(5 / 6 * 3 / 4), rel=1e-6)


def test_cider_of_copies_of_a_sole_reference_is_ten() -> None:
    references = {name: captions[:1] for name, captions in REFERENCES.items()}
    scores = caption_scores(references, {name: captions[0] for name, captions in references.items()})
    assert scores["cider"] == pytest.approx(10)


def test_cider_punishes_captions_given_to_the_wrong_picture() -> None:
    names = list(REFERENCES)
    right = {name: REFERENCES[name][0] for name in names}
    wrong = {name: REFERENCES[other][0] for name, other in zip(names, names[1:] + names[:1], strict=True)}
    assert caption_scores(REFERENCES, wrong)["cider"] < 0.1 * caption_scores(REFERENCES, right)["cider"]


def test_one_caption_for_all_is_not_distinct() -> None:
    assert caption_scores(REFERENCES, dict.fromkeys(REFERENCES, "a dog"))["distinct"] == 1


def test_an_empty_hypothesis_scores_zero() -> None:
    scores = caption_scores(REFERENCES, dict.fromkeys(REFERENCES, ""))
    assert scores["bleu1"] == pytest.approx(0, abs=1e-6)
    assert scores["cider"] == 0
    assert scores["mean_length"] == 0


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    caption_scores(REFERENCES, dict.fromkeys(REFERENCES, "a dog"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("references", "hypotheses", "reason"),
    [
        ({}, {}, "no pictures"),
        ({"a": ["x"]}, {"b": "x"}, "different pictures"),
        ({"a": []}, {"a": "x"}, "no reference"),
    ],
)
def test_unusable_input_is_named(references: dict[str, list[str]], hypotheses: dict[str, str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        caption_scores(references, hypotheses)


def test_rank_counts_the_strictly_better() -> None:
    scores = np.array([0.1, 0.9, 0.5, 0.7])
    ranks = [rank_of(scores, target, np.random.default_rng(0)) for target in range(4)]
    assert ranks == [4, 1, 3, 2]


def test_ties_are_broken_uniformly() -> None:
    scores = np.array([0.9, 0.5, 0.5, 0.5, 0.1])
    random = np.random.default_rng(1)
    ranks = np.array([rank_of(scores, 2, random) for _ in range(3000)])
    places, counts = np.unique(ranks, return_counts=True)
    assert places.tolist() == [2, 3, 4]
    assert np.all(np.abs(counts - 1000) < 120)


def test_a_target_without_hit_ranks_after_the_hits_at_random() -> None:
    scores = np.zeros(1000)
    scores[:400] = 0.5
    random = np.random.default_rng(0)
    ranks = np.array([rank_of(scores, 999, random) for _ in range(2000)])
    assert ranks.min() > 400
    assert ranks.mean() == pytest.approx(700, abs=20)


def test_a_constant_ranker_is_no_better_than_chance() -> None:
    queries = [(str(row), row) for row in range(1000)]
    ranks = ranks_of_queries(queries, lambda query: {"constant": np.ones(1000)}, seed=3)["constant"]
    assert summarise(ranks)["r10"] < 3
    assert summarise(ranks)["median"] == pytest.approx(500, abs=60)


def _scorer(query: str) -> dict[str, np.ndarray]:
    scores = np.round(np.random.default_rng(len(query)).random(50), 1)
    return {"first": scores, "second": -scores}


def test_the_same_seed_gives_the_same_ranks() -> None:
    queries = [("x" * row, row) for row in range(50)]
    once, again = (ranks_of_queries(queries, _scorer, seed=7) for _ in range(2))
    other = ranks_of_queries(queries, _scorer, seed=8)
    assert np.array_equal(once["first"], again["first"])
    assert not np.array_equal(once["first"], other["first"])


def test_ranks_do_not_depend_on_other_rankings() -> None:
    queries = [("x" * row, row) for row in range(50)]
    together = ranks_of_queries(queries, _scorer, seed=7)
    alone = ranks_of_queries(queries, lambda query: {"second": _scorer(query)["second"]}, seed=7)
    assert np.array_equal(together["second"], alone["second"])


def test_ranks_of_scores_are_those_of_queries() -> None:
    queries = [("x" * row, row) for row in range(50)]
    ranks = ranks_of((_scorer(query)["first"] for query, _ in queries), range(50), seed=7)
    assert np.array_equal(ranks, ranks_of_queries(queries, _scorer, seed=7)["first"])


def test_recall_and_median() -> None:
    ranks = np.array([1, 2, 5, 6, 10, 11, 100, 1])
    assert recall_at(ranks) == {"r1": 25.0, "r5": 50.0, "r10": 75.0}
    assert recall_at(ranks, (100,)) == {"r100": 100.0}
    assert summarise(ranks)["median"] == 5.5
