"""The process that decodes uploaded pictures for `webui.describing.decoding`, one after the other, with little memory.

A job is two messages on standard input, its limits in JSON and the file's bytes. The answer is three: the error in
JSON (an empty object if there is none), the pixels of the square, and the preview.
"""

from __future__ import annotations

import io
import json
import resource
import signal
import sys
from typing import IO

from PIL import Image

from data import pictures
from data.limits import Limits
from data.pictures import PictureError
from webui.describing.messages import receive, send

MEMORY = 4 * 2**30
"""Bytes of address space, enough for several copies of the largest picture."""
PREVIEW_SIDE = 192
EFFORT = 2
"""Takes half the time of WebP's default effort, for three percent more bytes."""


def serve(jobs: IO[bytes], answers: IO[bytes]) -> None:
    """Answer jobs until there are no more."""
    send(answers, b"ready")
    while True:
        try:
            job, content = json.loads(receive(jobs)), receive(jobs)
        except EOFError:
            return
        send(answers, *answer(content, job["side"], Limits(job["max_bytes"], job["max_pixels"])))


def answer(content: bytes, side: int, limits: Limits) -> tuple[bytes, bytes, bytes]:
    """Decode one picture file; return error, square and preview as messages."""
    try:
        image = pictures.decode(content, limits, min_side=side).image
    except PictureError as error:
        return json.dumps({"kind": type(error).__name__, "message": str(error)}).encode(), b"", b""
    return b"{}", pictures.square(image, side).tobytes(), preview(image)


def preview(image: Image.Image) -> bytes:
    """Return a small WebP of the picture."""
    small = image.copy()
    small.thumbnail((2 * PREVIEW_SIDE, PREVIEW_SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=80, method=EFFORT)
    return buffer.getvalue()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then ends this process.
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    serve(sys.stdin.buffer, sys.stdout.buffer)
