"""A learned metric: a linear projection of other vectors, in which like lies near like.

It is a kind of vectors of its own, made of stored ones, so no picture is decoded for it. A folder holds each:
metric.json says of which kinds and model versions it is, metric.safetensors has the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from captioner.arithmetic import unit
from captioner.encoders.base import Features
from captioner.encoders.registry import NAME
from captioner.learned import VERSION, Damaged, load_learned, save_learned, version_of
from captioner.types import Description, StagedDescriber
from data.errors import RetroflexError

FOLDER = "metrics"
"""The folder of a library that has its metrics, by name."""
FILES = "metric"


@dataclass(frozen=True, eq=False)
class Metric:
    """`projection` float32 (d, k) of vectors less `centre` (d,); these are those of `kind`, by `source_version`.

    `made_by` says how it was trained.
    """

    name: str
    kind: str
    source_version: str
    centre: np.ndarray
    projection: np.ndarray
    made_by: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model_version(self) -> str:
        """The name of its numbers and of what they belong to."""
        return version_of(self.name, self.kind, self.source_version, self.centre, self.projection)

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """Return the L2-normalised projections, float32 (n, k), of vectors (n, d) of any length."""
        return np.asarray(unit((unit(vectors) - self.centre) @ self.projection), np.float32)


def check_name(name: str, taken: Sequence[str]) -> str:
    """Return the name. Raise RetroflexError if it cannot be the kind of vectors, or another kind is called so."""
    if not NAME.fullmatch(name):
        raise RetroflexError(f"a metric cannot be called {name[:40]!r}; use small letters, digits and underscores")
    if name in taken:
        raise RetroflexError(f"{name} is another kind of vectors; give the metric a name of its own")
    return name


def save_metric(metric: Metric, library: Path) -> Path:
    """Write a metric to the library's folder, replacing one of the same name; return its folder. Raise OSError."""
    folder = library / FOLDER / metric.name
    document = {
        VERSION: metric.model_version,
        "kind": metric.kind,
        "source_version": metric.source_version,
        "made_by": dict(metric.made_by),
    }
    save_learned(folder, FILES, {"centre": metric.centre, "projection": metric.projection}, document)
    return folder


def metric_names(library: Path) -> list[str]:
    """Return the names of a library's metrics, sorted."""
    return sorted(path.parent.name for path in (library / FOLDER).glob(f"*/{FILES}.json"))


def load_metric(library: Path, name: str) -> Metric:
    """Read a metric of a library. Raise RetroflexError, one line, for one that is damaged."""
    try:
        tensors, document = load_learned(library / FOLDER / name, FILES)
        own = str(document["kind"]), str(document["source_version"]), tensors["centre"], tensors["projection"]
        metric = Metric(name, *own, made_by=document["made_by"])
    except (Damaged, KeyError) as error:
        raise RetroflexError(f"the metric {name} is damaged ({error}); train it again") from error
    if document.get(VERSION) != metric.model_version:
        raise RetroflexError(f"the metric {name} is damaged: its numbers are others; train it again")
    return metric


class MetricDescriber:
    """Describes pictures by a metric: those that are in no store, by the describer of its own kind."""

    def __init__(self, metric: Metric, source: StagedDescriber) -> None:
        """Raise RetroflexError if `source` is not the model that made the vectors it was trained on."""
        if source.model_version != metric.source_version:
            raise RetroflexError(
                f"the metric {metric.name} is of {metric.kind} vectors by {metric.source_version}, "
                f"and this is {source.model_version}; train it again"
            )
        self._metric, self._source, self.kind = metric, source, metric.name
        self.model_version, self.input_side = metric.model_version, source.input_side

    def encode(self, pictures: np.ndarray) -> Features:
        return self._source.encode(pictures)

    def caption(self, features: Features) -> list[Description]:
        return [self._project(one) for one in self._source.caption(features)]

    def describe(self, pictures: np.ndarray) -> list[Description]:
        return self.caption(self.encode(pictures))

    def _project(self, description: Description) -> Description:
        vector = self._metric.project(description.vectors[self._metric.kind][None])[0]
        return Description([], {self._metric.name: vector}, captioned=False)
