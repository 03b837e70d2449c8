"""The rankers that stand beside the product's own."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from sklearn.feature_extraction.text import TfidfVectorizer

from data.text import tokenize
from training.judging.baselines import _stems, baselines, difference_from_nltk

GALLERY = [
    ["a dog runs on the grass", "a brown dog"],
    ["two dogs run", "dogs running on a beach"],
    ["a man on a boat"],
    [],
]
QUERIES = ["a dog runs on the grass", "dogs", "a man with a dog on a boat", "nothing known", "..."]


@pytest.mark.parametrize(("name", "method"), [("BLEU-4, unsmoothed, as NLTK", 0), ("BLEU-4, method 1, as NLTK", 1)])
def test_bleu_is_nltks(name: str, method: int) -> None:
    ranker, smoothing = baselines(GALLERY)[name], getattr(SmoothingFunction(), f"method{method}")
    for query in QUERIES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = [
                sentence_bleu(
                    [tokenize(one) for one in captions] or [[]], tokenize(query), smoothing_function=smoothing
                )
                for captions in GALLERY
            ]
        assert ranker(query) == pytest.approx(expected, abs=1e-9)


def test_the_difference_from_nltk_is_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    assert difference_from_nltk(GALLERY, QUERIES) < 1e-9
    assert difference_from_nltk([[]], ["..."]) == 0
    monkeypatch.setattr("training.judging.baselines._by_nltk", lambda query, captions, _: np.ones(len(captions)))
    assert difference_from_nltk(GALLERY, QUERIES) == 1


def test_tfidf_is_the_textbooks() -> None:
    """Scikit-learn's, whose idf is one more."""
    vectors = TfidfVectorizer(analyzer=_stems, sublinear_tf=True, smooth_idf=False).fit(GALLERY)
    vectors.idf_ = vectors.idf_ - 1
    for query in QUERIES:
        expected = (vectors.transform(GALLERY) @ vectors.transform([[query]]).T).toarray()[:, 0]
        assert baselines(GALLERY)["TF-IDF cosine"](query) == pytest.approx(expected, abs=1e-9)


def test_bm25_prefers_rare_words_and_repeated_ones() -> None:
    ranker = baselines(GALLERY)["BM25 (bm25s)"]
    assert int(np.argmax(ranker("boat"))) == 2
    scores = ranker("dogs running")
    assert scores[1] > scores[0] > 0
    assert scores[2] == scores[3] == 0


def test_bm25_is_robertsons() -> None:
    """Lucene's form of it, k1 1.5 and b 0.75: idf(t) * tf / (tf + k1 * (1 - b + b * length / mean length))."""
    documents = [_stems(captions) for captions in GALLERY]
    mean = sum(map(len, documents)) / len(documents)
    idf = math.log(1 + (len(documents) - 1 + 0.5) / (1 + 0.5))
    expected = idf * 1 / (1 + 1.5 * (0.25 + 0.75 * len(documents[2]) / mean))
    assert baselines(GALLERY)["BM25 (bm25s)"]("boat")[2] == pytest.approx(expected, rel=1e-5)


def test_a_query_without_words_finds_nothing() -> None:
    for ranker in baselines(GALLERY).values():
        assert ranker("...").tolist() == [0] * len(GALLERY)


@pytest.mark.parametrize("gallery", [[[]], [["..."], []]])
def test_a_gallery_without_words_finds_nothing(gallery: list[list[str]]) -> None:
    for ranker in baselines(gallery).values():
        assert ranker("a dog").tolist() == [0] * len(gallery)
