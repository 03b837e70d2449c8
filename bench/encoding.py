"""Measure VGG16 against the machine's matrix-multiplication peak, and captioning and indexing against VGG16.

`vgg16` is Keras' network with the bundle's weights; `encoder` is that of the product. Rates are those of the whole
machine. Processor time (`cpu_ms`) is the cost of a picture when all cores are busy; other programs hardly affect it.
"""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from bench.timing import measure, processor_seconds
from captioner.bundle import BUNDLED, Bundle, load_bundle
from captioner.captioner import Captioner
from captioner.encoders.base import Features
from captioner.encoders.keras_network import assign
from captioner.encoders.vgg16 import BLOCKS, build_vgg16, preprocess
from captioner.frameworks import best_precision
from captioner.pipeline import BATCH, GROUP
from data.decoding.pool import read_square
from data.limits import DEFAULT_LIMITS
from data.pictures import decode, read_bytes
from data.samples import copy_samples
from data.store import Store
from retrieval.indexing.indexer import index

PICTURES = 1024
JPEG_SIZE = (500, 375)
LARGE_PICTURES = 384
LARGE_DISTINCT = 16
LARGE_JPEG_SIZE = (4000, 3000)
GRAIN = 5.0
"""Standard deviation of noise that makes the file of an enlarged crop as large as a camera's 12-megapixel file."""
ROUND = 3
PEAK_SIDES = (1024, 2048, 4096)


def bench_encoding() -> dict[str, float | str]:
    """Return GFLOP/s of matmul and VGG16, and pictures a second of VGG16 and of indexing.

    Indexing is measured on files of 500 x 375 pixels and of twelve megapixels.
    """
    bundle, precision = load_bundle(BUNDLED), best_precision()
    figures: dict[str, float | str] = {"precision": precision}
    figures["matmul_peak_gflops"] = matmul_peak("bfloat16" if precision == "mixed_bfloat16" else "float32")
    with tempfile.TemporaryDirectory() as folder:
        photos = make_photographs(Path(folder) / "small", PICTURES)
        figures |= _rates(bundle, photos, float(figures["matmul_peak_gflops"]))
        figures |= _large_files(bundle, make_large_photographs(Path(folder) / "large"))
    return figures


