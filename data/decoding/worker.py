"""A child process that decodes picture files for `data.decoding.pool`, one after the other.

A job is two messages on standard input: the order in JSON, and the file's bytes. The answer is one message of JSON, an
error or how much memory and time the picture needs. The parent then sends how much memory it may take. The second
answer is JSON too, with an error or not, and without one the messages of `Decoded` follow.
"""

from __future__ import annotations

import json
import os
import queue
import resource
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import IO, Any, NamedTuple, Protocol, TypeVar

from data.colour.srgb import reduction
from data.decoding.budget import HEADER_BYTES
from data.decoding.messages import receive, send
from data.decoding.orders import Decoded, Job, make
from data.errors import PictureDamaged, PictureError, one_line
from data.loading import draft_size, set_scale
from data.pictures import open_header
from data.tiff import WideTiff
from data.webp import StillWebp, header, is_large_still

WIDE = "TIFF put together by data.tiff"
LOSSY, LOSSLESS = "lossy WebP by data.webp", "lossless WebP by data.webp"
BYTES_A_PIXEL = {
    "PNG": 4,
    "GIF": 5,
    "JPEG": 4,
    "MPO": 4,
    "TIFF": 8,
    "BMP": 8,
    "DIB": 8,
    "HEIF": 12,
    "AVIF": 13,
    "WEBP": 18,
    "JPEG2000": 27,
    WIDE: 36,
    LOSSY: 8,
    LOSSLESS: 8,
}
"""The most that Pillow and the libraries below it take for a pixel, measured in the mode that takes most."""
COEFFICIENT_BYTES = 2
"""For a colour of a pixel of a JPEG in several scans."""
CODED_BYTES = {"JPEG2000": 2, LOSSY: 2, LOSSLESS: 6}
"""For a pixel of the file, at whatever scale it is decoded."""
RESULT_BYTES = 8
"""For a pixel of the result, before and after it is turned upright."""
OVERHEAD = 48 * 2**20
"""Threads, tables, and the tiles in which colours are converted."""
KEPT = 96 * 2**20
"""The most bytes that a process may keep between two jobs; most keep 30 MB."""
MEGAPIXEL_SHARE = 0.04
"""A megapixel adds this share of the time for a picture of no size: about ten times what slow formats need."""


class Cost(NamedTuple):
    """Bytes of memory and seconds of processor time, both generous."""

    size: int
    seconds: float


class Work(Protocol):
    """A job that a child does: the bytes that it keeps of the file, and seconds for reading the header."""

    @property
    def size(self) -> int: ...

    @property
    def seconds(self) -> float: ...


J = TypeVar("J", bound=Work)


def main() -> None:
    """Answer the jobs of pictures on standard input until it is closed."""
    serve(lambda get: Job.from_messages(get(), get()), estimate, lambda job: _made(job).to_messages())


def serve(
    read: Callable[[Callable[[], bytes]], J], cost_of: Callable[[J], Cost], answer: Callable[[J], Sequence[bytes]]
) -> None:
    """Do jobs on standard input until it is closed: `read` makes one of messages, `answer` the messages that follow.

    Both `cost_of` and `answer` may raise any exception.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends this process.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    messages = queue.SimpleQueue[bytes]()
    threading.Thread(target=_read_messages, args=(sys.stdin.buffer, messages), daemon=True).start()
    answers = sys.stdout.buffer
    send(answers, b"ready")
    # What libraries print about a file is not for the terminal; from here on errors are answers.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    bounds = Bounds()
    while True:
        _answer(read(messages.get), cost_of, answer, bounds, messages, answers)


def _made(job: Job) -> Decoded:
    return make(job.content, job.order, job.limits)


def _read_messages(jobs: IO[bytes], messages: queue.SimpleQueue[bytes]) -> None:
    """Pass messages on; when the parent has ended, by whatever cause, end this process in the midst of its work."""
    with suppress(EOFError, OSError):
        while True:
            messages.put(receive(jobs))
    os._exit(0)


class Bounds:
    """Limits the memory and processor time of this process, as needed for each job."""

    def __init__(self) -> None:
        """What is in use now comes on top of every limit."""
        self._base = _address_space()

    def set(self, size: int, seconds: float) -> None:
        """Allow `size` bytes, and `seconds` of processor time from now on.

        At the end of the time the system ends this process by SIGPROF, wherever it is.
        """
        resource.setrlimit(resource.RLIMIT_AS, (self._base + size if self._base else -1, resource.RLIM_INFINITY))
        signal.setitimer(signal.ITIMER_PROF, seconds)

    def lift(self) -> None:
        """Lift both limits, to wait for messages and to send them."""
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        signal.setitimer(signal.ITIMER_PROF, 0)

    @property
    def exhausted(self) -> bool:
        """Whether a library has not given memory back, so that this process is of no more use."""
        return _address_space() - self._base > KEPT


def _address_space() -> int:
    """Return the bytes of address space in use, or 0 where the system does not tell: then memory is not limited."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:  # not Linux
        return 0


