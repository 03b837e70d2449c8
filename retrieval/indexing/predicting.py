"""Predict values of a field for pictures that have none, from vectors in the store: no picture is decoded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from captioner.classifier import Classifier
from data.catalogue.fields import items_with_facts
from data.catalogue.values import PREDICTED, CatalogueField, Value, parse
from data.catalogue.writes import ValueIds, put_facts
from data.store import Store

AT_ONCE = 1000
"""Pictures of one transaction."""


def predict(
    store: Store,
    classifier: Classifier,
    of: CatalogueField,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Give every picture without a value of the field, by anyone, the predicted one; return how many got one.

    `progress` gets the pictures that are done and all. A stopped run goes on where it was. Pictures without the
    vectors that the classifier was trained on are left out. Raises StoreError.
    """
    ids = np.setdiff1d(store.searched_ids()[1], items_with_facts(store, of), assume_unique=True)
    values = [parse(of.type, text) for text in classifier.classes]
    known, predicted = ValueIds(), 0
    for start in range(0, len(ids), AT_ONCE):
        piece = ids[start : start + AT_ONCE].tolist()
        predicted += _write(store, classifier, of, values, piece, known)
        progress(start + len(piece), len(ids))
    return predicted


def _write(
    store: Store,
    classifier: Classifier,
    of: CatalogueField,
    values: list[Value | None],
    ids: list[int],
    known: ValueIds,
) -> int:
    stored = {kind: store.features(ids, kind, version) for kind, version in classifier.sources.items()}
    items = [item for item in ids if all(item in own for own in stored.values())]
    if not items:
        return 0
    vectors = {
        kind: np.array([np.frombuffer(own[item], "<f2") for item in items], np.float32) for kind, own in stored.items()
    }
    chances = classifier.probabilities(vectors)
    best = chances.argmax(axis=1)
    rows = {item: {of.id: values[row]} for item, row in zip(items, best.tolist(), strict=True)}
    sure = {(item, of.id): round(float(own.max()), 4) for item, own in zip(items, chances, strict=True)}
    with store.writing() as connection:
        return put_facts(connection, rows, PREDICTED, known, sure).added
