"""The last block of VGG16, separated from the others."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.encoders.vgg16 import KerasVGG16, VGG16Config
from data.errors import RetroflexError
from tests.conftest import random_vgg16
from training.fine_tuning import before_tail, build_tail, through_tail, with_tail
from training.inputs import EncoderSource


@pytest.fixture
def source() -> EncoderSource:
    return EncoderSource("random", VGG16Config(32, "block5_conv3"), random_vgg16())


def test_both_parts_together_are_the_whole(source: EncoderSource) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3)).astype(np.uint8)
    first = before_tail(source)
    before = KerasVGG16(first.config, first.weights, "float32").encode(pictures).grids
    whole = KerasVGG16(source.config, source.weights, "float32").encode(pictures).grids
    grids = through_tail(build_tail(source), before[:, None])
    assert grids.shape == (3, 1, 4, 512)
    np.testing.assert_allclose(grids[:, 0], whole, rtol=0.05, atol=0.02 * np.abs(whole).max())


def test_other_weights_of_the_last_block_leave_the_rest_alone(source: EncoderSource) -> None:
    other = with_tail(source, {"block5_conv3/bias": np.ones(512, np.float32)}, "tuned")
    assert other.name == "tuned"
    assert other.weights["block5_conv3/bias"].sum() == 512
    assert other.weights["block1_conv1/kernel"] is source.weights["block1_conv1/kernel"]


def test_an_encoder_cut_elsewhere_is_refused() -> None:
    with pytest.raises(RetroflexError, match="needs an encoder whose grid is that of block5_conv3"):
        before_tail(EncoderSource("random", VGG16Config(224, "block5_pool"), {}))
