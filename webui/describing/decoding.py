"""Uploaded pictures are decoded in processes of their own: bounded in number, time and memory.

A decoder that hangs or crashes on a hostile file costs that one upload: its process is ended and its place is free
again. `webui.describing.decoder_process` is the other side.
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

PLACES = 2
"""Pictures decoded at the same time: a large one takes a quarter of a gigabyte."""
SECONDS = 20.0
"""For one picture, and to wait for a place."""


@dataclass(frozen=True)
class Decoded:
    """A picture as the encoder takes it, uint8 (side, side, 3), and a small WebP of it."""

    square: np.ndarray
    preview: bytes


class Decoders:
    """A pool of decoder processes, started when they are needed; may be used by several threads at once."""

    def __init__(self, places: int = PLACES, seconds: float = SECONDS) -> None:
        """Decode at most `places` pictures at a time, each within `seconds`."""
        self._seconds = seconds
        self._free: queue.LifoQueue[_Decoder | None] = queue.LifoQueue()
        for _ in range(places):
            self._free.put(None)

    def decode(self, content: bytes, side: int, limits: Limits) -> Decoded:
        """Decode a picture file's bytes.

        Raises a PictureError, or Problem 503: no place gets free in time, or (DecoderUnavailable) none can be started.
        """
        try:
            decoder = self._free.get(timeout=self._seconds)
        except queue.Empty:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "too many pictures are being read; try again") from None
        try:
            decoder = decoder or _started()
            return decoder.decode(content, side, limits, self._seconds)
        finally:
            self._free.put(decoder if decoder and decoder.alive else None)


class DecoderUnavailable(Problem):
    """No decoder process can be started; the server's log says why."""

    def __init__(self) -> None:
        told = "pictures cannot be read at present: their decoder did not start, the server's log says why; try again"
        super().__init__(HTTPStatus.SERVICE_UNAVAILABLE, told)


def _started() -> _Decoder:
    """Start a decoder, once more where the first one dies before it is ready. Raises DecoderUnavailable."""
    for _ in range(2):
        try:
            return _Decoder()
        except (EOFError, OSError) as error:
            _log.error("a decoder process did not start: %s", error)
    raise DecoderUnavailable


class _Decoder:
    """One decoder process; it ends with this one, since its input does."""

    def __init__(self) -> None:
        """Start the process and wait until it is ready. Raises EOFError or OSError where it does not get there."""
        # -P and the path: the modules are those of this very program, whatever lies in the working directory.
        command = [sys.executable, "-P", "-m", "webui.describing.decoder_process"]
        path = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": path}, **pipes)  # type: ignore[call-overload]
        self._jobs, self._answers = (cast(IO[bytes], one) for one in (self._process.stdin, self._process.stdout))
        try:
            receive(self._answers)  # It says when it is ready: to start is none of the picture's time.
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
            raise _as_told(error)
        return Decoded(np.frombuffer(square, np.uint8).reshape(side, side, 3), preview)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._jobs, self._answers):
            with suppress(OSError):  # What was not sent yet cannot be.
                pipe.close()


DECODERS = Decoders()
"""Those of this process."""


def _as_told(error: dict[str, Any]) -> PictureError:
    kind = getattr(pictures, error["kind"])
    return cast(PictureError, kind(error["message"]))
