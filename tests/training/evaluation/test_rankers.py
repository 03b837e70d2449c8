"""Baselines equal their reference implementations; the table has the product's stages beside them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from sklearn.feature_extraction.text import TfidfVectorizer

from captioner.calibration import Calibration
from captioner.types import JOINT, Description, SearchModel
from data.dataset import read_dataset
from data.text import tokenize
from tests.training.conftest import COLOURS, ColourCaptioner
from training.evaluation.evaluate import evaluate_search
from training.evaluation.rankers import _stems, baselines, difference_from_nltk, evaluate_stages, run

CALIBRATION = Calibration(words={"bias": -4.0, "bleu": 1.0, "cosine": 8.0})


class Colours:
    """Sentences are where the colours they name are."""

    words = ()

    def embed(self, tokens: Sequence[str]) -> np.ndarray | None:
        named = [list(COLOURS).index(token) for token in tokens if token in COLOURS]
        return np.eye(len(COLOURS), dtype=np.float32)[named[0]] if named else None

    def synonyms(self, word: str) -> list[str]:
        return []

    def known_share(self, tokens: Sequence[str]) -> float:
        return 1.0


class SeeingCaptioner(ColourCaptioner):
    """Says the same of every picture, but places it where its colour is."""

    search_model = SearchModel("colours-1", "vgg16", CALIBRATION, Colours())  # type: ignore[arg-type]

    def _describe(self, picture: np.ndarray) -> Description:
        described = super()._describe(picture)
        same = super()._describe(np.zeros((32, 32, 3), np.uint8))
        return replace(same, vectors={**described.vectors, JOINT: described.vectors["vgg16"]})


def test_each_stage_shows_what_it_adds(colour_dataset: Path) -> None:
    result = evaluate_stages(SeeingCaptioner(), read_dataset(colour_dataset, "dev"), seed=0)
    assert result["largest_difference_from_nltk"] < 1e-9
    stages = result["stages"]
    assert list(stages)[-3:] == ["BLEU", "cosine alone", "BLEU + cosine"]
    assert stages["BLEU"]["r1"] < 100
    assert stages["cosine alone"]["r1"] == stages["BLEU + cosine"]["r1"] == 100


def test_without_a_text_model_bleu_is_the_last_stage(colour_captioner: ColourCaptioner, colour_dataset: Path) -> None:
    stages = evaluate_stages(colour_captioner, read_dataset(colour_dataset, "dev"), seed=0)["stages"]
    assert list(stages)[-1] == "BLEU"


def test_a_query_without_words_finds_nothing(colour_dataset: Path) -> None:
    tokens = colour_dataset / "Flickr8k.token.txt"
    tokens.write_text(tokens.read_text().replace("A plain red wall .", "..."))
    stages = evaluate_stages(SeeingCaptioner(), read_dataset(colour_dataset, "dev"), seed=0)["stages"]
    assert all(row["r5"] == 100 for row in stages.values())


def test_the_last_stage_has_the_figures_of_search(colour_dataset: Path) -> None:
    dataset = read_dataset(colour_dataset, "dev")
    stages = evaluate_stages(SeeingCaptioner(), dataset, seed=0, captions=1)["stages"]
    ranking = evaluate_search(SeeingCaptioner(), dataset, seed=0, captions=1)["rankings"]["fused"]
    assert stages["BLEU + cosine"] == {**ranking, "ms": pytest.approx(0, abs=1e4)}


GALLERY = [
    ["a dog runs on the grass", "a brown dog"],
    ["two dogs run", "dogs running on a beach"],
    ["a man on a boat"],
    [],
]
QUERIES = ["a dog runs on the grass", "dogs", "a man with a dog on a boat", "nothing known", "..."]


NAMES = ("BLEU-4, unsmoothed, as NLTK", "BLEU-4, method 1, as NLTK", "BM25 (bm25s)", "TF-IDF cosine")


def scores(name: str, query: str, gallery: Sequence[Sequence[str]] = GALLERY) -> np.ndarray:
    """What a ranker of the table gives each picture of the gallery."""
    ids = np.arange(len(gallery)) + 1
    plans = baselines(gallery, ids)
    assert tuple(plans) == NAMES
    return run(plans[name], query, ids)


@pytest.mark.parametrize(("name", "method"), [("BLEU-4, unsmoothed, as NLTK", 0), ("BLEU-4, method 1, as NLTK", 1)])
def test_bleu_is_nltks(name: str, method: int) -> None:
    smoothing = getattr(SmoothingFunction(), f"method{method}")
    for query in QUERIES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = [
                sentence_bleu(
                    [tokenize(one) for one in captions] or [[]], tokenize(query), smoothing_function=smoothing
                )
                for captions in GALLERY
            ]
        assert scores(name, query) == pytest.approx(expected, abs=1e-9)


def test_the_difference_from_nltk_is_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    assert difference_from_nltk(GALLERY, QUERIES) < 1e-9
    assert difference_from_nltk([[]], ["..."]) == 0
    monkeypatch.setattr("training.evaluation.rankers._by_nltk", lambda query, captions, _: np.ones(len(captions)))
    assert difference_from_nltk(GALLERY, QUERIES) == 1


def test_tfidf_equals_scikit_learns() -> None:
    """Scikit-learn's, whose idf is one more."""
    vectors = TfidfVectorizer(analyzer=_stems, sublinear_tf=True, smooth_idf=False).fit(GALLERY)
    vectors.idf_ = vectors.idf_ - 1
    for query in QUERIES:
        expected = (vectors.transform(GALLERY) @ vectors.transform([[query]]).T).toarray()[:, 0]
        assert scores("TF-IDF cosine", query) == pytest.approx(expected, abs=1e-9)


def test_bm25_prefers_rare_words_and_repeated_ones() -> None:
    assert int(np.argmax(scores("BM25 (bm25s)", "boat"))) == 2
    found = scores("BM25 (bm25s)", "dogs running")
    assert found[1] > found[0] > 0
    assert found[2] == found[3] == 0


def test_bm25_is_robertsons() -> None:
    """Lucene's form of it, k1 1.5 and b 0.75: idf(t) * tf / (tf + k1 * (1 - b + b * length / mean length))."""
    documents = [_stems(captions) for captions in GALLERY]
    mean = sum(map(len, documents)) / len(documents)
    idf = math.log(1 + (len(documents) - 1 + 0.5) / (1 + 0.5))
    expected = idf * 1 / (1 + 1.5 * (0.25 + 0.75 * len(documents[2]) / mean))
    assert scores("BM25 (bm25s)", "boat")[2] == pytest.approx(expected, rel=1e-5)


def test_baselines_score_a_query_without_words_zero() -> None:
    for name in NAMES:
        assert scores(name, "...").tolist() == [0] * len(GALLERY)


@pytest.mark.parametrize("gallery", [[[]], [["..."], []]])
def test_a_gallery_without_words_finds_nothing(gallery: list[list[str]]) -> None:
    for name in NAMES:
        assert scores(name, "a dog", gallery).tolist() == [0] * len(gallery)
