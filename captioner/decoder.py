"""The LSTM decoder with attention, for inference, in NumPy.

The network (trained by `training.decoder.model`, whose Keras layers bear the same names) reads a grid of
convolution features. An LSTM runs over the sentence; at every step its output attends to the grid cells
and to one slot of its own, the sentinel, for words that no cell explains (after Lu et al. 2017, "Knowing
When to Look"). Attended features and output together give the next word through tied embeddings.

NumPy needs no start-up and no tracing, so captioning runs beside the encoder, and scoring a sentence against stored
cells needs no deep-learning framework. Most of the time goes into matrix products. All but the last may use another
arithmetic (`captioner.arithmetic`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from captioner.arithmetic import Arithmetic, Exact, advance, centred, gate_factors, inverse_deviation


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of the decoder; `grid_channels` are the encoder's, `max_words` bounds a caption without its marks.

    Without `sentinel` it attends to cells alone. Unless `tied`, the output has its own word weights. Both options are
    there to measure what the defaults gain.
    """

    vocabulary: int
    grid_channels: int
    embedding: int = 300
    units: int = 512
    attention: int = 384
    max_words: int = 18
    sentinel: bool = True
    tied: bool = True

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The name and shape of every weight."""
        e, u, a, c = self.embedding, self.units, self.attention, self.grid_channels
        shapes: dict[str, tuple[int, ...]] = {
            "grid_norm/gamma": (c,),
            "grid_norm/beta": (c,),
            "visual/kernel": (c, a),
            "visual/bias": (a,),
            "initial/kernel": (a, 2 * u),
            "initial/bias": (2 * u,),
            "glance/kernel": (a, e),
            "embedding/embeddings": (self.vocabulary, e),
            "lstm/kernel": (e, 4 * u),
            "lstm/recurrent_kernel": (u, 4 * u),
            "lstm/bias": (4 * u,),
            "query/kernel": (u, a),
            "output/kernel": (u + a, e),
            "output/bias": (e,),
            "word_bias/bias": (self.vocabulary,),
        }
        if self.sentinel:
            shapes |= {"sentinel/kernel": (u, a), "sentinel/bias": (a,)}
        return shapes if self.tied else shapes | {"words/kernel": (e, self.vocabulary)}


class PictureCells(NamedTuple):
    """n prepared pictures with k cells: cells (n, k, attention), their share of the gates `drive` (n, 4 units).

    `keys` are the cells in the form that the decoder's arithmetic multiplies by.
    """

    cells: np.ndarray
    drive: np.ndarray
    keys: Any


class State(NamedTuple):
    """LSTM state of n hypotheses: hidden and cell, each (n, units)."""

    hidden: np.ndarray
    cell: np.ndarray


class Active(NamedTuple):
    """The hypotheses that take a step, of `height` slots for each picture.

    `parents` int (m,): the rows of the state that they continue; `slots` int (m,): picture * height + beam.
    """

    parents: np.ndarray
    slots: np.ndarray
    height: int


class Steps(Protocol):
    """One decoder or several (`Ensemble`), step by step. Prepared pictures have `cells` (n, k, attention)."""

    config: DecoderConfig

    def prepare(self, grids: np.ndarray) -> tuple[Any, State]:
        """See `Decoder.prepare`."""

    def step(
        self, prepared: Any, state: State, words: np.ndarray, active: Active | None = None
    ) -> tuple[np.ndarray, State]:
        """See `Decoder.step`."""


class Decoder:
    """Runs the decoder step by step over many hypotheses at once."""

    def __init__(
        self, config: DecoderConfig, weights: Mapping[str, np.ndarray], arithmetic: Arithmetic | None = None
    ) -> None:
        """`weights` are named as in `DecoderConfig.shapes`; products are exact by default. Raises ValueError."""
        w = {name: np.ascontiguousarray(weights[name], np.float32) for name in config.shapes() if name in weights}
        for name, shape in config.shapes().items():
            actual = w[name].shape if name in w else "nothing"
            if actual != shape:
                raise ValueError(f"decoder weight {name} should have shape {shape}, found {actual}")
        self.config = config
        self._arithmetic = arithmetic or Exact()
        prepare = self._arithmetic.prepare
        self._initial, self._initial_bias = prepare(w["initial/kernel"]), w["initial/bias"]
        # The grid's mean, gain and offset become part of the next product.
        self._visual = prepare(centred(w["grid_norm/gamma"][:, None] * w["visual/kernel"]))
        self._visual_bias = w["grid_norm/beta"] @ w["visual/kernel"] + w["visual/bias"]
        half = gate_factors(config.units)
        kernel = w["lstm/kernel"] * half
        self._recurrent, self._drive = prepare(w["lstm/recurrent_kernel"] * half), prepare(w["glance/kernel"] @ kernel)
        self._word_gates = _WordGates(w["embedding/embeddings"], kernel, w["lstm/bias"] * half)
        on_hidden, on_attended = np.split(w["output/kernel"], [config.units])
        # Everything that depends on the new hidden state alone is one product: query, part of the output, and sentinel.
        parts = [(w["query/kernel"] * config.attention**-0.5, 0 * w["visual/bias"]), (on_hidden, w["output/bias"])]
        if config.sentinel:
            parts.append((w["sentinel/kernel"], w["sentinel/bias"]))
        from_hidden, self._from_hidden_bias = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
        self._from_hidden, self._from_attended = prepare(from_hidden), prepare(on_attended)
        words = w["embedding/embeddings"].T if config.tied else w["words/kernel"]
        self._to_words, self._word_bias = np.ascontiguousarray(words), w["word_bias/bias"]

    def prepare(self, grids: np.ndarray) -> tuple[PictureCells, State]:
        """Return what every step needs of grids (n, cells, channels), float, and the first state."""
        matmul = self._arithmetic.matmul
        flat = np.ascontiguousarray(grids, np.float32).reshape(-1, grids.shape[2])
        products = matmul(flat, self._visual)
        products *= inverse_deviation(flat)
        products += self._visual_bias
        cells = np.maximum(products, 0, out=products).reshape(*grids.shape[:2], -1)
        mean = cells.mean(axis=1)
        hidden, cell = np.split(np.tanh(matmul(mean, self._initial) + self._initial_bias), 2, axis=1)
        return PictureCells(cells, matmul(mean, self._drive), self._arithmetic.prepare(cells)), State(hidden, cell)

    def step(
        self, prepared: PictureCells, state: State, words: np.ndarray, active: Active | None = None
    ) -> tuple[np.ndarray, State]:
        """Feed one word to each hypothesis.

        `words` is int (m,). Without `active` each picture has equally many hypotheses, one after the other, and
        `state` has as many rows. Return log-probabilities of the next word (m, vocabulary) and the new state.
        """
        active, sizes = active or _all_active(len(words), len(prepared.cells)), self.config
        matmul = self._arithmetic.matmul
        # Hypotheses with a parent in common share its product.
        gates = matmul(state.hidden, self._recurrent)[active.parents]
        gates += self._word_gates.of(words)
        gates += prepared.drive[active.slots // active.height]
        by_gate = np.tanh(gates, out=gates).reshape(len(gates), 4, -1).swapaxes(0, 1)
        state = State(*advance(by_gate, state.cell[active.parents]))
        from_hidden = matmul(state.hidden, self._from_hidden)
        from_hidden += self._from_hidden_bias
        query, output, sentinel = np.split(from_hidden, np.cumsum([sizes.attention, sizes.embedding]), axis=1)
        attended = self._attend(prepared, query, np.tanh(sentinel) if sizes.sentinel else None, active)
        output = matmul(attended, self._from_attended) + output
        # The product that decides between words is always exact: bfloat16 would round a logit of 10 by up to 0.03.
        logits = np.tanh(output, out=output) @ self._to_words
        logits += self._word_bias
        return _log_softmax(logits), state

    def _attend(
        self, prepared: PictureCells, query: np.ndarray, sentinel: np.ndarray | None, active: Active
    ) -> np.ndarray:
        """Dot-product attention; a cell's key is the cell itself, as a linear key would only change the query."""
        pictures = len(prepared.cells)
        on_cells = self._arithmetic.matmul(_spread(query, active, pictures), prepared.keys, transposed=True)
        scores = _gather(on_cells, active)
        if sentinel is not None:
            on_sentinel = np.sum(query * sentinel, axis=1, keepdims=True)
            scores = np.concatenate([scores, on_sentinel], axis=1)
        share = np.exp(_log_softmax(scores))
        on_cells = _spread(share[:, : on_cells.shape[2]], active, pictures)
        attended = _gather(self._arithmetic.matmul(on_cells, prepared.keys), active)
        if sentinel is not None:
            attended += share[:, -1:] * sentinel
        return attended


