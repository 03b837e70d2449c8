"""A search by an uploaded picture, over HTTP, beside one forward pass of VGG16."""

from __future__ import annotations

import http.client
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from bench.encoding import make_photographs, plain_vgg16
from bench.load import RETROFLEX, encoded_anew, serving, upload_body
from captioner.bundle import BUNDLED, load_bundle
from data.pictures import read_square

PICTURES = 200
QUERIES = 30
PAUSE = 1.1
"""Seconds between queries, so that no client is told to wait."""


def bench_picture_query() -> dict[str, float]:
    """Return milliseconds of a whole picture query and of one forward pass of one picture, taken in turns."""
    bundle = load_bundle(BUNDLED)
    vgg16 = plain_vgg16(bundle)
    with tempfile.TemporaryDirectory() as folder:
        library, photos = Path(folder) / "library", make_photographs(Path(folder), PICTURES + QUERIES)
        asked = sorted(photos.iterdir())[:QUERIES]
        uploads = [encoded_anew(photo) for photo in asked]
        squares = [read_square(photo, bundle.encoder.side)[None] for photo in asked]
        subprocess.run([RETROFLEX, "index", "--library", str(library), str(photos)], check=True, capture_output=True)
        whole, plain = [], []
        with serving(library) as (address, _):
            for upload, square in zip(uploads, squares, strict=True):
                time.sleep(PAUSE)
                whole.append(_query(address, upload))
                plain.append(_seconds(lambda square=square: vgg16(square)))
    # The first two find caches cold.
    return {
        "picture_query_ms": 1e3 * median(whole[2:]),
        "picture_query_worst_ms": 1e3 * max(whole[2:]),
        "one_pass_of_vgg16_ms": 1e3 * median(plain[2:]),
    }


def _seconds(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def _query(address: str, picture: bytes) -> float:
    """Seconds from connecting to the last byte of the answer."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request("POST", "/api/v1/search", *upload_body(picture))
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 200, answer.status
    return time.perf_counter() - started
