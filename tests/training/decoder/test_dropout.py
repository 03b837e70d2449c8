"""Dropout of bytes drops as many as it should, keeps the mean and its random state."""

from __future__ import annotations

import numpy as np
import pytest

from training.decoder.dropout import ByteDropout


@pytest.mark.parametrize("rate", [0.05, 0.25, 0.5])
def test_drops_its_share_and_keeps_the_mean(rate: float) -> None:
    dropped = np.asarray(ByteDropout(rate, seed=1)(np.ones((301, 333), "f4"), training=True))
    assert (dropped == 0).mean() == pytest.approx(rate, abs=0.006)
    assert dropped.mean() == pytest.approx(1, abs=0.006)


def test_depends_on_its_random_state_alone() -> None:
    layer, ones = ByteDropout(0.5, seed=1), np.ones((7, 9), "f4")
    before = layer.seed_generator.state.numpy()
    first, second = (np.asarray(layer(ones, training=True)) for _ in range(2))
    layer.seed_generator.state.assign(before)
    assert (np.asarray(layer(ones, training=True)) == first).all()
    assert (first != second).any()


def test_does_nothing_outside_training() -> None:
    ones = np.ones((3, 5), "f4")
    assert (np.asarray(ByteDropout(0.5)(ones)) == ones).all()
