"""Pool a grid of features to one vector whose cosine finds copies of a picture and others that show the same."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from captioner.arithmetic import unit


def plain_mean(grids: np.ndarray) -> np.ndarray:
    """Return the L2-normalised mean (n, c) of grids float32 (n, cells, c)."""
    return unit(grids.mean(axis=1))


def root_mean_square(grids: np.ndarray) -> np.ndarray:
    """Return the L2-normalised (mean of x ** 2) ** (1 / 2) over the cells, float32 (n, c), of grids (n, cells, c).

    The generalised mean of Radenovic, Tolias and Chum, "Fine-tuning CNN image retrieval with no human annotation"
    (2018), with exponent 2: pictures of one class are nearer than with their 3 (docs/ranking.md).
    """
    return unit(np.sqrt(np.einsum("ncd,ncd->nd", grids, grids) / np.float32(grids.shape[1])))


@dataclass(frozen=True)
class Pooling:
    """Root mean square, then what `training.relevance` learnt: a whitening, and kinds of things if a crowd taught them.

    The whitening is `centre` (c,) and `projection` (c, d). Each head of `kinds` (heads, d, k) divides a crowd into k
    kinds in its own way. The whitened vector and the shares of all kinds make one vector by `mixing`
    (d + heads * k, e).
    """

    centre: np.ndarray
    projection: np.ndarray
    kinds: np.ndarray | None = None
    mixing: np.ndarray | None = None

    def __call__(self, grids: np.ndarray) -> np.ndarray:
        """Return L2-normalised float32 vectors (n, e) of grids float32 (n, cells, c); without kinds, e is d."""
        return self.project(root_mean_square(grids))

    def project(self, pooled: np.ndarray) -> np.ndarray:
        """Map results of `root_mean_square`, (n, c), to vectors, float32 (n, e), L2-normalised."""
        whitened = self.whiten(pooled)
        if self.kinds is None or self.mixing is None:
            return unit(whitened)
        return unit(with_kinds(whitened, self.kinds) @ self.mixing)

    def whiten(self, pooled: np.ndarray) -> np.ndarray:
        """Return the whitened results (n, d) of `root_mean_square`, (n, c), not normalised."""
        return (pooled - self.centre) @ self.projection


def with_kinds(whitened: np.ndarray, kinds: np.ndarray) -> np.ndarray:
    """Return `whitened` (n, d), L2-normalised, beside the square roots of its shares of `kinds` (heads, d, k).

    Roots make the cosine of two pictures, within a head, the Bhattacharyya coefficient of their shares.
    """
    logits = np.einsum("nd,hdk->nhk", whitened, kinds, optimize=True)
    shares = np.exp(logits - logits.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    return np.concatenate([unit(whitened), np.sqrt(shares).reshape(len(whitened), -1)], axis=1)
