"""What a word's rarity counts is learnt where nothing shows the words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from captioner.bundle import load_bundle
from captioner.captioner import Captioner
from data.errors import RetroflexError
from retrieval.search import strictness
from retrieval.search.query import Query, QueryImage
from training.evaluation.absent import evaluate_absent
from training.evaluation.folders import unlabelled_pictures
from training.evaluation.gallery import describe_pictures, searchable
from training.relevance import crowd
from training.relevance.crowd import Crowd, with_crowd


@pytest.fixture(autouse=True)
def _two_familiar(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the tiny captioner's twelve words most are rare, and random sentences are near to many of twelve pictures."""
    monkeypatch.setattr(strictness, "FAMILIAR", 5)
    monkeypatch.setattr(crowd, "HITS", 2.0)


def test_rare_words_get_so_many_hits_in_a_crowd(tiny_bundle: Path, photos: Path) -> None:
    bundle, words = load_bundle(tiny_bundle), ["grass", "water", "boat"]
    before = evaluate_absent(Captioner(bundle), photos, words, None, seed=0)
    taught, problems = with_crowd(bundle, Crowd(photos, words), seed=0)
    after = evaluate_absent(Captioner(taught), photos, words, None, seed=0)
    assert problems == []
    assert taught.calibration.rarity < 0
    assert before["mean_hits"] > 3
    assert 1 < after["mean_hits"] <= 2.34
    assert replace(taught.calibration, rarity=0.0, picture_close=0.0) == bundle.calibration


def test_few_pictures_of_a_crowd_are_alike(tiny_bundle: Path, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "UNRELATED", 0.25)
    taught, _ = with_crowd(load_bundle(tiny_bundle), Crowd(photos, ["a"]), seed=0)
    captioner = Captioner(taught)
    with unlabelled_pictures(photos, None, 0) as (pictures, _):
        described = describe_pictures(captioner, pictures)
    with searchable(described, captioner) as (searcher, _):
        queries = [Query(like=[QueryImage(one)]) for one in described.descriptions]
        found = [searcher.search(query).total - 1 for query in queries]  # A picture finds itself.
    assert 1 < np.mean(found) < 0.35 * len(queries)


def test_the_order_is_what_it_was(tiny_bundle: Path, photos: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    orders = []
    for one in (bundle, replace(bundle, calibration=replace(bundle.calibration, rarity=-1.5))):
        captioner = Captioner(one)
        with unlabelled_pictures(photos, None, 0) as (pictures, _):
            described = describe_pictures(captioner, pictures)
        with searchable(described, captioner) as (searcher, _):
            found = searcher.rank(Query("water on the grass"))
            orders.append((found.ids.tolist(), found.hits, found.scores[0]))
    assert orders[0][0] == orders[1][0]
    assert orders[0][2] > orders[1][2]


def test_words_that_are_not_rare_leave_it_alone(tiny_bundle: Path, photos: Path) -> None:
    assert with_crowd(load_bundle(tiny_bundle), Crowd(photos, ["a"]), 0)[0].calibration.rarity == 0.0


def test_a_bundle_without_sentences_learns_nothing(tiny_bundle: Path, photos: Path) -> None:
    with pytest.raises(RetroflexError, match="needs text encoders"):
        with_crowd(replace(load_bundle(tiny_bundle), embedding=None), Crowd(photos, ["water"]), 0)
    (photos.parent / "broken").mkdir()
    (photos.parent / "broken" / "a.jpg").write_text("broken")
    with pytest.raises(RetroflexError, match=r"no picture of .* can be read"):
        with_crowd(load_bundle(tiny_bundle), Crowd(photos.parent / "broken", ["water"]), 0)
