import numpy as np
import pytest

from captioner.embedding import NEIGHBOURS, hubness


@pytest.mark.parametrize("sentences", [3, 40])
def test_hubness_is_the_mean_cosine_of_the_nearest_sentences(sentences: int) -> None:
    random = np.random.default_rng(0)
    places, usual = random.normal(size=(5, 4)), random.normal(size=(sentences, 4)).astype(np.float32)
    expected = [np.mean(sorted((place @ one for one in usual), reverse=True)[:NEIGHBOURS]) for place in places]
    assert hubness(places, usual) == pytest.approx(expected, abs=1e-5)
