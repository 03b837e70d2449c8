"""The encoder against the machine's matrix-multiplication peak, and indexing against the encoder."""

from __future__ import annotations

import io
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from bench.timing import measure
from captioner.bundle import BUNDLED, Bundle, load_bundle
from captioner.encoder import EncoderConfig, best_precision
from captioner.facade import Captioner
from captioner.vgg16 import BLOCKS
from data.pictures import DEFAULT_LIMITS, read_square
from data.samples import copy_samples
from data.store import Store
from retrieval.indexer import BATCH, index

PICTURES = 1024
JPEG_SIZE = (500, 375)
ROUND = 12
PEAK_SIDES = (1024, 2048, 4096)


def bench_encoding() -> dict[str, float | str]:
    """Return GFLOP/s of matmul and encoder, and pictures a second of the encoder alone and of indexing.

    Indexing is measured with the shipped input size and at 224 pixels, VGG16's own.
    """
    bundle, precision = load_bundle(BUNDLED), best_precision()
    large = replace(bundle, encoder=EncoderConfig.for_side(224))
    figures: dict[str, float | str] = {"precision": precision}
    figures["matmul_peak_gflops"] = matmul_peak("bfloat16" if precision == "mixed_bfloat16" else "float32")
    with tempfile.TemporaryDirectory() as folder:
        photos = make_photographs(Path(folder), PICTURES)
        for one in (bundle, large):
            figures |= _rates(one, photos, float(figures["matmul_peak_gflops"]))
    return figures


def _rates(bundle: Bundle, photos: Path, peak: float) -> dict[str, float | str]:
    captioner, side = Captioner(bundle).warm_up(), bundle.encoder.side
    pictures = np.stack([read_square(path, side) for path in sorted(photos.iterdir())[:BATCH]])
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"sqlite:///{folder}/library.sqlite3")
        started = time.perf_counter()
        index(store, captioner, [photos], DEFAULT_LIMITS)
        indexing = PICTURES / (time.perf_counter() - started)
        store.close()
    forward = BATCH / measure(lambda: captioner.encode(pictures), seconds=5).median
    inference = ROUND * BATCH / measure(lambda: _infer(captioner, pictures), seconds=5).median
    gflops = vgg16_flops(side) * forward / 1e9
    return {
        f"encoder_gflops_{side}px": gflops,
        f"encoder_share_of_matmul_peak_{side}px": gflops / peak,
        f"forward_pictures_per_second_{side}px": forward,
        f"forward_and_captions_pictures_per_second_{side}px": inference,
        f"time_of_forward_and_captions_over_forward_{side}px": forward / inference,
        f"indexing_pictures_per_second_{side}px": indexing,
        f"indexing_share_of_forward_{side}px": indexing / forward,
    }


def _infer(captioner: Captioner, pictures: np.ndarray) -> None:
    """Encode and caption ROUND batches as indexing does: captions of a batch while the next is encoded."""
    with ThreadPoolExecutor(1) as pool:
        for done in [pool.submit(captioner.caption, captioner.encode(pictures)) for _ in range(ROUND)]:
            done.result()


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
