"""One captioner for several server processes, in a process of its own, behind a Unix socket.

A captioner takes more memory than all else together, and all processors while it works: one for each server process
would take much more memory and answer no more pictures. What travels is pixels one way and JSON the other.
"""

from __future__ import annotations

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np

from captioner.types import Caption, Describer, Description
from data.errors import RetroflexError
from webui.describing.messages import Pipe, receive, send
from webui.problems import Problem

SECONDS = 60.0
"""How long one side waits for the other, the pictures of the other processes before it included."""

_log = logging.getLogger(__name__)


class CaptionerError(RetroflexError):
    """The captioner could not be loaded."""


def listen_for_pictures(path: Path) -> socket.socket:
    """Return the listening socket that `serve_captioner` answers on and `RemoteCaptioner` calls."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(64)
    return listener


def serve_captioner(listener: socket.socket, loader: Callable[[], Describer]) -> None:
    """Load the captioner and answer one caller after the other, for ever."""
    captioner, facts = _load(loader)
    while True:
        connection, _ = listener.accept()
        connection.settimeout(SECONDS)
        try:
            with connection, connection.makefile("rwb") as pipe:
                _answer(pipe, captioner, facts)
        except (OSError, EOFError):
            continue  # The caller went away.


class RemoteCaptioner:
    """The captioner of `serve_captioner`, for another process."""

    def __init__(self, path: Path) -> None:
        """Wait until it is loaded. Raises CaptionerError when it cannot be, or Problem 503 when it went away."""
        self._path = path
        with self._call(None) as (_, facts):
            self.model_version: str = facts["model_version"]
            self.input_side: int = facts["input_side"]

    def describe(self, pictures: np.ndarray) -> list[Description]:
        """Describe uint8 RGB pictures (n, input_side, input_side, 3). Raises Problem 503 when it is not there."""
        return [self._one(picture) for picture in pictures]

    def _one(self, picture: np.ndarray) -> Description:
        with self._call(SECONDS) as (pipe, _):
            send(pipe, picture.tobytes())
            told = json.loads(receive(pipe))
        captions = [Caption(text, logprob) for text, logprob in told["captions"]]
        return Description(captions, {kind: np.array(one, np.float32) for kind, one in told["vectors"].items()})

    @contextmanager
    def _call(self, seconds: float | None) -> Iterator[tuple[Pipe, dict[str, Any]]]:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(seconds)
                connection.connect(str(self._path))
                with connection.makefile("rwb") as pipe:
                    facts = json.loads(receive(pipe))
                    if "failure" in facts:
                        raise CaptionerError(facts["failure"])
                    yield pipe, facts
        except (OSError, EOFError) as error:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "the captioner is not there just now; try again") from error


def connect(path: Path) -> RemoteCaptioner:
    """Return the captioner behind `path` once it is loaded, tried again when it dies over that.

    Raises CaptionerError.
    """
    while True:
        try:
            return RemoteCaptioner(path)
        except Problem:
            time.sleep(1)


def _load(loader: Callable[[], Describer]) -> tuple[Describer | None, dict[str, Any]]:
    try:
        captioner = loader()
    except RetroflexError as error:
        return None, {"failure": str(error)}
    except Exception:  # Text search must go on whatever a deep-learning library raises.
        _log.exception("the captioner could not be loaded")
        return None, {"failure": "the captioner could not be loaded; the server's log says why"}
    return captioner, {"model_version": captioner.model_version, "input_side": captioner.input_side}


def _answer(pipe: Pipe, captioner: Describer | None, facts: dict[str, Any]) -> None:
    send(pipe, json.dumps(facts).encode())
    if captioner is None:
        return
    pixels = np.frombuffer(receive(pipe), np.uint8)
    described = captioner.describe(pixels.reshape(1, captioner.input_side, captioner.input_side, 3))[0]
    captions = [[one.text, one.logprob] for one in described.captions]
    vectors = {kind: one.tolist() for kind, one in described.vectors.items()}
    send(pipe, json.dumps({"captions": captions, "vectors": vectors}).encode())
