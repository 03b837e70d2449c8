"""A classifier of drawn pictures by their colour, for a library of `tests.webui.conftest`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from captioner.classifier import Classifier, save_classifier
from retrieval.library import Library
from tests.webui.conftest import ColourCaptioner


def shades(
    library: Library, ids: Mapping[str, Sequence[int]], source: str = ColourCaptioner.model_version
) -> Classifier:
    """Return a classifier of the field `shade` that knows each value by the pictures that have it."""
    vectors = library.searcher().index.vectors
    means = np.stack([vectors.get("vgg16", np.array(sorted(own), np.int64)).mean(axis=0) for own in ids.values()])
    centre = means.mean(axis=0)
    numbers = centre, (60 * (means - centre).T).astype(np.float32), np.zeros(len(ids), np.float32)
    return Classifier("shade", {"vgg16": source}, list(ids), *numbers)


def learn_shades(library: Library, ids: Mapping[str, Sequence[int]]) -> None:
    """Let the library have that classifier."""
    save_classifier(shades(library, ids), library.settings.library)
