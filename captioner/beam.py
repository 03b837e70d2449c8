"""Batched beam search with N-best, and the log-probability of a given sentence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from captioner.decoder import Decoder, State, Views
from captioner.vocabulary import END, PAD, START, UNKNOWN

NEVER = -np.inf


class Hypotheses(NamedTuple):
    """Per picture `width` sentences, best first: words int (n, width, steps) ending in END, logprob (n, width)."""

    words: np.ndarray
    logprob: np.ndarray


def beam_search(decoder: Decoder, grids: np.ndarray, width: int, length_power: float) -> Hypotheses:
    """Find the `width` likeliest sentences of each picture.

    grids: (n, cells, channels). A finished sentence stays in the beam and competes by its log-probability
    with those still growing; a picture is done when all of its are finished, and cut at `max_words`. The
    result is ordered by logprob / (words + END) ** length_power. UNKNOWN, START and PAD are never emitted.
    """
    pictures, steps = len(grids), decoder.config.max_words + 1
    views, state = decoder.look(grids)
    state = State(*(np.repeat(part, width, axis=0) for part in state))
    words = np.full((pictures, width, steps), PAD, np.int32)
    # All hypotheses start equal; only the first may grow, or the beam would hold `width` copies of it.
    logprob = np.full((pictures, width), NEVER, np.float64)
    logprob[:, 0] = 0
    growing = np.arange(pictures)
    last = np.full((pictures, width), START, np.int32)
    for step in range(steps):
        scores, state = decoder.step(views, state, last.ravel())
        parent, last, gained = _grow(scores, last.ravel(), logprob[growing], final=step == steps - 1)
        words[growing] = np.take_along_axis(words[growing], parent[:, :, None], axis=1)
        words[growing, :, step], logprob[growing] = last, gained
        going = ~np.isin(last, (END, PAD)).all(axis=1)
        if not going.any():
            break
        rows = (parent + np.arange(len(growing))[:, None] * width)[going].ravel()
        state = State(state.hidden[rows], state.cell[rows])
        if not going.all():
            # Pictures that are done leave the batch, so that short captions do not wait for long ones.
            views, growing, last = Views(*(part[going] for part in views)), growing[going], last[going]
    return _best_first(words, logprob, length_power)


def _grow(
    scores: np.ndarray, last: np.ndarray, logprob: np.ndarray, final: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose the best continuations: parent, word and log-probability, each (n, width); ties by lowest index."""
    pictures, width = logprob.shape
    scores[:, (PAD, START, UNKNOWN)] = NEVER
    if final:
        scores[:, END + 1 :] = NEVER
    finished = np.isin(last, (END, PAD))
    scores[finished] = NEVER
    scores[finished, PAD] = 0
    # A continuation outside a hypothesis' own best `width` cannot be among the picture's best `width`.
    words, gains = _top(scores, width)
    totals = (logprob[:, :, None] + gains.reshape(pictures, width, -1)).reshape(pictures, -1)
    chosen = np.argsort(-totals, axis=1, kind="stable")[:, :width]
    word = np.take_along_axis(words.reshape(pictures, -1), chosen, axis=1)
    return chosen // words.shape[1], word.astype(np.int32), np.take_along_axis(totals, chosen, axis=1)


def _top(scores: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and values of the `count` largest of each row, largest first, ties by lowest column; spoils `scores`.

    A few passes of argmax are quicker than a partition of the whole row.
    """
    count = min(count, scores.shape[1])
    columns = np.empty((len(scores), count), np.int64)
    values = np.empty((len(scores), count), np.float64)
    rows = np.arange(len(scores))
    for place in range(count):
        columns[:, place] = scores.argmax(axis=1)
        values[:, place] = scores[rows, columns[:, place]]
        scores[rows, columns[:, place]] = NEVER
    return columns, values


def _best_first(words: np.ndarray, logprob: np.ndarray, length_power: float) -> Hypotheses:
    lengths = np.maximum((words != PAD).sum(axis=2), 1)
    order = np.argsort(-logprob / lengths**length_power, axis=1, kind="stable")
    return Hypotheses(np.take_along_axis(words, order[:, :, None], axis=1), np.take_along_axis(logprob, order, axis=1))


def sentence_logprob(decoder: Decoder, grids: np.ndarray, words: list[int]) -> np.ndarray:
    """log P(words, END | picture), natural logarithm, for each of the grids (n, cells, channels): float64 (n,)."""
    views, state = decoder.look(grids)
    return _follow(decoder, views, state, words)


def _follow(decoder: Decoder, views: Views, state: State, words: list[int]) -> np.ndarray:
    total = np.zeros(len(views.cells), np.float64)
    for fed, expected in zip([START, *words], [*words, END], strict=True):
        scores, state = decoder.step(views, state, np.full(len(total), fed, np.int32))
        total += scores[:, expected]
    return total