def _rates(bundle: Bundle, photos: Path, peak: float) -> dict[str, float | str]:
    captioner, side = Captioner(bundle).warm_up(), bundle.encoder.side
    pictures = np.stack([read_square(path, side) for path in sorted(photos.iterdir())[:BATCH]])
    indexing = _indexing_rate(captioner, photos)
    plain = _forward_rate(bundle, pictures)
    inference = ROUND * GROUP / measure(lambda: _infer(captioner, pictures), seconds=5).median
    group = Features.joined([captioner.encode(pictures)] * (GROUP // BATCH))
    gflops = vgg16_flops(side) * plain / 1e9
    return {
        f"vgg16_gflops_{side}px": gflops,
        f"vgg16_share_of_matmul_peak_{side}px": gflops / peak,
        f"vgg16_pictures_per_second_{side}px": plain,
        f"vgg16_cpu_ms_{side}px": 1000 / BATCH * processor_seconds(lambda: captioner.encode(pictures)),
        f"captions_cpu_ms_{side}px": 1000 / GROUP * processor_seconds(lambda: captioner.caption(group)),
        f"vgg16_and_captions_pictures_per_second_{side}px": inference,
        f"time_of_vgg16_and_captions_over_vgg16_{side}px": plain / inference,
        f"indexing_pictures_per_second_{side}px": indexing,
        f"indexing_share_of_vgg16_{side}px": indexing / plain,
    }


def _forward_rate(bundle: Bundle, pictures: np.ndarray) -> float:
    """Return pictures per second of VGG16."""
    vgg16 = plain_vgg16(bundle)
    return len(pictures) / measure(lambda: vgg16(pictures), seconds=5).median


def plain_vgg16(bundle: Bundle) -> Callable[[np.ndarray], np.ndarray]:
    """Return Keras' own network with the bundle's weights, for uint8 pictures."""
    model = build_vgg16(bundle.encoder, best_precision())
    assign(model, bundle.encoder_weights)
    return lambda pictures: model.predict_on_batch(preprocess(pictures))


def _large_files(bundle: Bundle, photos: Path) -> dict[str, float | str]:
    """Measure indexing of files of twelve megapixels, and decoding alone."""
    captioner, side = Captioner(bundle).warm_up(), bundle.encoder.side
    files = sorted(photos.iterdir())[:LARGE_DISTINCT]
    contents = [read_bytes(path) for path in files]
    pictures = np.stack([read_square(path, side) for path in files] * (BATCH // LARGE_DISTINCT))
    decoding = {bulk: _decoding_ms(contents, side, bulk) for bulk in (False, True)}
    indexing = _indexing_rate(captioner, photos)
    plain = _forward_rate(bundle, pictures)
    return {
        "large_file_megabytes": sum(map(len, contents)) / len(contents) / 1e6,
        "large_file_decode_cpu_ms": decoding[True],
        "large_file_decode_by_libjpeg_cpu_ms": decoding[False],
        f"indexing_large_files_pictures_per_second_{side}px": indexing,
        f"indexing_large_files_share_of_vgg16_{side}px": indexing / plain,
    }


def _decoding_ms(contents: list[bytes], side: int, bulk: bool) -> float:
    """Return milliseconds of processor time per file, after the decoder is compiled and loaded."""
    decode(contents[0], min_side=side, bulk=bulk)
    seconds = processor_seconds(lambda: [decode(content, min_side=side, bulk=bulk) for content in contents])
    return 1000 / len(contents) * seconds


def _indexing_rate(captioner: Captioner, photos: Path) -> float:
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"sqlite:///{folder}/library.sqlite3")
        started = time.perf_counter()
        captioned = index(store, captioner, [photos], DEFAULT_LIMITS).captioned
        rate = captioned / (time.perf_counter() - started)
        store.close()
    return rate


def _infer(captioner: Captioner, pictures: np.ndarray) -> None:
    """Encode and caption ROUND groups as indexing does: caption a group while the next is encoded."""
    with ThreadPoolExecutor(1) as pool:
        futures = []
        for _ in range(ROUND):
            group = [captioner.encode(pictures) for _ in range(GROUP // BATCH)]
            futures.append(pool.submit(captioner.caption, Features.joined(group)))
        for future in futures:
            future.result()


def vgg16_flops(side: int) -> float:
    """Return the floating-point operations of VGG16's convolutions: 2 x 9 x inputs x outputs x pixels each."""
    total, before = 0, 3
    for block, (convolutions, channels) in enumerate(BLOCKS):
        pixels = (side // 2**block) ** 2
        for _ in range(convolutions):
            total += 2 * 9 * before * channels * pixels
            before = channels
    return float(total)


def matmul_peak(dtype: str) -> float:
    """Return the best GFLOP/s of a square matrix product of `dtype` over several sizes."""
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
    target = folder / "crops"
    target.mkdir(parents=True)
    for number, crop in enumerate(_crops(folder, count)):
        crop.resize(JPEG_SIZE).save(target / f"{number:05d}.jpg", "JPEG", quality=85)
    return target


def make_large_photographs(folder: Path) -> Path:
    """Write LARGE_PICTURES JPEG files of twelve megapixels, of LARGE_DISTINCT pictures.

    The repeats differ in bytes after the end of the picture, so that their hashes differ at no cost for decoding.
    """
    target = folder / "crops"
    target.mkdir(parents=True)
    grain = np.random.default_rng(1).normal(0, GRAIN, (*LARGE_JPEG_SIZE[::-1], 1))
    for number, crop in enumerate(_crops(folder, LARGE_DISTINCT)):
        noisy = np.asarray(crop.resize(LARGE_JPEG_SIZE)) + grain
        buffer = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
        for repeat in range(LARGE_PICTURES // LARGE_DISTINCT):
            (target / f"{repeat:03d}-{number:03d}.jpg").write_bytes(buffer.getvalue() + bytes([repeat]))
    return target


def _crops(folder: Path, count: int) -> Iterator[Image.Image]:
    copy_samples(folder / "samples")
    sources = [Image.open(path).convert("RGB") for path in sorted((folder / "samples").glob("*.[jp][pn]g"))]
    random = np.random.default_rng(0)
    for number in range(count):
        image = sources[number % len(sources)]
        scale = random.uniform(0.5, 1.0)
        width, height = int(image.width * scale), int(image.height * scale)
        left, top = random.integers(0, image.width - width + 1), random.integers(0, image.height - height + 1)
        yield image.crop((left, top, left + width, top + height))
