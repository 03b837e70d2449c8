"""log P(sentence ... | picture) by the decoder, for one sentence and many pictures, from their stored cells.

The network is that of `captioner.decoder`, and tests compare the two. A given sentence needs no search: only the LSTM
runs step by step; attention and words follow for the whole sentence at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from captioner.arithmetic import advance, gate_factors
from captioner.cells import CoarseCells
from captioner.decoder import DecoderConfig
from captioner.vocabulary import START, UNKNOWN, Vocabulary

MAX_WORDS = 40
"""Words of a sentence that are read."""
FREQUENT_WORDS = 1000
"""Probabilities are over the most frequent words and the sentence's own: all 2,900 take three times as long and tell
pictures apart no better, see docs/ranking.md."""
LANES = 16
"""Float32 numbers in a vector register of the widest kind."""


class Likelihood:
    """Computes how likely the decoder is to begin its caption of each picture with a sentence."""

    def __init__(
        self,
        config: DecoderConfig,
        weights: Mapping[str, np.ndarray],
        vocabulary: Vocabulary,
        frequent: int = FREQUENT_WORDS,
    ) -> None:
        """`weights` are named as in `DecoderConfig.shapes`. Raises KeyError where one is missing."""
        self._config, self._vocabulary = config, vocabulary
        w = {name: np.asarray(weights[name], np.float32) for name in config.shapes()}
        self._to_words = w["embedding/embeddings"].T if config.tied else w["words/kernel"]
        self._to_frequent = np.ascontiguousarray(self._to_words[:, :frequent])
        half = gate_factors(config.units)
        self._recurrent, self._drive = (
            _transposed(w.pop(name) * half) for name in ("lstm/recurrent_kernel", "lstm/kernel")
        )
        self._initial, self._glance = (_transposed(w.pop(name)) for name in ("initial/kernel", "glance/kernel"))
        self._bias = (w.pop("lstm/bias") * half)[:, None]
        self._weights = w

    def share_read(self, tokens: Sequence[str]) -> float:
        """Return the share of the tokens that the decoder knows, from 0 to 1."""
        numbers = self._vocabulary.read(tokens[:MAX_WORDS])
        return sum(number != UNKNOWN for number in numbers) / max(len(numbers), 1)

    def logprob(self, tokens: Sequence[str], cells: CoarseCells) -> np.ndarray:
        """Return log P(a sentence begins with the tokens | picture), natural logarithm, float64 (n,).

        Probabilities are over the frequent words and those of the sentence. The end of the sentence is left out: it
        does not separate pictures better, see docs/ranking.md, and three typed words are no sentence.
        """
        numbers = self._vocabulary.read(tokens[:MAX_WORDS])
        if not numbers:
            return np.zeros(len(cells.values))
        hidden = self._run([START, *numbers[:-1]], cells.values.mean(axis=1))
        logits, columns = self._logits(self._output(hidden, cells), numbers)
        logits = logits.reshape(len(numbers), len(cells.values), -1)
        chosen = logits[np.arange(len(numbers)), :, columns]
        return np.asarray((chosen - _log_sum_exp(logits)).sum(axis=0, dtype=np.float64))

    def attention(self, tokens: Sequence[str], cells: CoarseCells) -> np.ndarray:
        """Return how much of its attention the decoder gives each cell of one picture before it says each token.

        float32 (tokens, k), for MAX_WORDS tokens at most; what a row lacks to 1 is on the sentinel.
        """
        numbers = self._vocabulary.read(tokens[:MAX_WORDS])
        hidden = self._run([START, *numbers[:-1]], cells.values.mean(axis=1))
        shares, _ = self._attended(hidden, cells)
        return np.asarray(shares[0, :, : cells.values.shape[1]])

    def _logits(self, output: np.ndarray, numbers: Sequence[int]) -> tuple[np.ndarray, list[int]]:
        """Return logits (rows, words) of the frequent words and all of `numbers`, and the columns of `numbers`."""
        frequent = self._to_frequent.shape[1]
        rare = sorted({number for number in numbers if number >= frequent})
        bias = self._weights["word_bias/bias"]
        logits = np.concatenate(
            [output @ self._to_frequent + bias[:frequent], output @ self._to_words[:, rare] + bias[rare]], axis=1
        )
        return logits, [number if number < frequent else frequent + rare.index(number) for number in numbers]

    def _run(self, inputs: Sequence[int], mean: np.ndarray) -> np.ndarray:
        """Return the LSTM's hidden states, (steps * n, units), after each of the words `inputs`; Keras' order of gates.

        Pictures are along the second axis, padded with zeros to a multiple of LANES: with few pictures the loop then
        takes a fifth less time.
        """
        w = self._weights
        padded = np.pad(mean.T, ((0, 0), (0, -len(mean) % LANES)))
        hidden, cell = np.split(np.tanh(self._initial @ padded + w["initial/bias"][:, None]), 2)
        # Reading the kernel takes longer than multiplying by it, so pictures and words share one product.
        driven = self._drive @ np.concatenate([self._glance @ padded, w["embedding/embeddings"][inputs].T], axis=1)
        drive, words = driven[:, : padded.shape[1]] + self._bias, driven[:, padded.shape[1] :].T
        states = []
        for word in words:
            gates = np.tanh(self._recurrent @ hidden + (drive + word[:, None]))
            hidden, cell = advance(np.split(gates, 4), cell)
            states.append(hidden)
        return np.concatenate([hidden[:, : len(mean)].T for hidden in states])

    def _output(self, hidden: np.ndarray, cells: CoarseCells) -> np.ndarray:
        """Return what the words' vectors are multiplied by, (steps * n, embedding), from hidden (steps * n, units)."""
        w = self._weights
        _, attended = self._attended(hidden, cells)
        on_hidden, on_attended = np.split(w["output/kernel"], [self._config.units])
        by_step = attended.swapaxes(0, 1).reshape(len(hidden), -1)
        return np.asarray(np.tanh(hidden @ on_hidden + by_step @ on_attended + w["output/bias"]))

    def _attended(self, hidden: np.ndarray, cells: CoarseCells) -> tuple[np.ndarray, np.ndarray]:
        """Return the attention on cells and sentinel, (n, steps, k + 1), and what is attended, (n, steps, a)."""
        w = self._weights
        query = self._by_picture(hidden @ w["query/kernel"] * self._config.attention**-0.5, cells)
        # A coarse cell stands for `weight` equal ones and gets their share of the attention.
        scores = query @ cells.values.swapaxes(1, 2) + np.float32(np.log(cells.weight))
        if self._config.sentinel:
            sentinel = self._by_picture(np.tanh(hidden @ w["sentinel/kernel"] + w["sentinel/bias"]), cells)
            own = np.sum(query * sentinel, axis=2, keepdims=True)
            share = _softmax(np.concatenate([scores, own], axis=2))
            return share, share[..., :-1] @ cells.values + share[..., -1:] * sentinel
        share = _softmax(scores)
        return share, share @ cells.values

    @staticmethod
    def _by_picture(rows: np.ndarray, cells: CoarseCells) -> np.ndarray:
        """Return rows (steps * n, m) as (n, steps, m)."""
        return rows.reshape(-1, len(cells.values), rows.shape[1]).swapaxes(0, 1)


def _transposed(kernel: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(kernel.T)


def _softmax(x: np.ndarray) -> np.ndarray:
    exponentials = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def _log_sum_exp(x: np.ndarray) -> np.ndarray:
    """Return the log of the sum of exp along the last axis; overwrites `x`."""
    highest = x.max(axis=-1)
    x -= highest[..., None]
    return np.asarray(highest + np.log(np.exp(x, out=x).sum(axis=-1)))
