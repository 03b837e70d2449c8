"""Kinds of vectors that are compared, by name, and the describers that make them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from captioner.captioner import Captioner
from captioner.encoders.registry import build_further, families, family, what_is_missing
from captioner.encoders.weights import of_library
from captioner.metric import Metric, MetricDescriber, load_metric, metric_names
from captioner.pipeline import VectorDescriber, read_files
from captioner.types import StagedDescriber
from data.errors import RetroflexError, nearest_of

PRODUCT = "product"
"""The product's whole search by a picture: captions, vectors and neighbours together."""
TIMED = 32
"""Pictures that are described to see how long one takes."""


@dataclass(frozen=True)
class Kind:
    """A kind of vectors: `load` returns its describer, and raises RetroflexError or ModuleNotFoundError.

    `stage` is what is timed: the part of the describer that makes these vectors of pictures.
    """

    name: str
    load: Callable[[], StagedDescriber]
    stage: Callable[[StagedDescriber, np.ndarray], object]
    metric: Metric | None = None
    """The learned metric that makes these vectors of those of its own kind, which `source` describes."""
    source: Callable[[], StagedDescriber] | None = None


def known_kinds(
    captioner: Callable[[], Captioner], weights: Mapping[str, Path | None], library: Path | None
) -> dict[str, Kind]:
    """Return all kinds by name, the captioner's first, and what was learned for the folder `library`, if one is given.

    `captioner` loads it; `weights` are files for encoders, by default those trained for the library. Raise
    RetroflexError for a damaged metric.
    """
    shared = cache(captioner)
    own = shared().search_model.encoder
    kinds = [Kind(name, shared, _encode if name == own else _describe) for name in shared().kinds]
    others = [one.name for one in families() if one.name != own]
    trained = {name: of_library(library, name) if library else None for name in others}
    kinds += [Kind(name, _Further(name, weights.get(name) or trained[name]), _encode) for name in others]
    named = {kind.name: kind for kind in kinds}
    if library:
        for name in metric_names(library):
            named[name] = _by_metric(load_metric(library, name), named)
    return {**named, PRODUCT: Kind(PRODUCT, shared, _describe)}


def _by_metric(metric: Metric, known: Mapping[str, Kind]) -> Kind:
    def source() -> StagedDescriber:
        if metric.kind not in known:
            raise RetroflexError(f"the metric {metric.name} is of {metric.kind} vectors, which nothing makes here")
        return known[metric.kind].load()

    return Kind(metric.name, lambda: MetricDescriber(metric, source()), _describe, metric, source)


def chosen(names: str | None, known: Mapping[str, object], what: str) -> list[str]:
    """Return the names in a list with commas, or all of `known` for None and for "all".

    Raise RetroflexError for an unknown name, with the nearest one.
    """
    if names is None or names.strip() == "all":
        return list(known)
    given = list(dict.fromkeys(name for one in names.split(",") if (name := one.strip())))
    for name in given:
        if name not in known:
            raise RetroflexError(f"no {what} is called {name[:40]!r}; {nearest_of(name, known)}")
    if not given:
        raise RetroflexError(f"no {what} is named; there are {', '.join(known)}")
    return given


def ms_to_describe(kind: Kind, describer: StagedDescriber, files: Sequence[Path]) -> float | None:
    """Return the milliseconds to decode and describe one of the first TIMED `files`; None if none can be read.

    What is loaded once is loaded before; threads beside it do nothing.
    """
    started = time.perf_counter()
    squares = [one.square for one in read_files(files[:TIMED], describer.input_side) if one.square is not None]
    read = time.perf_counter() - started
    if not squares:
        return None
    pictures = np.stack(squares)
    kind.stage(describer, pictures[:1])
    started = time.perf_counter()
    kind.stage(describer, pictures)
    return 1000 * (read + time.perf_counter() - started) / len(squares)


class _Further:
    """Loads a further encoder once; downloads nothing."""

    def __init__(self, name: str, weights: Path | None) -> None:
        self._name, self._weights = name, weights
        self._loaded: VectorDescriber | None = None

    def __call__(self) -> VectorDescriber:
        missing = "" if self._weights else what_is_missing(family(self._name))
        if missing:
            raise RetroflexError(missing)
        self._loaded = self._loaded or VectorDescriber(build_further(self._name, self._weights))
        return self._loaded


def _encode(describer: StagedDescriber, pictures: np.ndarray) -> object:
    return describer.encode(pictures)


def _describe(describer: StagedDescriber, pictures: np.ndarray) -> object:
    return describer.describe(pictures)
