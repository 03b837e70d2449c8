"""Several decoders that caption together: the next word is the one that they find likely on average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from captioner.decoder import Alive, Decoder, State, Views


class TogetherViews(NamedTuple):
    """What each member keeps of the pictures; `cells` are those of the first."""

    cells: np.ndarray
    members: list[Views]


class Ensemble:
    """Decoders of one configuration and vocabulary, step by step side by side.

    Log-probabilities are the mean of theirs, which is that of the geometric mean but for its normaliser. Their states
    stand side by side in one (hypotheses, members * units).
    """

    def __init__(self, members: Sequence[Decoder]) -> None:
        self.config = members[0].config
        self._members = members

    def look(self, grids: np.ndarray) -> tuple[TogetherViews, State]:
        """As `Decoder.look`."""
        views, states = zip(*(one.look(grids) for one in self._members), strict=True)
        return TogetherViews(views[0].cells, list(views)), _joined(states)

    def step(
        self, views: TogetherViews, state: State, words: np.ndarray, alive: Alive | None = None
    ) -> tuple[np.ndarray, State]:
        """As `Decoder.step`."""
        count = len(self._members)
        parts = zip(np.split(state.hidden, count, axis=1), np.split(state.cell, count, axis=1), strict=True)
        total, states = None, []
        for member, own, part in zip(self._members, views.members, parts, strict=True):
            scores, after = member.step(own, State(*(np.ascontiguousarray(one) for one in part)), words, alive)
            total = scores if total is None else np.add(total, scores, out=total)
            states.append(after)
        assert total is not None
        total /= np.float32(count)
        return total, _joined(states)


def _joined(states: Sequence[State]) -> State:
    return State(*(np.concatenate(parts, axis=1) for parts in zip(*states, strict=True)))
