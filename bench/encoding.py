"""The encoder against the machine's matrix-multiplication peak, and indexing against the encoder."""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from bench.timing import measure
from captioner.bundle import BUNDLED, load_bundle
from captioner.encoder import Encoder, best_precision
from captioner.facade import Captioner
from captioner.vgg16 import BLOCKS
from data.pictures import DEFAULT_LIMITS
from data.samples import copy_samples
from data.store import Store
from retrieval.indexer import BATCH, index

PICTURES = 1024
JPEG_SIZE = (500, 375)
PEAK_SIDES = (1024, 2048, 4096)


def bench_encoding() -> dict[str, float | str]:
    """Return GFLOP/s of matmul and encoder, and pictures a second of the encoder alone and of indexing."""
    bundle, precision = load_bundle(BUNDLED), best_precision()
    encoder = Encoder(bundle.encoder, bundle.encoder_weights, precision)
    side = bundle.encoder.side
    pictures = np.random.default_rng(0).integers(0, 256, (BATCH, side, side, 3)).astype(np.uint8)
    peak = matmul_peak("bfloat16" if precision == "mixed_bfloat16" else "float32")
    forward = measure(lambda: encoder.encode(pictures), seconds=5).median / BATCH
    rate, indexing_forward = index_rate(bundle_encoder=encoder)
    return {
        "precision": precision,
        "input_side": side,
        "matmul_peak_gflops": peak,
        "encoder_gflops": vgg16_flops(side) / forward / 1e9,
        "encoder_share_of_peak": vgg16_flops(side) / forward / 1e9 / peak,
        "forward_pictures_per_second": indexing_forward,
        "indexing_pictures_per_second": rate,
        "indexing_share_of_forward": rate / indexing_forward,
    }


def vgg16_flops(side: int) -> float:
    """Floating-point operations of VGG16's convolutions on one picture: 2 x 9 x inputs x outputs x pixels each."""
    total, before = 0, 3
    for block, (convolutions, channels) in enumerate(BLOCKS):
        pixels = (side // 2**block) ** 2
        for _ in range(convolutions):
            total += 2 * 9 * before * channels * pixels
            before = channels
    return float(total)


def matmul_peak(dtype: str) -> float:
    """The best GFLOP/s of a square matrix product of `dtype` over several sizes."""
    import tensorflow as tf

    product = tf.function(tf.matmul)
    best = 0.0
    for side in PEAK_SIDES:
        matrix = tf.cast(tf.random.normal((side, side)), dtype)
        timing = measure(lambda matrix=matrix: product(matrix, matrix).numpy(), seconds=1.5)
        best = max(best, 2 * side**3 / timing.best / 1e9)
    return best


def index_rate(bundle_encoder: Encoder) -> tuple[float, float]:
    """Pictures a second of a whole indexing run, and of the same encoder alone right after it."""
    captioner = Captioner.load()
    with tempfile.TemporaryDirectory() as folder:
        photos = make_photographs(Path(folder) / "photos", PICTURES)
        captioner.encode(np.zeros((BATCH, captioner.input_side, captioner.input_side, 3), np.uint8))
        store = Store.open(f"sqlite:///{folder}/library.sqlite3")
        started = time.perf_counter()
        index(store, captioner, [photos], DEFAULT_LIMITS)
        rate = PICTURES / (time.perf_counter() - started)
        store.close()
    pictures = np.random.default_rng(0).integers(0, 256, (BATCH, captioner.input_side, captioner.input_side, 3))
    batch = pictures.astype(np.uint8)
    started = time.perf_counter()
    for _ in range(PICTURES // BATCH):
        bundle_encoder.encode(batch)
    return rate, PICTURES / (time.perf_counter() - started)


def make_photographs(folder: Path, count: int) -> Path:
    """Write `count` different JPEG files of 500 x 375 pixels: seeded crops of the sample gallery."""
    copy_samples(folder / "samples")
    sources = [Image.open(path).convert("RGB") for path in sorted((folder / "samples").glob("*.[jp][pn]g"))]
    random = np.random.default_rng(0)
    target = folder / "crops"
    target.mkdir()
    for number in range(count):
        image = sources[number % len(sources)]
        scale = random.uniform(0.5, 1.0)
        width, height = int(image.width * scale), int(image.height * scale)
        left, top = random.integers(0, image.width - width + 1), random.integers(0, image.height - height + 1)
        buffer = io.BytesIO()
        image.crop((left, top, left + width, top + height)).resize(JPEG_SIZE).save(buffer, "JPEG", quality=85)
        (target / f"{number:05d}.jpg").write_bytes(buffer.getvalue())
    return target
