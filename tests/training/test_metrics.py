"""Caption metrics on sentences whose scores can be worked out by hand."""

from __future__ import annotations

import math

import pytest

from training.metrics import caption_scores

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
