"""The ablations of the recipe change what they say, and nothing else."""

from __future__ import annotations

import numpy as np

from bench.ablations import BASE, Data
from bench.recipe import _rows
from captioner.vocabulary import Vocabulary
from tests.conftest import WORDS
from training.batches import Split


def split(names: list[str], crops: int, seed: int) -> Split:
    grids = np.random.default_rng(seed).random((len(names), crops, 16, 3)).astype(np.float16)
    return Split(names, grids, [[["a", "dog"]]] * len(names))


def test_each_row_takes_one_part_away() -> None:
    data = Data(split(["1", "2", "also"], 2, 0), split(["3"], 1, 1), Vocabulary(WORDS), {"weight": np.ones(1)})
    untuned = (split(["1", "2", "also"], 2, 2), split(["3"], 1, 3))
    rows = {title: changed for title, _, changed in _rows(data, untuned, {"1", "2"})}
    assert rows.pop(BASE) is data
    assert rows["no start"].start is None
    assert rows["no start"].train is data.train
    assert (rows["not fine-tuned"].train, rows["not fine-tuned"].dev) == untuned
    assert list(rows["no second data set"].train.names) == ["1", "2"]
    np.testing.assert_array_equal(rows["no second data set"].train.grids, data.train.grids[:2])
    assert all(row.start is data.start for title, row in rows.items() if title != "no start")
    pooled = rows["block5_pool"].train.grids
    assert pooled.shape == (3, 2, 4, 3)
    for cell, (row, column) in enumerate(((0, 0), (0, 2), (2, 0), (2, 2))):
        square = data.train.grids.reshape(3, 2, 4, 4, 3)[:, :, row : row + 2, column : column + 2]
        np.testing.assert_array_equal(pooled[:, :, cell], square.max(axis=(2, 3)))
