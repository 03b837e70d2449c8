"""log P(sentence ... | picture) by the decoder, for one sentence and many pictures known by their stored cells.

The network is that of `captioner.decoder`, whose stepwise NumPy form is this one's oracle. A given sentence needs no
search: only the LSTM goes step by step, attention and words follow for the whole sentence at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from captioner.arithmetic import advance, halved
from captioner.cells import CoarseCells
from captioner.decoder import DecoderConfig
from captioner.vocabulary import START, UNKNOWN, Vocabulary

MAX_WORDS = 40
"""Further words of a sentence are not read."""
USUAL_WORDS = 1000
"""Probabilities are over the most frequent words and the sentence's own: all 2,900 take three times as long and tell
pictures apart no better, see docs/ranking.md."""
LANES = 16
"""Float32 numbers in a vector register of the widest kind."""


class Likelihood:
    """Tells how likely the decoder is to begin with a sentence what it says of each of many pictures."""

    def __init__(
        self,
        config: DecoderConfig,
        weights: Mapping[str, np.ndarray],
        vocabulary: Vocabulary,
        usual: int = USUAL_WORDS,
    ) -> None:
        """`weights` are named as in `DecoderConfig.shapes`. Raises KeyError where one is missing."""
        self._config, self._vocabulary = config, vocabulary
        w = {name: np.asarray(weights[name], np.float32) for name in config.shapes()}
        self._to_words = w["embedding/embeddings"].T if config.tied else w["words/kernel"]
        self._to_usual = np.ascontiguousarray(self._to_words[:, :usual])
        half = halved(config.units)
        self._recurrent, self._drive = (
            _turned(w.pop(name) * half) for name in ("lstm/recurrent_kernel", "lstm/kernel")
        )
        self._initial, self._glance = (_turned(w.pop(name)) for name in ("initial/kernel", "glance/kernel"))
        self._bias = (w.pop("lstm/bias") * half)[:, None]
        self._weights = w

    def share_read(self, tokens: Sequence[str]) -> float:
        """Return which share of the tokens the decoder can say, from 0 to 1."""
        said = self._vocabulary.read(tokens[:MAX_WORDS])
        return sum(one != UNKNOWN for one in said) / max(len(said), 1)

    def logprob(self, tokens: Sequence[str], cells: CoarseCells) -> np.ndarray:
        """log P(a sentence begins with the tokens | picture), natural logarithm, float64 (n,).

        Probabilities are over the usual words and those of the sentence. That it ends there tells pictures apart no
        better, see docs/ranking.md, and who types three words means no sentence.
        """
        said = self._vocabulary.read(tokens[:MAX_WORDS])
        if not said:
            return np.zeros(len(cells.values))
        hidden = self._run([START, *said[:-1]], cells.values.mean(axis=1))
        logits, columns = self._logits(self._output(hidden, cells), said)
        logits = logits.reshape(len(said), len(cells.values), -1)
        chosen = logits[np.arange(len(said)), :, columns]
        return np.asarray((chosen - _log_sum_exp(logits)).sum(axis=0, dtype=np.float64))

    def _logits(self, output: np.ndarray, said: Sequence[int]) -> tuple[np.ndarray, list[int]]:
        """Logits (rows, words) of the usual and the unusual words of `said`, and the column of each of `said`."""
        usual = self._to_usual.shape[1]
        unusual = sorted({one for one in said if one >= usual})
        bias = self._weights["word_bias/bias"]
        logits = np.concatenate(
            [output @ self._to_usual + bias[:usual], output @ self._to_words[:, unusual] + bias[unusual]], axis=1
        )
        return logits, [one if one < usual else usual + unusual.index(one) for one in said]

    def _run(self, fed: Sequence[int], mean: np.ndarray) -> np.ndarray:
        """The LSTM's hidden states, (steps * n, units), after each of the words `fed`; Keras' order of the gates.

        Pictures lie along the second axis here, and nought ones fill them up to a multiple of LANES: with so few
        pictures the loop takes a fifth less time then.
        """
        w = self._weights
        seen = np.pad(mean.T, ((0, 0), (0, -len(mean) % LANES)))
        hidden, cell = np.split(np.tanh(self._initial @ seen + w["initial/bias"][:, None]), 2)
        # To read the kernel takes longer than to multiply by it, so pictures and words go through it together.
        driven = self._drive @ np.concatenate([self._glance @ seen, w["embedding/embeddings"][fed].T], axis=1)
        drive, words = driven[:, : seen.shape[1]] + self._bias, driven[:, seen.shape[1] :].T
        states = []
        for word in words:
            gates = np.tanh(self._recurrent @ hidden + (drive + word[:, None]))
            hidden, cell = advance(np.split(gates, 4), cell)
            states.append(hidden)
        return np.concatenate([hidden[:, : len(mean)].T for hidden in states])

    def _output(self, hidden: np.ndarray, cells: CoarseCells) -> np.ndarray:
        """What is held against the words, (steps * n, embedding), from hidden states (steps * n, units)."""
        w = self._weights
        query = self._by_picture(hidden @ w["query/kernel"] * self._config.attention**-0.5, cells)
        # A coarse cell stands for `weight` equal ones, which is what its share of the attention has to be.
        scores = query @ cells.values.swapaxes(1, 2) + np.float32(np.log(cells.weight))
        if self._config.sentinel:
            sentinel = self._by_picture(np.tanh(hidden @ w["sentinel/kernel"] + w["sentinel/bias"]), cells)
            own = np.sum(query * sentinel, axis=2, keepdims=True)
            share = _softmax(np.concatenate([scores, own], axis=2))
            attended = share[..., :-1] @ cells.values + share[..., -1:] * sentinel
        else:
            attended = _softmax(scores) @ cells.values
        on_hidden, on_attended = np.split(w["output/kernel"], [self._config.units])
        by_step = attended.swapaxes(0, 1).reshape(len(hidden), -1)
        return np.asarray(np.tanh(hidden @ on_hidden + by_step @ on_attended + w["output/bias"]))

    @staticmethod
    def _by_picture(rows: np.ndarray, cells: CoarseCells) -> np.ndarray:
        """Rows (steps * n, m) as (n, steps, m)."""
        return rows.reshape(-1, len(cells.values), rows.shape[1]).swapaxes(0, 1)


def _turned(kernel: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(kernel.T)


def _softmax(x: np.ndarray) -> np.ndarray:
    grown = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(grown / grown.sum(axis=-1, keepdims=True))


def _log_sum_exp(x: np.ndarray) -> np.ndarray:
    """Along the last axis; spoils `x`."""
    highest = x.max(axis=-1)
    x -= highest[..., None]
    return np.asarray(highest + np.log(np.exp(x, out=x).sum(axis=-1)))
