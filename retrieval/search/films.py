"""A film as query: each of its frames is compared as a picture is, and films are rated by their best frames.

How near a film is to the query is the mean, over the frames of the one, of the relevance of the best frame of the
other. It is taken both ways, and the higher one counts most: a part of a film finds the whole, and a film finds a
picture that it shows, both after what is the same from one end to the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from retrieval.index.frames import FrameMap
from retrieval.search.pipeline import Candidates, Clause, Pipeline
from retrieval.vectors.pieces import distinct

FILM = "film"
"""The score: the relevance of the whole film or picture."""

LESSER = 0.25
"""How much the lower of both ways counts."""


class FramePlan(Protocol):
    """A frame of the query as a clause, with the pipeline that answers it."""

    @property
    def clause(self) -> Clause: ...

    @property
    def pipeline(self) -> Pipeline: ...

    def score(self, ids: np.ndarray, retrieved: Candidates | None) -> Candidates: ...


@dataclass(eq=False)
class FilmStages:
    """Retriever, scorer and fusion of a film with the frames `plans`; `allowed` are ids (rising), None for all."""

    plans: Sequence[FramePlan]
    frames: FrameMap
    allowed: np.ndarray | None

    def __post_init__(self) -> None:
        self._retrieved: list[Candidates] = []
        self.cosine = self.plans[0].pipeline.tie_break

    def retrieve(self, clause: Clause, candidates: Candidates) -> Candidates:
        """Find what the frames find, and all other frames of the films among these."""
        self._retrieved = [plan.pipeline.retrieve(plan.clause) for plan in self.plans]
        ids = distinct([found.ids for found in self._retrieved])
        whole = self.frames.frames_of(self.frames.pictures_of(ids)) if self.frames else ids
        if self.allowed is not None:
            whole = np.intersect1d(whole, self.allowed, assume_unique=True)
        return candidates.with_ids(distinct([ids, whole]))

    def score(self, clause: Clause, candidates: Candidates) -> Candidates:
        """Give each item the score FILM of its film, or its own, and its cosine to the frame nearest to it."""
        ids = candidates.ids
        if not len(ids):
            return candidates.with_scores(FILM, np.zeros(0)).with_scores(self.cosine, np.zeros(0))
        retrieved: list[Candidates] = self._retrieved or [Candidates()] * len(self.plans)
        scored = [plan.score(ids, found) for plan, found in zip(self.plans, retrieved, strict=True)]
        pairs = list(zip(self.plans, scored, strict=True))
        relevances = np.array([plan.pipeline.fusion(plan.clause, own) for plan, own in pairs])
        cosines = np.array([own.scores[self.cosine] for _, own in pairs])
        whole = best_frames(relevances, self.frames.pictures_of(ids))
        return candidates.with_scores(FILM, whole).with_scores(self.cosine, cosines.max(axis=0))

    def fusion(self, clause: Clause, candidates: Candidates) -> np.ndarray:
        """Return the score FILM."""
        return candidates.scores[FILM]


def best_frames(relevances: np.ndarray, owners: np.ndarray) -> np.ndarray:
    """Return how near the owner of each of n items is to a film, float64 (n,).

    `relevances` (m, n) has those of the items to the film's m frames, `owners` (n,) the film that each item belongs to.
    """
    order = np.argsort(owners, kind="stable")
    firsts = np.flatnonzero(np.diff(owners[order], prepend=-1))
    sizes = np.diff(np.append(firsts, len(order)))
    forward = np.maximum.reduceat(relevances[:, order], firsts, axis=1).mean(axis=0)
    backward = np.add.reduceat(relevances.max(axis=0)[order], firsts) / sizes
    nearness = np.zeros(len(order))
    whole = (1 - LESSER) * np.maximum(forward, backward) + LESSER * np.minimum(forward, backward)
    nearness[order] = np.repeat(whole, sizes)
    return nearness
