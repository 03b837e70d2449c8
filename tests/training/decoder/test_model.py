"""The loss against its definition, and a training step against the same model on the generic back end."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from captioner.decoder import DecoderConfig
from captioner.vocabulary import Vocabulary
from tests.conftest import random_decoder
from training.batches import Batch, make_batch
from training.decoder import lstm
from training.decoder.model import CaptionLoss, DecoderModel, build_decoder_model, set_weights

CONFIG = DecoderConfig(vocabulary=17, grid_channels=6, embedding=5, units=8, attention=4, max_words=7)
WORDS = Vocabulary([f"word{number}" for number in range(13)])


def plain_loss(smoothing: float, expected: np.ndarray, logits: tf.Tensor) -> tf.Tensor:
    """Cross-entropy against the whole smoothed distribution."""
    words = logits.shape[-1]
    share = ops.one_hot(expected, words) * (1 - smoothing) + smoothing / words
    return ops.categorical_crossentropy(share, ops.cast(logits, "float32"), from_logits=True)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_loss_and_its_gradient_are_those_of_smoothed_cross_entropy(smoothing: float) -> None:
    random = np.random.default_rng(0)
    logits = tf.constant(random.normal(0, 30, (6, 17)), "float32")
    expected, weights = random.integers(0, 17, 6), random.random(6).astype(np.float32)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(logits)
        found = CaptionLoss(smoothing)(expected, logits, sample_weight=weights)
        plain = tf.reduce_sum(plain_loss(smoothing, expected, logits) * weights)
    assert float(found) == pytest.approx(float(plain), rel=1e-5)
    np.testing.assert_allclose(tape.gradient(found, logits), tape.gradient(plain, logits), atol=1e-5)


def some_batch(longest: int) -> Batch:
    """Three pictures with thirty captions each, of one to `longest` words; more than seven are too many."""
    random = np.random.default_rng(longest)
    said = [[[f"word{one}" for one in random.integers(0, 13, random.integers(1, longest + 1))] for _ in range(30)]] * 3
    return make_batch(random.normal(size=(3, 4, 6)).astype(np.float32), said, WORDS, CONFIG.max_words + 1)


def gradients(model: DecoderModel, batch: Batch) -> tuple[float, list[np.ndarray]]:
    variables = [one.value for one in model.trainable_variables]
    with tf.GradientTape() as tape:
        logits = model(tuple(map(tf.constant, batch.inputs)), training=True)
        loss = CaptionLoss(0.1)(batch.expected, logits, sample_weight=batch.weights)
    return float(loss), [tf.convert_to_tensor(one).numpy() for one in tape.gradient(loss, variables)]


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("mixed_bfloat16", 5e-2)])
def test_gradients_are_those_of_the_plain_model(
    precision: str, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = build_decoder_model(CONFIG, 4, precision, dropout=0.0)
    set_weights(model, random_decoder(CONFIG, spread=0.4))
    loss, found = gradients(model, some_batch(8))
    monkeypatch.setattr(lstm.backend, "backend", lambda: "any other")
    plain, expected = gradients(model, some_batch(8))
    assert loss == pytest.approx(plain, abs=1e-2)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * np.abs(other).max())


def test_training_takes_batches_of_several_shapes() -> None:
    model = build_decoder_model(CONFIG, 4)
    model.compile(keras.optimizers.SGD(0.5), loss=CaptionLoss(0.0), jit_compile=False)
    few, many = some_batch(1), some_batch(8)
    assert len(few.expected) != len(many.expected)
    losses = [
        float(model.train_on_batch(one.inputs, one.expected, sample_weight=one.weights)) for one in [few, many] * 4
    ]
    assert losses[-2] < losses[0]
