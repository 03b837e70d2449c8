"""Batched beam search with N-best, and the log-probability of a given sentence."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from captioner.decoder import Active, State, Steps
from captioner.vocabulary import END, PAD, START, UNKNOWN

IMPOSSIBLE = -np.inf


class Hypotheses(NamedTuple):
    """Per picture h sentences, best first: words int (n, h, steps) ending in END, logprob (n, h)."""

    words: np.ndarray
    logprob: np.ndarray


def beam_search(
    decoder: Steps,
    prepared: Any,
    state: State,
    width: int,
    length_power: float,
    groups: int = 1,
    diversity: float = 0.0,
) -> Hypotheses:
    """Find the `width` likeliest sentences of each picture, in each of `groups` beams that avoid each other.

    `prepared` and `state` are what `Decoder.prepare` returns for the pictures. A finished sentence stays in its beam
    and competes by its log-probability with the others. A picture is done when all of its sentences are finished, or
    reach `max_words`. The result is ordered by logprob / (words + END) ** length_power. UNKNOWN, START and PAD are
    never emitted.

    Later beams pay `diversity` for every hypothesis of an earlier beam that has the same word at the same step
    (diverse beam search, Vijayakumar et al. 2018, with Hamming distance). The first is a plain beam search.
    Log-probabilities do not include the penalty.
    """
    pictures, steps, height = len(prepared.cells), decoder.config.max_words + 1, width * groups
    words = np.full((pictures, height, steps), PAD, np.int32)
    # All hypotheses of a beam start equal, so only the first may grow.
    logprob = np.full((pictures, height), IMPOSSIBLE, np.float64)
    logprob[:, ::width] = 0
    last = np.full((pictures, height), START, np.int32)
    rows = np.repeat(np.arange(pictures), height)
    for step in range(steps):
        slots = np.flatnonzero(~_finished(last) & (logprob > IMPOSSIBLE))
        if not len(slots):
            break
        # Finished sentences take no step, so short captions do not wait for long ones.
        needed, parents = np.unique(rows[slots], return_inverse=True)
        state = State(state.hidden[needed], state.cell[needed])
        scores, state = decoder.step(prepared, state, last.ravel()[slots], Active(parents, slots, height))
        _forbid(scores, final=step == steps - 1)
        parent, last, logprob = _grow_all(scores, slots, last, logprob, width, diversity)
        words = np.take_along_axis(words, parent[:, :, None], axis=1)
        words[:, :, step] = last
        rows = np.zeros(last.size, np.int64)
        rows[slots] = np.arange(len(slots))
        rows = rows[(parent + np.arange(pictures)[:, None] * height).ravel()]
    return best_first(words, logprob, length_power)


def _finished(last: np.ndarray) -> np.ndarray:
    return (last == END) | (last == PAD)


def _forbid(scores: np.ndarray, final: bool) -> None:
    """Exclude the marks from `scores` (hypotheses, vocabulary), and in the final step all but END."""
    scores[:, (PAD, START, UNKNOWN)] = IMPOSSIBLE
    if final:
        scores[:, END + 1 :] = IMPOSSIBLE


def _grow_all(
    scores: np.ndarray, slots: np.ndarray, last: np.ndarray, logprob: np.ndarray, width: int, diversity: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run `_grow` beam by beam; each is penalised for the choices of the earlier ones.

    `scores` (m, vocabulary) belong to the hypotheses in `slots` (m,), see `Active`. `last`, `logprob` and all results
    are (pictures, height).
    """
    pictures, height = logprob.shape
    taken = np.zeros((pictures, scores.shape[1]), scores.dtype)
    grown = []
    for first in range(0, height, width):
        beam = slice(first, first + width)
        in_beam = slots % height // width == first // width
        of_beam, beam_slots = (scores, slots) if height == width else (scores[in_beam], slots[in_beam])
        penalty = diversity * taken if first else None
        hypotheses = beam_slots // height, beam_slots % height - first
        parent, word, gained = _grow(of_beam, hypotheses, last[:, beam], logprob[:, beam], penalty)
        np.add.at(taken, (np.arange(pictures)[:, None], word), word != PAD)
        grown.append((parent + first, word, gained))
    parents, words, gains = (np.concatenate(parts, axis=1) for parts in zip(*grown, strict=True))
    return parents, words, gains


def _grow(
    scores: np.ndarray,
    hypotheses: tuple[np.ndarray, np.ndarray],
    last: np.ndarray,
    logprob: np.ndarray,
    penalty: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Choose the best continuations: parent, word and log-probability, each (n, width); ties by lowest index.

    `scores` (m, vocabulary) are log-probabilities of the next word for the `hypotheses` (picture, slot), each
    (m,); `last` and `logprob` (n, width) are those of all. `penalty` (n, vocabulary) affects only the choice.
    """
    pictures, width = last.shape
    # A continuation outside a hypothesis' own best `width` cannot be among the picture's best `width`.
    best, gained = _top(scores if penalty is None else scores - penalty[hypotheses[0]], width)
    words = np.full((pictures, width, best.shape[1]), PAD, np.int32)
    gains = np.full(words.shape, IMPOSSIBLE)
    words[hypotheses], gains[hypotheses] = best, gained
    gains[_finished(last), 0] = 0  # a finished sentence does not change
    totals = (logprob[:, :, None] + gains).reshape(pictures, -1)
    chosen = np.argsort(-totals, axis=1, kind="stable")[:, :width]
    word = np.take_along_axis(words.reshape(pictures, -1), chosen, axis=1)
    total = np.take_along_axis(totals, chosen, axis=1)
    if penalty is not None:
        total = total + np.take_along_axis(penalty, word, axis=1)
    return chosen // best.shape[1], word, total


def _top(scores: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and values of the `count` largest of each row, largest first, ties by lowest column; overwrites `scores`.

    A few passes of argmax are faster than a partition of the whole row.
    """
    count = min(count, scores.shape[1])
    columns = np.empty((len(scores), count), np.int64)
    values = np.empty((len(scores), count), np.float64)
    rows = np.arange(len(scores))
    for rank in range(count):
        columns[:, rank] = scores.argmax(axis=1)
        values[:, rank] = scores[rows, columns[:, rank]]
        scores[rows, columns[:, rank]] = IMPOSSIBLE
    return columns, values


def best_first(
    words: np.ndarray, logprob: np.ndarray, length_power: float, bonus: np.ndarray | float = 0.0
) -> Hypotheses:
    """Order each picture's sentences by logprob / (words + END) ** length_power + bonus, all (n, h) but the words."""
    lengths = np.maximum((words != PAD).sum(axis=2), 1)
    order = np.argsort(-(logprob / lengths**length_power + bonus), axis=1, kind="stable")
    return Hypotheses(np.take_along_axis(words, order[:, :, None], axis=1), np.take_along_axis(logprob, order, axis=1))


def sentence_logprob(decoder: Steps, grids: np.ndarray, words: list[int]) -> np.ndarray:
    """Return log P(words, END | picture), natural logarithm, for grids (n, cells, channels): float64 (n,)."""
    prepared, state = decoder.prepare(grids)
    return _follow(decoder, prepared, state, words)


def _follow(decoder: Steps, prepared: Any, state: State, words: list[int]) -> np.ndarray:
    total = np.zeros(len(prepared.cells), np.float64)
    for word, expected in zip([START, *words], [*words, END], strict=True):
        scores, state = decoder.step(prepared, state, np.full(len(total), word, np.int32))
        total += scores[:, expected]
    return total
