"""Rows moved together and apart again, so that padding takes part in no product."""

from __future__ import annotations

from typing import Any

from keras import ops


def move(rows: Any, index: Any, back: Any) -> Any:
    """Return `rows` (n, d) in the order `index` (m,), (m, d), with zeros where it says n.

    `back` (n,) leads the other way: where each row went, m where it went nowhere. No row is taken twice, so that the
    gradient is the move back; a gather's own would be a sum over segments, which is slow.
    """
    return ops.custom_gradient(lambda given: (_take(given, index), _moved_back(back)))(rows)


def way_back(index: Any, count: int) -> Any:
    """Return the `back` of `move` for an `index` (m,) into `count` rows."""
    moved = ops.shape(index)[0]
    room = ops.full((count + 1,), moved, "int32")
    return ops.scatter_update(room, index[:, None], ops.arange(moved, dtype="int32"))[:count]


def _moved_back(back: Any) -> Any:
    def gradient(*given: Any, upstream: Any = None) -> Any:
        return _take(given[0] if upstream is None else upstream, back)

    return gradient


def _take(rows: Any, index: Any) -> Any:
    """Rows of `rows` (n, d), zeros for n."""
    return ops.take(ops.pad(rows, [[0, 1], [0, 0]]), index, axis=0)
