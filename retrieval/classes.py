"""What a picture is, by the classifiers that were trained for a library."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from captioner.classifier import FILES, Classifier, classifier_folders, load_classifier
from captioner.types import Description
from data.errors import RetroflexError

MOST = 10
"""Values that are told of a field."""
SHOWN = 3
"""Values of a field that people are told."""
LEAST = 0.001
"""Probability below which a value is not told."""

_log = logging.getLogger(__name__)


class Guess(NamedTuple):
    """A value that a picture may have, and its probability."""

    value: str
    probability: float


class Classifiers:
    """The classifiers in a library's folder; each is read when it is first needed, and again when it has changed."""

    def __init__(self, library: Path) -> None:
        self._library = library
        self._read: dict[Path, tuple[int, Classifier | None]] = {}

    def all(self) -> list[Classifier]:
        """Return those that can be read, in the order of their fields; a damaged one is logged."""
        found = [self._classifier(folder) for folder in classifier_folders(self._library)]
        return sorted((one for one in found if one is not None), key=lambda one: one.field)

    def classify(self, description: Description, models: Mapping[str, str]) -> dict[str, list[Guess]]:
        """Return by field the values of a picture, best first; `models` made the vectors of the library, by kind."""
        told = {}
        for classifier in self.all():
            vectors = {kind: np.asarray(description.vectors.get(kind, ()))[None] for kind in classifier.sources}
            if classifier.belongs_to(models) and all(one.size for one in vectors.values()):
                told[classifier.field] = guesses(classifier, vectors)[0]
        return {name: own for name, own in told.items() if own}

    def _classifier(self, folder: Path) -> Classifier | None:
        try:
            changed = (folder / f"{FILES}.json").stat().st_mtime_ns
        except OSError:
            return None  # removed meanwhile
        known = self._read.get(folder)
        if known is None or known[0] != changed:
            try:
                known = changed, load_classifier(folder)
            except RetroflexError as error:
                _log.warning("%s", error)
                known = changed, None
            self._read[folder] = known
        return known[1]


def in_words(told: Sequence[Guess]) -> str:
    """Return the values that are told to people: Shirts 93 %, Tops 5 %."""
    return ", ".join(f"{one.value} {100 * one.probability:.0f} %" for one in told[:SHOWN]) or "unknown"


def guesses(classifier: Classifier, vectors: Mapping[str, np.ndarray]) -> list[list[Guess]]:
    """Return for each of n pictures, with vectors (n, d) by kind, its values, best first; none without vectors."""
    told = []
    for chances in classifier.probabilities(vectors):
        order = np.argsort(-chances, kind="stable")[:MOST]
        kept = [row for row in order.tolist() if chances[row] >= LEAST]
        told.append([Guess(classifier.classes[row], round(float(chances[row]), 4)) for row in kept])
    return told
