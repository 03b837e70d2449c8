"""Half a VGG16 of twins is the same function, and is told from any other."""

from __future__ import annotations

import numpy as np

from captioner.encoder import EncoderConfig, assign, build_narrow, build_vgg16
from captioner.twins import double, halve
from captioner.vgg16 import FIRST, preprocess
from tests.conftest import random_vgg16

CONFIG = EncoderConfig(side=32, layer="block5_conv3")


def test_doubling_keeps_the_function_and_is_undone_exactly() -> None:
    narrow = random_vgg16(narrower=2)
    wide = double(narrow)
    models = {build_narrow(CONFIG, "float32"): narrow, build_vgg16(CONFIG, "float32"): wide}
    pictures = preprocess(np.random.default_rng(1).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8))
    grids = []
    for model, weights in models.items():
        assign(model, weights)
        grids.append(np.asarray(model.predict_on_batch(pictures)))
    np.testing.assert_allclose(grids[0], grids[1], rtol=1e-4, atol=1e-3)
    halved = halve(wide)
    assert halved is not None
    assert all(np.array_equal(halved[name], value) for name, value in narrow.items())


def test_a_difference_between_twins_is_seen() -> None:
    wide = double(random_vgg16(narrower=2))
    for name in (f"{FIRST}/kernel", "block4_conv2/kernel", "block5_conv3/bias"):
        changed = {**wide, name: wide[name].copy()}
        changed[name].ravel()[0] += 1e-3
        assert halve(changed) is None
