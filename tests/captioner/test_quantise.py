"""Rounded weights lose at most half a step, have the expected size, and do not change when rounded again."""

from __future__ import annotations

import numpy as np
import pytest

from captioner.quantise import LARGE, LEVELS, Restored, quantise, rounded

SMALL = (3, 3, 4, 6)
EVEN = (LARGE // 100 + 1, 100)
ODD = (LARGE // 100 + 1, 101)


def kernel(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    ("shape", "bits", "expected_bits"), [(SMALL, 8, 8), (SMALL, 4, 8), (EVEN, 8, 8), (EVEN, 4, 4), (ODD, 4, 4)]
)
def test_a_rounded_kernel_is_half_a_step_off_at_most(shape: tuple[int, ...], bits: int, expected_bits: int) -> None:
    value = kernel(shape)
    weights = {"conv/kernel": value, "conv/bias": value.reshape(-1, shape[-1])[0]}
    packed = quantise(weights, bits)
    assert packed["conv/kernel"].nbytes == pytest.approx(value.size * expected_bits / 8, rel=0.01)
    back = dict(Restored(packed))
    step = np.abs(value).max(axis=tuple(range(value.ndim - 1))) / LEVELS[expected_bits]
    assert (np.abs(back["conv/kernel"] - value) <= step / 2 + 1e-7).all()
    np.testing.assert_array_equal(back["conv/bias"], weights["conv/bias"])


@pytest.mark.parametrize("bits", LEVELS)
@pytest.mark.parametrize("shape", [SMALL, EVEN, ODD])
def test_rounded_weights_do_not_change_and_stay_small(shape: tuple[int, ...], bits: int) -> None:
    once = rounded({"kernel": kernel(shape)}, bits)
    packed, again = quantise(rounded(once, bits), bits), quantise(once)
    assert packed.keys() == again.keys()
    for name, value in packed.items():
        assert value.dtype == again[name].dtype
        np.testing.assert_array_equal(value, again[name])


def test_a_channel_of_zeros() -> None:
    value = kernel(EVEN)
    value[:, 3] = 0
    np.testing.assert_array_equal(rounded({"kernel": value}, 4)["kernel"][:, 3], 0)


def test_whole_numbers_without_a_scale_are_refused() -> None:
    packed = quantise({"kernel": kernel(SMALL)})
    del packed["kernel/scale"]
    with pytest.raises(KeyError, match="kernel/scale"):
        dict(Restored(packed))
