"""Drawn files that cost much more than their size suggests, and the memory of a tree of processes."""

from __future__ import annotations

import io
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pillow_heif
from PIL import Image

GIANT = (10_000, 7_990)
"""As many pixels as the cap allows."""


def png_header(width: int, height: int, colours: int = 6) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0))


def giant_png(size: tuple[int, int] = GIANT, channels: int = 4) -> bytes:
    """A transparent picture of one colour: a few hundred kilobytes for 320 MB of pixels."""
    width, height = size
    packer, row = zlib.compressobj(9), b"\0" + bytes((200, 40, 30, 128)[:channels]) * width
    pixels = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    header = png_header(width, height, {4: 6, 3: 2}[channels])
    return header + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def many_scans(size: tuple[int, int], scans: int) -> bytes:
    """A progressive JPEG whose last scan, over the whole picture, is repeated."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize(size).save(buffer, "JPEG", progressive=True)
    content = buffer.getvalue()
    last = content.rindex(b"\xff\xda")
    return content[:last] + content[last:-2] * scans + content[-2:]


def giant_gif() -> bytes:
    """A canvas of the largest size, with one pixel in its first frame."""
    buffer = io.BytesIO()
    Image.new("P", (1, 1)).save(buffer, "GIF")
    content = bytearray(buffer.getvalue())
    content[6:10] = struct.pack("<HH", *GIANT)
    return bytes(content)


def silly_tiff(size: tuple[int, int] = (60, 40), **tags: tuple[int, int, int]) -> bytes:
    """A TIFF with further or other tags, each as number=(type, count, value), numbers as `t257`."""
    entries = {256: (4, 1, size[0]), 257: (4, 1, size[1]), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    entries |= {273: (4, 1, 400), 277: (3, 1, 1), 278: (4, 1, size[1]), 279: (4, 1, size[0] * size[1])}
    entries |= {int(name[1:]): tag for name, tag in tags.items()}
    rows = b"".join(struct.pack("<HHII", number, *tag) for number, tag in sorted(entries.items()))
    head = struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", len(entries)) + rows + bytes(4)
    return head.ljust(400, b"\0") + b"\x80" * 2400


def heic(size: tuple[int, int] = (3_000, 2_000)) -> bytes:
    """A HEIC of one colour."""
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.new("RGB", size, (200, 40, 30))).save(buffer, quality=10)
    return buffer.getvalue()


def processes_below(process: int) -> list[int]:
    """A process and its children, grandchildren and so on."""
    found = [process]
    for task in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            found += [one for child in task.read_text().split() for one in processes_below(int(child))]
        except OSError:
            continue
    return found


def resident(process: int) -> int:
    """Bytes of memory of a process, with what it shares with others."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def tree_memory() -> dict[int, int]:
    """Bytes of memory of this process and all below it, by process.

    A child that does not run its own program yet still has its parent's memory; it is left out.
    """
    top, *below = processes_below(os.getpid())
    return {one: resident(one) for one in (top, *(one for one in below if command_line(one) != command_line(top)))}


def command_line(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


@contextmanager
def peak_growth() -> Iterator[list[int]]:
    """Yield a list that on leaving has the most bytes that this process and those below it had gained at a time.

    What one of them gives back, or what was another test's and ends meanwhile, takes nothing off that.
    """
    before, peak, done = tree_memory(), [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            gained = sum(max(0, size - before.get(process, 0)) for process, size in tree_memory().items())
            peak[0] = max(peak[0], gained)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()
