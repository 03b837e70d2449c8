"""Muon for convolutions: steps of equal size in every direction of a layer's kernel."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


class ConvolutionMuon(keras.optimizers.Muon):
    """Keras' Muon (Jordan et al. 2024), which leaves convolutions to AdamW, extended to their kernels.

    A kernel (height, width, in, out) is taken as a matrix (height * width * in, out). The products of the
    Newton-Schulz iteration run in bfloat16, as its author runs them. Layers in `by_adam`, vectors and scalars are
    updated by AdamW at half the rate. Steps have the size of AdamW's (Liu et al. 2025), so rates carry over.
    """

    def __init__(self, learning_rate: Any, by_adam: tuple[str, ...], decay: float) -> None:
        super().__init__(learning_rate, weight_decay=decay, adam_weight_decay=decay, adam_lr_ratio=0.5)
        self._by_adam = by_adam

    def _should_use_adamw(self, variable: Any) -> bool:
        return len(variable.shape) not in (2, 4) or any(f"{name}/" in variable.path for name in self._by_adam)

    def _muon_update_step(self, gradient: Any, variable: Any, lr: Any, m: Any) -> None:
        self.assign(m, self.momentum * m + gradient)
        ahead = ops.reshape(gradient + self.momentum * m, (-1, variable.shape[-1]))
        even = ops.cast(orthogonalise(ahead, self.ns_steps), variable.dtype)
        size = self.rms_rate * max(even.shape) ** 0.5
        self.assign_sub(variable, lr * size * ops.reshape(even, variable.shape))


def orthogonalise(matrix: Any, steps: int) -> Any:
    """Bring all singular values of `matrix` (m, n) near to 1, by the quintic Newton-Schulz iteration in bfloat16."""
    x = ops.cast(matrix / (ops.norm(matrix) + 1e-7), "bfloat16")
    upright = x.shape[0] > x.shape[1]
    x = ops.transpose(x) if upright else x
    for _ in range(steps):
        square = x @ ops.transpose(x)
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * (square @ square)) @ x
    return ops.transpose(x) if upright else x
