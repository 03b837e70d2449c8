"""One captioner for several server processes, in a process of its own, behind a Unix socket.

A captioner takes more memory than everything else together, and all processors while it works: one for each server
process would take more memory and describe no more pictures. Requests are pixels, answers are JSON.
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
from data.decoding.messages import Pipe, receive, send
from data.errors import RetroflexError
from webui.problems import Problem

SECONDS = 60.0
"""How long one side waits for the other, including pictures of other processes before it."""

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
    """Load the captioner and answer one caller after the other, without end."""
    captioner, facts = _load(loader)
    while True:
        connection, _ = listener.accept()
        connection.settimeout(SECONDS)
        try:
            with connection, connection.makefile("rwb") as pipe:
                _answer(pipe, captioner, facts)
        except (OSError, EOFError):
            continue  # The caller is gone.


class RemoteCaptioner:
    """The captioner of `serve_captioner`, for another process."""

    def __init__(self, path: Path) -> None:
        """Wait until it is loaded. Raises CaptionerError if loading failed, or Problem 503 if its process is gone."""
        self._path = path
        with self._call(None) as (_, facts):
            self.model_version: str = facts["model_version"]
            self.input_side: int = facts["input_side"]

    def describe(self, pictures: np.ndarray) -> list[Description]:
        """Describe uint8 RGB pictures (n, input_side, input_side, 3). Raises Problem 503 if its process is gone."""
        return [self._describe_one(picture) for picture in pictures]

    def _describe_one(self, picture: np.ndarray) -> Description:
        with self._call(SECONDS) as (pipe, _):
            send(pipe, picture.tobytes())
            answer = json.loads(receive(pipe))
        captions = [Caption(text, logprob) for text, logprob in answer["captions"]]
        return Description(captions, {kind: np.array(vector, np.float32) for kind, vector in answer["vectors"].items()})

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
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "the captioner is not available now; try again") from error


def connect(path: Path) -> RemoteCaptioner:
    """Return the captioner behind `path` once it is loaded; try again if its process dies before.

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
    except Exception:  # Text search must work whatever a deep-learning library raises.
        _log.exception("the captioner could not be loaded")
        return None, {"failure": "the captioner could not be loaded; the server's log says why"}
    return captioner, {"model_version": captioner.model_version, "input_side": captioner.input_side}


def _answer(pipe: Pipe, captioner: Describer | None, facts: dict[str, Any]) -> None:
    send(pipe, json.dumps(facts).encode())
    if captioner is None:
        return
    pixels = np.frombuffer(receive(pipe), np.uint8)
    described = captioner.describe(pixels.reshape(1, captioner.input_side, captioner.input_side, 3))[0]
    captions = [[caption.text, caption.logprob] for caption in described.captions]
    vectors = {kind: vector.tolist() for kind, vector in described.vectors.items()}
    send(pipe, json.dumps({"captions": captions, "vectors": vectors}).encode())
