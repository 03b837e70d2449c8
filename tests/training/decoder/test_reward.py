"""The fast CIDEr against coco-caption's."""

from __future__ import annotations

import numpy as np
import pytest
from pycocoevalcap.cider.cider import Cider

from training.decoder.reward import CiderReward

WORDS = ["a", "dog", "runs", "on", "the", "grass", "with", "two", "men", "in", "red", "and", "a", "ball"]


def sentences(random: np.random.Generator, count: int) -> list[list[str]]:
    return [list(random.choice(WORDS, random.integers(1, 12))) for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_equals_coco_caption(seed: int) -> None:
    random = np.random.default_rng(seed)
    references = [sentences(random, 5) for _ in range(12)]
    made = sentences(random, 12)
    truth = {number: [" ".join(one) for one in picture] for number, picture in enumerate(references)}
    _, expected = Cider().compute_score(truth, {number: [" ".join(one)] for number, one in enumerate(made)})
    reward = CiderReward(references)
    found = [reward.score(number, one) for number, one in enumerate(made)]
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_nothing_said_earns_nothing() -> None:
    assert CiderReward([[["a", "dog"]], [["a", "cat"]]]).score(0, []) == 0