class _WordGates:
    """Each word's share of the gates, a table whose rows are made when a word is first fed.

    Captions use a few hundred words. The system gives memory only to pages that are written, so the others' rows take
    none. A row is a product of its own, so it does not depend on the words that it is made with.
    """

    def __init__(self, embeddings: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> None:
        """The table is embeddings (words, e) @ kernel (e, gates) + bias (gates,)."""
        self._embeddings, self._kernel, self._bias = embeddings, kernel, bias
        self._rows = np.empty((len(embeddings), kernel.shape[1]), np.float32)
        self._made = np.zeros(len(embeddings), bool)

    def of(self, words: np.ndarray) -> np.ndarray:
        """Return the rows of words int (m,): float32 (m, gates). Several threads may call this at once."""
        for word in dict.fromkeys(words[~self._made[words]].tolist()):
            self._rows[word] = self._embeddings[word] @ self._kernel + self._bias
            self._made[word] = True
        return np.asarray(self._rows[words])


def _all_active(hypotheses: int, pictures: int) -> Active:
    return Active(np.arange(hypotheses), np.arange(hypotheses), hypotheses // pictures)


def _spread(rows: np.ndarray, active: Active, pictures: int) -> np.ndarray:
    """Return the hypotheses' rows (m, a) by picture: (pictures, height, a), zeros in empty slots."""
    spread = np.zeros((pictures * active.height, rows.shape[1]), np.float32)
    spread[active.slots] = rows
    return spread.reshape(pictures, active.height, -1)


def _gather(by_picture: np.ndarray, active: Active) -> np.ndarray:
    """Undo `_spread`."""
    return np.asarray(by_picture.reshape(-1, by_picture.shape[2])[active.slots])


def _log_softmax(x: np.ndarray) -> np.ndarray:
    """Return the log-softmax along the last axis, in place."""
    x -= x.max(axis=-1, keepdims=True)
    x -= np.log(np.exp(x).sum(axis=-1, keepdims=True))
    return x


class EnsembleCells(NamedTuple):
    """The pictures as each member prepares them; `cells` are those of the first."""

    cells: np.ndarray
    members: list[PictureCells]


class Ensemble:
    """Decoders of one configuration and vocabulary, run together step by step.

    Log-probabilities are the mean of theirs: the geometric mean without its normaliser. States are joined to one of
    (hypotheses, members * units).
    """

    def __init__(self, members: Sequence[Decoder]) -> None:
        self.config = members[0].config
        self._members = members

    def prepare(self, grids: np.ndarray) -> tuple[EnsembleCells, State]:
        """See `Decoder.prepare`."""
        prepared, states = zip(*(member.prepare(grids) for member in self._members), strict=True)
        return EnsembleCells(prepared[0].cells, list(prepared)), _joined(states)

    def step(
        self, prepared: EnsembleCells, state: State, words: np.ndarray, active: Active | None = None
    ) -> tuple[np.ndarray, State]:
        """See `Decoder.step`."""
        count = len(self._members)
        parts = zip(np.split(state.hidden, count, axis=1), np.split(state.cell, count, axis=1), strict=True)
        total, states = None, []
        for member, own, part in zip(self._members, prepared.members, parts, strict=True):
            scores, after = member.step(own, State(*(np.ascontiguousarray(array) for array in part)), words, active)
            total = scores if total is None else np.add(total, scores, out=total)
            states.append(after)
        assert total is not None
        total /= np.float32(count)
        return total, _joined(states)


def _joined(states: Sequence[State]) -> State:
    return State(*(np.concatenate(parts, axis=1) for parts in zip(*states, strict=True)))
