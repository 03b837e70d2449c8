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
        for name, shape in config.shapes().items():
            if name not in weights or weights[name].shape != shape:
                found = weights[name].shape if name in weights else "nothing"
                raise ValueError(f"decoder weight {name} should have shape {shape}, found {found}")
        self.config = config
        self._w = {name: np.ascontiguousarray(weights[name], np.float32) for name in config.shapes()}
        embeddings = self._w["embedding/embeddings"]
        # The input's share of the gates is the same for a word wherever it stands: one table look-up a step.
        self._word_gates = embeddings @ self._w["lstm/kernel"] + self._w["lstm/bias"]
        self._to_words = np.ascontiguousarray(embeddings.T)

    def look(self, grids: np.ndarray) -> tuple[Views, State]:
        """Prepare pictures: grids (n, cells, channels), float, to what every step needs and the first state."""
        w = self._w
        normed = _layer_norm(grids, w["grid_norm/gamma"], w["grid_norm/beta"])
        cells = _relu(normed @ w["visual/kernel"] + w["visual/bias"])
        mean = cells.mean(axis=1)
        hidden, cell = np.split(np.tanh(mean @ w["initial/kernel"] + w["initial/bias"]), 2, axis=1)
        drive = (mean @ w["glance/kernel"]) @ w["lstm/kernel"]
        return Views(cells, drive), State(hidden, cell)

    def step(self, views: Views, state: State, words: np.ndarray) -> tuple[np.ndarray, State]:
        """Feed one word to each hypothesis.

        `words` is int (n * h,), the h hypotheses of a picture in a row; `state` has as many rows. Returns
        log-probabilities of the next word (n * h, vocabulary) and the new state.
        """
        w, pictures = self._w, len(views.cells)
        gates = state.hidden @ w["lstm/recurrent_kernel"]
        gates += self._word_gates[words]
        gates += np.repeat(views.drive, len(words) // pictures, axis=0)
        state = _lstm(gates, state.cell)
        attended = self._attend(views, state.hidden)
        kernel, units = w["output/kernel"], self.config.units
        output = np.tanh(state.hidden @ kernel[:units] + attended @ kernel[units:] + w["output/bias"])
        return _log_softmax(output @ self._to_words + w["word_bias/bias"]), state

    def _attend(self, views: Views, hidden: np.ndarray) -> np.ndarray:
        """Dot-product attention; a cell's key is the cell itself, as a linear key would only change the query."""
        w, (pictures, _, size) = self._w, views.cells.shape
        sentinel = np.tanh(hidden @ w["sentinel/kernel"] + w["sentinel/bias"])
        query = hidden @ w["query/kernel"] * size**-0.5
        on_sentinel = np.sum(query * sentinel, axis=1, keepdims=True)
        on_cells = (query.reshape(pictures, -1, size) @ views.cells.swapaxes(1, 2)).reshape(len(hidden), -1)
        share = np.exp(_log_softmax(np.concatenate([on_cells, on_sentinel], axis=1)))
        seen = share[:, :-1].reshape(pictures, -1, on_cells.shape[1]) @ views.cells
        return seen.reshape(len(hidden), -1) + share[:, -1:] * sentinel


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0, out=x)


def _layer_norm(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray, epsilon: float = 1e-3) -> np.ndarray:
    x = x.astype(np.float32)
    x -= x.mean(axis=-1, keepdims=True)
    x /= np.sqrt(np.mean(np.square(x), axis=-1, keepdims=True) + epsilon)
    return x * gamma + beta


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (np.tanh(0.5 * x) + 1)


def _lstm(gates: np.ndarray, cell: np.ndarray) -> State:
    """Keras' gate order: input, forget, candidate, output."""
    enter, forget, candidate, leave = np.split(gates, 4, axis=1)
    cell = _sigmoid(forget) * cell + _sigmoid(enter) * np.tanh(candidate)
    return State(_sigmoid(leave) * np.tanh(cell), cell)


def _log_softmax(x: np.ndarray) -> np.ndarray:
    x = x - x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))
