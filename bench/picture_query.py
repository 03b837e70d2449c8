"""A search by an uploaded picture, over HTTP, beside one forward pass of the encoder."""

from __future__ import annotations

import http.client
import subprocess
import tempfile
import time
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from bench.encoding import make_photographs
from bench.load import RETROFLEX, encoded_anew, serving, upload_body
from captioner.facade import Captioner
from data.pictures import read_square

PICTURES = 200
QUERIES = 30
PAUSE = 1.1
"""Seconds between queries, so that no client is told to wait."""


def bench_picture_query() -> dict[str, float]:
    """Return milliseconds of a whole picture query and of one forward pass of one picture, taken in turns."""
    captioner = Captioner.load().warm_up()
    with tempfile.TemporaryDirectory() as folder:
        library, photos = Path(folder) / "library", make_photographs(Path(folder), PICTURES + QUERIES)
        asked = sorted(photos.iterdir())[:QUERIES]
        uploads = [encoded_anew(photo) for photo in asked]
        squares = [read_square(photo, captioner.input_side)[None] for photo in asked]
        subprocess.run([RETROFLEX, "index", "--library", str(library), str(photos)], check=True, capture_output=True)
        whole, forward = [], []
        with serving(library) as (address, _):
            for upload, square in zip(uploads, squares, strict=True):
                time.sleep(PAUSE)
                whole.append(_query(address, upload))
                started = time.perf_counter()
                captioner.encode(square)
                forward.append(time.perf_counter() - started)
    # The first two find caches cold.
    return {
        "picture_query_ms": 1e3 * median(whole[2:]),
        "picture_query_worst_ms": 1e3 * max(whole[2:]),
        "one_forward_pass_ms": 1e3 * median(forward[2:]),
    }


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
