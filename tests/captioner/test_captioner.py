"""The captioner as its callers use it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from captioner import captioner as module
from captioner.captioner import Captioner
from captioner.encoders.vgg16_int8 import why_not_int8
from tests.conftest import WORDS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def captioner(tiny_bundle: Path) -> Captioner:
    return Captioner.load(tiny_bundle, "float32")


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    random = np.random.default_rng(5)
    return np.repeat(np.repeat(random.integers(0, 256, (6, 8, 8, 3)), 4, axis=1), 4, axis=2).astype(np.uint8)


def test_describes_with_distinct_captions_best_first(captioner: Captioner, pictures: np.ndarray) -> None:
    descriptions = captioner.describe(pictures)
    assert len(descriptions) == 6
    for one in descriptions:
        texts = [caption.text for caption in one.captions]
        assert texts
        assert len(set(texts)) == len(texts)
        assert set(" ".join(texts).split()) <= set(WORDS)
        assert np.linalg.norm(one.vectors["vgg16"]) == pytest.approx(1, abs=1e-4)


def test_count_keeps_the_best(captioner: Captioner, pictures: np.ndarray) -> None:
    every, one = captioner.describe(pictures)[0], captioner.describe(pictures, count=1)[0]
    assert one.captions == every.captions[:1]


def test_a_batch_equals_its_pictures_one_by_one(captioner: Captioner, pictures: np.ndarray) -> None:
    together = captioner.describe(pictures)
    for row, one in enumerate(together):
        alone = captioner.describe(pictures[row : row + 1])[0]
        assert [caption.text for caption in alone.captions] == [caption.text for caption in one.captions]
        np.testing.assert_allclose(alone.vectors["vgg16"], one.vectors["vgg16"], atol=1e-4)


def test_pieces_of_many_pictures_equal_them_together(
    captioner: Captioner, pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = captioner.encode(pictures)
    together = captioner.caption(features)
    monkeypatch.setattr(module, "EXACT_AT_ONCE", 4)
    pieces = captioner.caption(features)
    assert [[one.text for one in each.captions] for each in pieces] == [
        [one.text for one in each.captions] for each in together
    ]


def test_score_is_the_captions_logprob(captioner: Captioner, pictures: np.ndarray) -> None:
    for picture, one in zip(pictures, captioner.describe(pictures), strict=True):
        for caption in one.captions:
            assert captioner.score(caption.text, picture) == pytest.approx(caption.logprob, abs=1e-3)


def test_score_knows_no_word_better_than_all(captioner: Captioner, pictures: np.ndarray) -> None:
    assert captioner.score("a zeppelin", pictures[0]) < 0


def test_a_few_pictures_are_captioned_exactly_and_many_in_the_best_precision(
    captioner: Captioner, tiny_bundle: Path, pictures: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact, rounding = captioner.caption(captioner.encode(pictures)), Captioner.load(tiny_bundle, "mixed_bfloat16")
    features = captioner.encode(pictures)
    assert [one.captions for one in rounding.caption(features)] == [one.captions for one in exact]
    monkeypatch.setattr(module, "GROUP", len(pictures))
    assert (captioner.group, rounding.group) == (module.EXACT_AT_ONCE, len(pictures))
    with monkeypatch.context() as without:
        without.delitem(sys.modules, "tensorflow")
        assert [one.captions for one in rounding.caption(features)] == [one.captions for one in exact], "not for that"
    rounded = rounding.caption(features)
    assert [one.captions for one in rounded] != [one.captions for one in exact]
    for one, other in zip(rounded, exact, strict=True):
        assert one.captions[0].logprob == pytest.approx(other.captions[0].logprob, abs=0.2)
    monkeypatch.undo()
    assert [one.captions for one in rounding.caption(features)] == [one.captions for one in rounded], "it stays so"


@pytest.mark.skipif(why_not_int8({"any": 1.0}) is not None, reason="the encoder runs in Keras here")
def test_a_few_pictures_need_no_deep_learning_framework(tiny_bundle: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from captioner.captioner import Captioner\n"
        "Captioner.load(Path(sys.argv[1])).warm_up(); print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code, tiny_bundle], cwd=ROOT, capture_output=True, text=True)
    assert result.stdout.strip() == "set()", result.stderr
