import numpy as np
import pytest

from captioner.cells import STEPS, pack_cells, unpack_cells


def rectified(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Numbers like a decoder's cells: most of them zero, none below."""
    return np.maximum(np.random.default_rng(seed).normal(-1, 1, shape), 0).astype(np.float32)


def test_unpacked_cells_are_the_means_of_squares_to_half_a_step() -> None:
    cells = rectified((3, 16, 5))
    cells[1] = 0
    found = unpack_cells(pack_cells(cells))
    expected = cells.reshape(3, 2, 2, 2, 2, 5).mean(axis=(2, 4)).reshape(3, 4, 5)
    assert found.weight == 4
    step = expected.max(axis=(1, 2), keepdims=True) / STEPS
    assert (np.abs(found.values - expected) <= step / 2 + 1e-6).all()


def test_a_grid_of_odd_edge_keeps_its_cells() -> None:
    cells = rectified((2, 9, 4))
    found = unpack_cells(pack_cells(cells))
    assert found.weight == 1
    assert np.abs(found.values - cells).max() <= cells.max() / STEPS


def test_real_sizes_become_small() -> None:
    sparse = rectified((1, 100, 384)) * (np.random.default_rng(1).random((1, 1, 384)) < 0.1)
    assert len(pack_cells(sparse)[0]) < 3000


@pytest.mark.parametrize("damaged", [b"", b"\x01", b"\x01\x09\x00\x00\x00\x80\x3fnonsense"])
def test_damage_is_one_clear_line(damaged: bytes) -> None:
    with pytest.raises(ValueError, match="the attention cells of a picture are damaged"):
        unpack_cells([damaged])


def test_cells_of_different_models_do_not_mix() -> None:
    with pytest.raises(ValueError, match="differ in coarseness"):
        unpack_cells([*pack_cells(rectified((1, 9, 4))), *pack_cells(rectified((1, 36, 4)))])
