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
    """Sizes of the decoder; `grid_channels` are the encoder's, `max_words` bounds a caption without its marks.

    Without `sentinel` it attends to cells alone; where it is not `tied`, words have weights of their own on the way
    out. Both are there to measure what the usual is worth.
    """

    vocabulary: int
    grid_channels: int = 512
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


class Views(NamedTuple):
    """What the decoder keeps of n pictures with k cells: cells (n, k, attention), drive of the gates (n, 4 units)."""

    cells: np.ndarray
    drive: np.ndarray


class State(NamedTuple):
    """LSTM state of n hypotheses: hidden and cell, each (n, units)."""

    hidden: np.ndarray
    cell: np.ndarray


class Alive(NamedTuple):
    """Which hypotheses take a step, when each picture has room for `height` of them.

    `parents` int (m,): the rows of the state that they go on from; `places` int (m,): picture * height + place.
    """

    parents: np.ndarray
    places: np.ndarray
    height: int


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
        # What depends on the new hidden state alone is one product: query, its part of the output, and sentinel.
        parts = [(w["query/kernel"] * config.attention**-0.5, 0 * w["visual/bias"]), (on_hidden, w["output/bias"])]
        if config.sentinel:
            parts.append((w["sentinel/kernel"], w["sentinel/bias"]))
        self._from_hidden, self._from_hidden_bias = (np.concatenate(one, axis=-1) for one in zip(*parts, strict=True))
        self._from_attended = np.ascontiguousarray(on_attended)
        words = w["embedding/embeddings"].T if config.tied else w["words/kernel"]
        self._to_words, self._word_bias = np.ascontiguousarray(words), w["word_bias/bias"]

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

    def step(
        self, views: Views, state: State, words: np.ndarray, alive: Alive | None = None
    ) -> tuple[np.ndarray, State]:
        """Feed one word to each hypothesis.

        `words` is int (m,). Without `alive` there are equally many hypotheses of each picture, in a row, and `state`
        has as many rows. Returns log-probabilities of the next word (m, vocabulary) and the new state of m rows.
        """
        alive, sizes = alive or _everyone(len(words), len(views.cells)), self.config
        # Hypotheses with a parent in common share its product.
        gates = (state.hidden @ self._recurrent)[alive.parents]
        gates += self._word_gates[words]
        gates += views.drive[alive.places // alive.height]
        state = _lstm(gates, state.cell[alive.parents])
        from_hidden = state.hidden @ self._from_hidden
        from_hidden += self._from_hidden_bias
        query, output, sentinel = np.split(from_hidden, np.cumsum([sizes.attention, sizes.embedding]), axis=1)
        attended = _attend(views, query, np.tanh(sentinel) if sizes.sentinel else None, alive)
        output = attended @ self._from_attended + output
        logits = np.tanh(output, out=output) @ self._to_words
        logits += self._word_bias
        return _log_softmax(logits), state


def _everyone(hypotheses: int, pictures: int) -> Alive:
    return Alive(np.arange(hypotheses), np.arange(hypotheses), hypotheses // pictures)


def _attend(views: Views, query: np.ndarray, sentinel: np.ndarray | None, alive: Alive) -> np.ndarray:
    """Dot-product attention; a cell's key is the cell itself, as a linear key would only change the query."""
    scores = _by_picture(query, views.cells.swapaxes(1, 2), alive)
    if sentinel is None:
        return _by_picture(np.exp(_log_softmax(scores)), views.cells, alive)
    on_sentinel = np.sum(query * sentinel, axis=1, keepdims=True)
    share = np.exp(_log_softmax(np.concatenate([scores, on_sentinel], axis=1)))
    return _by_picture(share[:, :-1], views.cells, alive) + share[:, -1:] * sentinel


def _by_picture(rows: np.ndarray, of_pictures: np.ndarray, alive: Alive) -> np.ndarray:
    """Multiply each hypothesis' row (m, a) by its picture's matrix, `of_pictures` (pictures, a, b): (m, b)."""
    pictures, inner, outer = of_pictures.shape
    spread = np.zeros((pictures * alive.height, inner), np.float32)
    spread[alive.places] = rows
    product = spread.reshape(pictures, alive.height, inner) @ of_pictures
    return product.reshape(-1, outer)[alive.places]


def _lstm(gates: np.ndarray, cell: np.ndarray) -> State:
    """Keras' gate order: input, forget, candidate, output; all but the candidate come halved. Spoils `gates`.

    sigmoid(x) = (tanh(x / 2) + 1) / 2, so that one call serves all four.
    """
    enter, forget, candidate, leave = np.tanh(gates, out=gates).reshape(len(gates), 4, -1).swapaxes(0, 1)
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