def _answer(
    job: J,
    cost_of: Callable[[J], Cost],
    answer: Callable[[J], Sequence[bytes]],
    bounds: Bounds,
    messages: queue.SimpleQueue[bytes],
    answers: IO[bytes],
) -> None:
    parts: Sequence[bytes] = ()
    try:
        bounds.set(job.size + HEADER_BYTES, job.seconds)
        cost = cost_of(job)
        bounds.lift()
        send(answers, json.dumps(cost._asdict()).encode())
        bounds.set(int(messages.get()), cost.seconds)
        parts = answer(job)
        document = dict[str, Any]()
    except Exception as error:  # of Pillow and the libraries below it, in any form
        document = _as_document(error)
    bounds.lift()
    send(answers, json.dumps(document | {"exhausted": bounds.exhausted}).encode(), *parts)


def estimate(job: Job) -> Cost:
    """Return what the picture costs by its header. Raises a PictureError."""
    (width, height), kind, colours, decoded = _header(job)
    pixels, factor = width * height, reduction(decoded, job.order.min_side)
    seconds = job.seconds * (1 + MEGAPIXEL_SHARE * pixels / 1e6)
    if job.order.exif:
        return Cost(HEADER_BYTES, seconds)
    needed = decoded[0] * decoded[1] * (BYTES_A_PIXEL[kind] + RESULT_BYTES / factor**2)
    needed += pixels * colours * COEFFICIENT_BYTES if kind in ("JPEG", "MPO") else 0
    needed += pixels * CODED_BYTES.get(kind, 0)
    return Cost(int(needed) + OVERHEAD, seconds)


def _header(job: Job) -> tuple[tuple[int, int], str, int, tuple[int, int]]:
    """Return size in pixels, Pillow's name of the format, number of colours, and the size as it will be decoded."""
    _, webp, _ = header(job.content)
    if webp and not is_large_still(job.content):  # Pillow takes memory for the pixels to find out
        return webp, "WEBP", 4, webp
    image = open_header(job.content, job.limits)
    size, min_side = image.size, job.order.min_side
    decoded = set_scale(image, job.content, draft_size(size, min_side)) if min_side else size
    kind = WIDE if isinstance(image, WideTiff) else str(image.format)
    if isinstance(image, StillWebp):
        kind = LOSSLESS if image.lossless else LOSSY
    return size, kind, len(image.getbands()), decoded


def _as_document(error: Exception) -> dict[str, Any]:
    if not isinstance(error, PictureError):
        error = PictureDamaged(f"is damaged: {one_line(error)}")
    return {"kind": type(error).__name__, "message": str(error), "memory": _is_of_memory(error)}


def _is_of_memory(error: BaseException | None) -> bool:
    """Return whether memory was what a decoder lacked."""
    while error is not None:
        if isinstance(error, MemoryError) or "memory" in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False


if __name__ == "__main__":
    main()
