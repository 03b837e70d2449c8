"""The LSTM decoder with attention, for inference, in NumPy.

The network (trained by `training.decoder_model`, whose Keras layers bear the same names) reads a grid of
convolution features. An LSTM runs over the sentence; at every step its output attends to the grid cells
and to one slot of its own, the sentinel, for words that no cell explains (after Lu et al. 2017, "Knowing
When to Look"). Attended features and output together give the next word through tied embeddings.

NumPy needs no start-up and no tracing, so captioning hides behind the encoder and scoring a sentence
against stored grids can run where no deep-learning framework is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from captioner.normalise import normed_product


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of the decoder; `grid_channels` are the encoder's, `max_words` bounds a caption without its marks."""

    vocabulary: int
    grid_channels: int = 512
    embedding: int = 300
    units: int = 512
    attention: int = 384
    max_words: int = 18

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The name and shape of every weight."""
        e, u, a, c = self.embedding, self.units, self.attention, self.grid_channels
        return {
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
            "sentinel/kernel": (u, a),
            "sentinel/bias": (a,),
            "output/kernel": (u + a, e),
            "output/bias": (e,),
            "word_bias/bias": (self.vocabulary,),
        }


class Views(NamedTuple):
    """What the decoder keeps of n pictures with k cells: cells (n, k, attention), drive of the gates (n, 4 units)."""

    cells: np.ndarray
    drive: np.ndarray


class State(NamedTuple):
    """LSTM state of n hypotheses: hidden and cell, each (n, units)."""

    hidden: np.ndarray
    cell: np.ndarray


class Decoder:
    """Runs the decoder step by step over many hypotheses at once."""

    def __init__(self, config: DecoderConfig, weights: Mapping[str, np.ndarray]) -> None:
        """`weights` are named as in `DecoderConfig.shapes`. Raises ValueError on a misfit."""
        for name, shape in config.shapes().items():
            if name not in weights or weights[name].shape != shape:
                found = weights[name].shape if name in weights else "nothing"
                raise ValueError(f"decoder weight {name} should have shape {shape}, found {found}")
        self.config = config
        w = {name: np.ascontiguousarray(weights[name], np.float32) for name in config.shapes()}
        self._initial, self._glance = (w["initial/kernel"], w["initial/bias"]), w["glance/kernel"]
        # The grid's gain and offset go into the product that follows.
        self._visual = np.ascontiguousarray(w["grid_norm/gamma"][:, None] * w["visual/kernel"])
        self._visual_bias = w["grid_norm/beta"] @ w["visual/kernel"] + w["visual/bias"]
        # Half of what a sigmoid is asked for is what tanh, which it is made of, has to be asked for.
        halved = np.repeat(np.asarray([0.5, 0.5, 1, 0.5], np.float32), config.units)
        self._kernel, self._recurrent = w["lstm/kernel"] * halved, w["lstm/recurrent_kernel"] * halved
        # The input's share of the gates is the same for a word wherever it stands: one table look-up a step.
        self._word_gates = w["embedding/embeddings"] @ self._kernel + w["lstm/bias"] * halved
        on_hidden, on_attended = np.split(w["output/kernel"], [config.units])
        query = w["query/kernel"] * config.attention**-0.5
        # What depends on the new hidden state alone is one product: sentinel, query, and its part of the output.
        self._from_hidden = np.concatenate([w["sentinel/kernel"], query, on_hidden], axis=1)
        nothing = np.zeros(config.attention, np.float32)
        self._from_hidden_bias = np.concatenate([w["sentinel/bias"], nothing, w["output/bias"]])
        self._from_attended = np.ascontiguousarray(on_attended)
        self._to_words, self._word_bias = np.ascontiguousarray(w["embedding/embeddings"].T), w["word_bias/bias"]

    def look(self, grids: np.ndarray) -> tuple[Views, State]:
        """Prepare pictures: grids (n, cells, channels), float, to what every step needs and the first state."""
        pictures, cells, channels = grids.shape
        flat = np.ascontiguousarray(grids, np.float32).reshape(-1, channels)
        seen = normed_product(flat, self._visual)
        seen += self._visual_bias
        views = np.maximum(seen, 0, out=seen).reshape(pictures, cells, -1)
        mean = views.mean(axis=1)
        kernel, bias = self._initial
        hidden, cell = np.split(np.tanh(mean @ kernel + bias), 2, axis=1)
        return Views(views, (mean @ self._glance) @ self._kernel), State(hidden, cell)

    def step(self, views: Views, state: State, words: np.ndarray) -> tuple[np.ndarray, State]:
        """Feed one word to each hypothesis.

        `words` is int (n * h,), the h hypotheses of a picture in a row; `state` has as many rows. Returns
        log-probabilities of the next word (n * h, vocabulary) and the new state.
        """
        pictures, size = len(views.cells), self.config.attention
        gates = state.hidden @ self._recurrent
        gates += self._word_gates[words]
        by_picture = gates.reshape(pictures, -1, gates.shape[1])
        by_picture += views.drive[:, None]
        state = _lstm(gates, state.cell)
        from_hidden = state.hidden @ self._from_hidden
        from_hidden += self._from_hidden_bias
        sentinel, query, output = np.split(from_hidden, [size, 2 * size], axis=1)
        output = _attend(views, np.tanh(sentinel), query) @ self._from_attended + output
        logits = np.tanh(output, out=output) @ self._to_words
        logits += self._word_bias
        return _log_softmax(logits), state


def _attend(views: Views, sentinel: np.ndarray, query: np.ndarray) -> np.ndarray:
    """Dot-product attention; a cell's key is the cell itself, as a linear key would only change the query."""
    pictures, _, size = views.cells.shape
    on_sentinel = np.sum(query * sentinel, axis=1, keepdims=True)
    on_cells = (query.reshape(pictures, -1, size) @ views.cells.swapaxes(1, 2)).reshape(len(query), -1)
    share = np.exp(_log_softmax(np.concatenate([on_cells, on_sentinel], axis=1)))
    seen = share[:, :-1].reshape(pictures, -1, on_cells.shape[1]) @ views.cells
    return seen.reshape(len(query), -1) + share[:, -1:] * sentinel


def _lstm(gates: np.ndarray, cell: np.ndarray) -> State:
    """Keras' gate order: input, forget, candidate, output; all but the candidate come halved. Spoils `gates`.

    sigmoid(x) = (tanh(x / 2) + 1) / 2, so that one call serves all four.
    """
    enter, forget, candidate, leave = np.split(np.tanh(gates, out=gates), 4, axis=1)
    for one in (enter, forget, leave):
        one += 1
    cell = forget * cell
    enter *= candidate
    cell += enter
    cell *= 0.5
    hidden = np.tanh(cell)
    hidden *= leave
    hidden *= 0.5
    return State(hidden, cell)


def _log_softmax(x: np.ndarray) -> np.ndarray:
    """Along the last axis, in place."""
    x -= x.max(axis=-1, keepdims=True)
    x -= np.log(np.exp(x).sum(axis=-1, keepdims=True))
    return x
