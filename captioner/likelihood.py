"""log P(sentence | picture) by the decoder, for one sentence and many pictures that are known by their stored views.

The network is that of `captioner.decoder`, whose stepwise NumPy form is this one's oracle. A given sentence needs no
search: only the LSTM goes step by step, attention and words follow for the whole sentence at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from captioner.decoder import DecoderConfig
from captioner.views import CoarseViews
from captioner.vocabulary import END, START, Vocabulary

MAX_WORDS = 40
"""Further words of a sentence are not read."""
USUAL_WORDS = 1000
"""Probabilities are over the most frequent words and the sentence's own: all 2,900 take thrice the time and tell
pictures apart no better, see docs/ranking.md."""
LANES = 16
"""Float32 numbers in a vector register of the widest kind."""


class Likelihood:
    """Tells how likely the decoder is to say a sentence of each of many pictures."""

    def __init__(
        self,
        config: DecoderConfig,
        weights: Mapping[str, np.ndarray],
        vocabulary: Vocabulary,
        usual: int = USUAL_WORDS,
    ) -> None:
        """`weights` are named as in `DecoderConfig.shapes`. Raises KeyError where one is missing."""
        self._config, self._vocabulary = config, vocabulary
        self._weights = w = {name: np.asarray(weights[name], np.float32) for name in config.shapes()}
        self._to_words = w["embedding/embeddings"].T if config.tied else w["words/kernel"]
        self._to_usual = np.ascontiguousarray(self._to_words[:, :usual])
        self._recurrent, self._initial = (_turned(w[name]) for name in ("lstm/recurrent_kernel", "initial/kernel"))
        self._glance = _turned(w["glance/kernel"] @ w["lstm/kernel"])

    def logprob(self, tokens: Sequence[str], views: CoarseViews) -> np.ndarray:
        """log P(tokens, END | picture), natural logarithm, float64 (n,).

        Probabilities are over the usual words and those of the sentence. END is left out after MAX_WORDS words.
        """
        numbers = self._vocabulary.encode(tokens[:MAX_WORDS])
        said = numbers if len(tokens) > MAX_WORDS else [*numbers, END]
        hidden = self._run([START, *numbers][: len(said)], views.cells.mean(axis=1))
        logits, columns = self._logits(self._output(hidden, views), said)
        chosen = logits[np.arange(len(said)), :, columns]
        return np.asarray((chosen - _log_sum_exp(logits)).sum(axis=0, dtype=np.float64))

    def _logits(self, output: np.ndarray, said: Sequence[int]) -> tuple[np.ndarray, list[int]]:
        """Logits (steps, n, words) of the usual and the unusual words of `said`, and the column of each of `said`."""
        usual = self._to_usual.shape[1]
        unusual = sorted({one for one in said if one >= usual})
        bias = self._weights["word_bias/bias"]
        flat = output.reshape(-1, output.shape[2])
        logits = np.concatenate(
            [flat @ self._to_usual + bias[:usual], flat @ self._to_words[:, unusual] + bias[unusual]], axis=1
        )
        columns = [one if one < usual else usual + unusual.index(one) for one in said]
        return logits.reshape(*output.shape[:2], -1), columns

    def _run(self, fed: Sequence[int], mean: np.ndarray) -> np.ndarray:
        """The LSTM's hidden states, (steps, n, units), after each of the words `fed`; Keras' order of the gates.

        Pictures lie along the second axis here, and nought ones fill them up to a multiple of LANES: with so few
        pictures the loop takes a fifth less time then.
        """
        w = self._weights
        seen = np.pad(mean.T, ((0, 0), (0, -len(mean) % LANES)))
        hidden, cell = np.split(np.tanh(self._initial @ seen + w["initial/bias"][:, None]), 2)
        drive = self._glance @ seen + w["lstm/bias"][:, None]
        words = w["embedding/embeddings"][fed] @ w["lstm/kernel"]
        states = []
        for word in words:
            enter, forget, candidate, leave = np.split(self._recurrent @ hidden + drive + word[:, None], 4)
            cell = _sigmoid(forget) * cell + _sigmoid(enter) * np.tanh(candidate)
            hidden = _sigmoid(leave) * np.tanh(cell)
            states.append(hidden)
        return np.stack(states)[:, :, : len(mean)].swapaxes(1, 2)

    def _output(self, hidden: np.ndarray, views: CoarseViews) -> np.ndarray:
        """What is held against the words, (steps, n, embedding), from hidden states (steps, n, units)."""
        w = self._weights
        query = (hidden @ w["query/kernel"] * self._config.attention**-0.5).swapaxes(0, 1)
        # A coarse cell stands for `weight` equal ones, which is what its share of the attention has to be.
        scores = query @ views.cells.swapaxes(1, 2) + np.float32(np.log(views.weight))
        if self._config.sentinel:
            sentinel = np.tanh(hidden @ w["sentinel/kernel"] + w["sentinel/bias"]).swapaxes(0, 1)
            own = np.sum(query * sentinel, axis=2, keepdims=True)
            share = _softmax(np.concatenate([scores, own], axis=2))
            attended = share[..., :-1] @ views.cells + share[..., -1:] * sentinel
        else:
            attended = _softmax(scores) @ views.cells
        on_hidden, on_attended = np.split(w["output/kernel"], [self._config.units])
        return np.asarray(np.tanh(hidden @ on_hidden + attended.swapaxes(0, 1) @ on_attended + w["output/bias"]))


def _turned(kernel: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(kernel.T)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * x))


def _softmax(x: np.ndarray) -> np.ndarray:
    grown = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True))


def _log_sum_exp(x: np.ndarray) -> np.ndarray:
    """Along the last axis; spoils `x`."""
    highest = x.max(axis=-1)
    x -= highest[..., None]
    return np.asarray(highest + np.log(np.exp(x, out=x).sum(axis=-1)))
