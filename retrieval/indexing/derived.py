"""Vectors by a learned metric, made of vectors in the store: no picture is decoded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from captioner.metric import Metric
from data.errors import RetroflexError
from data.films.writes import describe_items
from data.records import DescriptionRow
from data.store import Store

AT_ONCE = 1000
"""Pictures of one transaction."""


def derive(store: Store, metric: Metric, progress: Callable[[int, int], None] = lambda done, total: None) -> int:
    """Give every picture that lacks one its vector by `metric`; return how many got one.

    `progress` gets the pictures that are done and all. A stopped run goes on where it was. Pictures without a vector
    of the metric's kind are left out. Raise RetroflexError if none has one by the metric's model, or StoreError.
    """
    _, ids = store.searched_items()
    version, made, sources = metric.model_version, 0, 0
    for start in range(0, len(ids), AT_ONCE):
        piece = ids[start : start + AT_ONCE].tolist()
        vectors = store.features(piece, metric.kind, metric.source_version)
        known = store.features(piece, metric.name, version)
        sources, new = sources + len(vectors), [item for item in piece if item in vectors and item not in known]
        if new:
            _write(store, metric, new, np.array([np.frombuffer(vectors[item], "<f2") for item in new], np.float32))
            made += len(new)
        progress(min(start + AT_ONCE, len(ids)), len(ids))
    if len(ids) and not sources:
        stored = store.main_models().get(metric.kind)
        have = f"its {metric.kind} vectors are by {stored}" if stored else f"it has no {metric.kind} vectors"
        raise RetroflexError(
            f"the metric {metric.name} is of {metric.kind} vectors by {metric.source_version}, and {have}; "
            "index these first, or train it again"
        )
    return made


def _write(store: Store, metric: Metric, items: list[int], vectors: np.ndarray) -> None:
    rows = zip(items, metric.project(vectors), strict=True)
    describe_items(
        store, [(item, DescriptionRow("", metric.model_version, None, {metric.name: vector})) for item, vector in rows]
    )
