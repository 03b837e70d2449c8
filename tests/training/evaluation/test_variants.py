"""The comparison of BLEU variants."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from data.dataset import read_dataset
from data.text import tokenize
from retrieval.bleu.score import CAPTION_VARIANT, TYPED_VARIANT, score
from tests.training.conftest import ColourCaptioner
from training.evaluation.variants import ROWS, TYPED_LENGTHS, _Comparison, _Mirrored, content_words, evaluate_variants


def test_every_variant_is_measured_on_every_kind_of_query(
    colour_captioner: ColourCaptioner, colour_dataset: Path
) -> None:
    result = evaluate_variants(colour_captioner, read_dataset(colour_dataset, "dev"), seed=0)
    kinds = ["sentences", *(f"{count} words" for count in TYPED_LENGTHS), "captions"]
    assert list(result["rankings"]) == [f"{name}, {kind}" for kind in kinds for name in ROWS]
    assert all(row["r10"] == 100 for row in result["rankings"].values())


def test_the_defaults_are_among_those_compared() -> None:
    assert {TYPED_VARIANT, CAPTION_VARIANT} <= {row.variant for row in ROWS.values() if row.folded}


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if not row.folded])
def test_scores_are_those_of_each_pair_averaged_over_the_texts(name: str) -> None:
    gallery = [["a dog runs", "the dog"], [], ["a cat on a mat", "a cat"]]
    texts = ["the dog runs on", "a cat"]
    row, compared = ROWS[name], _Comparison(gallery, seed=0)

    def pair(text: str, captions: list[str]) -> float:
        query, tokens = tokenize(text), [tokenize(caption) for caption in captions]
        if row.reverse:
            return max((score(one, [query], row.variant) for one in tokens), default=0.0)
        return score(query, tokens, row.variant)

    (found,) = (compared._reverse if row.reverse else compared._scores)([(texts, 0)], row)
    expected = [np.mean([pair(text, captions) for text in texts]) for captions in gallery]
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_mirrored_picture_is_described_mirrored(colour_captioner: ColourCaptioner) -> None:
    picture = np.zeros((1, 32, 32, 3), np.uint8)
    picture[:, :, :16] = 250
    seen: list[np.ndarray] = []
    colour_captioner.describe = lambda pictures: seen.append(pictures) or []  # type: ignore[method-assign,func-returns-value]
    _Mirrored(colour_captioner).describe(picture)
    assert (seen[0][:, :, 16:] == 250).all()
    assert (seen[0][:, :, :16] == 0).all()


def test_words_are_drawn_in_their_order_without_stop_words() -> None:
    queries = [(["A red dog runs on the green grass ."], 4)] * 50
    drawn = [text for (text,), target in content_words(queries, 3, seed=0) if target == 4]
    assert len(drawn) == 50
    assert len(set(drawn)) > 5
    for text in drawn:
        words = text.split()
        assert len(words) == 3
        assert words == sorted(words, key=["red", "dog", "runs", "green", "grass"].index)


def test_what_is_short_stays_whole() -> None:
    assert content_words([(["A dog .", "it is on the"], 0), (["..."], 1)], 5, seed=0) == [
        (["dog", "it is on the"], 0),
        ([""], 1),
    ]
    assert content_words([(["A dog on grass"], 0)], 2, seed=3) == [(["dog grass"], 0)]


def test_the_seed_decides() -> None:
    queries = [(["red dog green grass blue sky"], 0)] * 20
    assert content_words(queries, 2, seed=1) == content_words(queries, 2, seed=1) != content_words(queries, 2, seed=2)
