"""Scheduled sampling (Bengio et al. 2015), in two parallel passes (Mihaylova and Martins 2019)."""

from __future__ import annotations

import numpy as np

from captioner.vocabulary import PAD
from training.decoder.examples import Batch
from training.decoder.model import DecoderModel


def mix_in_guesses(model: DecoderModel, batch: Batch, chance: float, random: np.random.Generator) -> Batch:
    """Replace each fed word but the first, by `chance`, with the model's likeliest word at that place."""
    grids, fed, places = batch.inputs
    guessed = np.asarray(model.predict_on_batch(batch.inputs)).argmax(axis=-1).astype(np.int32)
    after = np.full(fed.size + 1, PAD, np.int32)
    after[places] = guessed
    own = np.roll(after[: fed.size].reshape(fed.shape), 1, axis=-1)
    replace = (random.random(fed.shape) < chance) & (fed != PAD)
    replace[..., 0] = False
    return batch._replace(inputs=(grids, np.where(replace, own, fed), places))
