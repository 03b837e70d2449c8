"""The fused optimizer takes the steps of Keras' own."""

from __future__ import annotations

import keras
import numpy as np

from training.decoder.adam import FusedAdamW


def test_steps_are_those_of_keras() -> None:
    random = np.random.default_rng(0)
    start = random.normal(size=(4, 5)).astype(np.float32)
    gradients = random.normal(size=(5, 4, 5)).astype(np.float32)
    ends = []
    for kind in (FusedAdamW, keras.optimizers.AdamW):
        variable = keras.Variable(start)
        optimizer = kind(0.01, weight_decay=0.01, clipnorm=2.0, use_ema=True, ema_momentum=0.9)
        for gradient in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], [variable])
        optimizer.finalize_variable_values([variable])
        ends.append(variable.numpy())
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-5, atol=1e-6)
    assert np.abs(ends[0] - start).max() > 0.01
