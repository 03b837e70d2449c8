"""Measure the processor time of encoders for a picture, in turn: `python -m bench.encoders efficientnet_lite0`.

The shipped captioner's encoder comes first, as the product runs it here and, under `vgg16_keras`, in Keras and float32.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping

import numpy as np

from captioner.bundle import BUNDLED, load_bundle
from captioner.encoders.base import Encoder
from captioner.encoders.registry import build, build_further
from captioner.encoders.vgg16 import KerasVGG16, VGG16Config

BATCH = 32
ROUNDS = 5


def bench_encoders(names: list[str]) -> dict[str, float]:
    """Return the least processor time of several rounds, in milliseconds a picture, by encoder."""
    bundle = load_bundle(BUNDLED)
    assert isinstance(bundle.encoder, VGG16Config)
    encoders: Mapping[str, Encoder] = {
        "vgg16": build(bundle.encoder, bundle.encoder_parts),
        "vgg16_keras": KerasVGG16(bundle.encoder, bundle.encoder_weights, "float32"),
        **{name: build_further(name) for name in names},
    }
    found: dict[str, list[float]] = {name: [] for name in encoders}
    for _ in range(ROUNDS + 1):
        for name, encoder in encoders.items():
            found[name].append(_milliseconds(encoder))
    return {name: min(times[1:]) for name, times in found.items()}  # the first round loads


def _milliseconds(encoder: Encoder) -> float:
    pictures = np.random.default_rng(0).integers(0, 256, (BATCH, encoder.side, encoder.side, 3), np.uint8)
    started = time.process_time()
    encoder.encode(pictures)
    return 1e3 * (time.process_time() - started) / BATCH


if __name__ == "__main__":
    print(json.dumps(bench_encoders(sys.argv[1:]), indent=2))
