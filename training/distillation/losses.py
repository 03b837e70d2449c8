"""How far a student is from its teachers: probabilities, pooled vector and, where the grids match, the last map."""

from __future__ import annotations

from collections.abc import Callable

import keras

LOGITS_WEIGHT = 2.0
POOLED_WEIGHT = 8.0
MAP_WEIGHT = 3.0

Loss = Callable[[keras.KerasTensor, keras.KerasTensor], keras.KerasTensor]
"""(teacher, student) to one value a picture, (batch,)."""


def pooled_loss(teacher: keras.KerasTensor, student: keras.KerasTensor) -> keras.KerasTensor:
    """Weighted mean squared error between the pooled vectors, (batch,)."""
    return POOLED_WEIGHT * keras.ops.mean(keras.ops.square(teacher - student), axis=-1)


def logits_loss(temperature: float) -> Loss:
    """Weighted KL(teacher || student) at a temperature, times its square (Hinton et al. 2015)."""

    def loss(teacher: keras.KerasTensor, student: keras.KerasTensor) -> keras.KerasTensor:
        taught = keras.ops.log_softmax(teacher / temperature)
        learnt = keras.ops.log_softmax(student / temperature)
        divergence = keras.ops.sum(keras.ops.exp(taught) * (taught - learnt), axis=-1)
        return LOGITS_WEIGHT * temperature**2 * divergence

    return loss


def map_loss(variance: float) -> Loss:
    """Weighted squared error a cell, of maps (batch, cells, components), relative to their whole variance."""

    def loss(teacher: keras.KerasTensor, student: keras.KerasTensor) -> keras.KerasTensor:
        error = keras.ops.sum(keras.ops.square(teacher - student), axis=-1)
        return MAP_WEIGHT / variance * keras.ops.mean(error, axis=-1)

    return loss
