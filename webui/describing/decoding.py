"""Uploaded pictures are decoded in separate processes, with limits on their number, time and memory.

A decoder that hangs or crashes on a hostile file costs only that upload: its process is ended and replaced.
`webui.describing.decoder_process` is the other side.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from data import pictures
from data.limits import Limits
from data.pictures import PictureDamaged, PictureError
from webui.describing.messages import receive, send
from webui.problems import Problem

_log = logging.getLogger(__name__)

PROCESSES = 2
"""Pictures decoded at once: a large one takes a quarter of a gigabyte."""
SECONDS = 20.0
"""Time for one picture, and to wait for a process."""


@dataclass(frozen=True)
class Decoded:
    """A picture as the encoder takes it, uint8 (side, side, 3), and a small WebP of it."""

    square: np.ndarray
    preview: bytes


class Decoders:
    """A pool of decoder processes, started when needed; several threads may use it at once."""

    def __init__(self, processes: int = PROCESSES, seconds: float = SECONDS) -> None:
        """Decode at most `processes` pictures at a time, each within `seconds`."""
        self._seconds = seconds
        self._free: queue.LifoQueue[_Decoder | None] = queue.LifoQueue()
        for _ in range(processes):
            self._free.put(None)

    def decode(self, content: bytes, side: int, limits: Limits) -> Decoded:
        """Decode a picture file's bytes.

        Raises a PictureError, Problem 503 if no process is free in time, or DecoderUnavailable if none can be started.
        """
        try:
            decoder = self._free.get(timeout=self._seconds)
        except queue.Empty:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "too many pictures are being read; try again") from None
        try:
            decoder = decoder or _start_decoder()
            return decoder.decode(content, side, limits, self._seconds)
        finally:
            self._free.put(decoder if decoder and decoder.alive else None)


class DecoderUnavailable(Problem):
    """No decoder process can be started; the server's log says why."""

    def __init__(self) -> None:
        detail = "pictures cannot be read now: their decoder did not start, the server's log says why; try again"
        super().__init__(HTTPStatus.SERVICE_UNAVAILABLE, detail)


def _start_decoder() -> _Decoder:
    """Start a decoder; try once again if it dies before it is ready. Raises DecoderUnavailable."""
    for _ in range(2):
        try:
            return _Decoder()
        except (EOFError, OSError) as error:
            _log.error("a decoder process did not start: %s", error)
    raise DecoderUnavailable


class _Decoder:
    """One decoder process; it ends with this process, as its input is closed."""

    def __init__(self) -> None:
        """Start the process and wait until it is ready. Raises EOFError or OSError if it does not start."""
        # With -P and the path, modules come from this program, never from the working directory.
        command = [sys.executable, "-P", "-m", "webui.describing.decoder_process"]
        path = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}, **pipes)  # type: ignore[call-overload]
        self._jobs, self._answers = (cast(IO[bytes], pipe) for pipe in (self._process.stdin, self._process.stdout))
        try:
            receive(self._answers)  # Wait until it is ready: starting does not count as time of the picture.
        except (EOFError, OSError):
            self._end()
            raise

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def decode(self, content: bytes, side: int, limits: Limits, seconds: float) -> Decoded:
        job = {"side": side, "max_bytes": limits.max_bytes, "max_pixels": limits.max_pixels}
        ends = time.monotonic() + seconds
        timer = threading.Timer(seconds, self._process.kill)
        timer.start()
        try:
            send(self._jobs, json.dumps(job).encode(), content)
            error, square, preview = json.loads(receive(self._answers)), *(receive(self._answers) for _ in range(2))
        except (EOFError, OSError) as cause:
            self._end()
            reason = "takes too long to decode" if time.monotonic() >= ends else "cannot be decoded"
            raise PictureDamaged(reason) from cause
        finally:
            timer.cancel()
        if error:
            raise _picture_error(error)
        return Decoded(np.frombuffer(square, np.uint8).reshape(side, side, 3), preview)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._jobs, self._answers):
            with suppress(OSError):  # Unsent data is lost.
                pipe.close()


DECODERS = Decoders()
"""The decoders of this process."""


def _picture_error(error: dict[str, Any]) -> PictureError:
    kind = getattr(pictures, error["kind"])
    return cast(PictureError, kind(error["message"]))
