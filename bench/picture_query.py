"""Measure a search by an uploaded picture, over HTTP, and a forward pass of VGG16."""

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
from bench.load import RETROFLEX, reencoded, serving, upload_body
from captioner.bundle import BUNDLED, load_bundle
from data.decoding.pool import read_square

PICTURES = 200
QUERIES = 30
PAUSE = 1.1
"""Seconds between queries, to stay below the rate limit."""


def bench_picture_query() -> dict[str, float]:
    """Return milliseconds of a picture query and of a forward pass of one picture, measured in turn."""
    bundle = load_bundle(BUNDLED)
    vgg16 = plain_vgg16(bundle)
    with tempfile.TemporaryDirectory() as folder:
        library, photos = Path(folder) / "library", make_photographs(Path(folder), PICTURES + QUERIES)
        queries = sorted(photos.iterdir())[:QUERIES]
        uploads = [reencoded(photo) for photo in queries]
        squares = [read_square(photo, bundle.encoder.side)[None] for photo in queries]
        subprocess.run([RETROFLEX, "index", "--library", str(library), str(photos)], check=True, capture_output=True)
        whole, plain = [], []
        with serving(library) as (address, _):
            for upload, square in zip(uploads, squares, strict=True):
                time.sleep(PAUSE)
                whole.append(_query(address, upload))
                plain.append(_seconds(lambda square=square: vgg16(square)))
    # The first two have cold caches.
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
    """Return seconds from connecting to the last byte of the response."""
    started = time.perf_counter()
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    connection.request("POST", "/api/v1/search", *upload_body(picture))
    response = connection.getresponse()
    response.read()
    connection.close()
    assert response.status == 200, response.status
    return time.perf_counter() - started
