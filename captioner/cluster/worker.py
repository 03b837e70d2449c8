"""A worker as it runs in a process of its own, on any machine: one describer, and files that it reads itself."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from captioner.pipeline import describe_in_steps
from captioner.reading import Decoding, Identified, Identify, Load
from captioner.types import Description, StagedDescriber
from data.errors import PictureError
from data.scan import FoundFile

PACKAGES = ("data", "captioner", "retrieval")
"""Whose code runs in workers."""


class Identity(NamedTuple):
    """What has to be the same in all workers: the digest of the code, the model, and the side of squares in pixels."""

    code: str
    model_version: str
    side: int


class FileDescribed(NamedTuple):
    """A description of each square of a file, and the facts of its reader; or why it cannot be decoded."""

    descriptions: Sequence[Description] = ()
    facts: Any = None
    error: PictureError | None = None


def identity_of(describer: StagedDescriber) -> Identity:
    """Return the identity of this process with a describer."""
    return Identity(code_digest(), describer.model_version, describer.input_side)


def code_digest() -> str:
    """Return the SHA-256 of all Python files of PACKAGES, in hexadecimal."""
    state = hashlib.sha256()
    for package in PACKAGES:
        (root,) = import_module(package).__path__
        for path in sorted(Path(root).rglob("*.py")):
            state.update(f"{package}/{path.relative_to(root).as_posix()}\n".encode() + path.read_bytes())
    return state.hexdigest()


class Worker:
    """Identifies, decodes and describes files; two threads may call it at once, so that one reads ahead."""

    def __init__(self) -> None:
        self._kept: dict[int, dict[str, bytes]] = {}

    def load(self, load: Load, threads: int) -> tuple[Identity, str]:
        """Load the describer, which computes in so many threads, before all else.

        Return what has to be the same in all workers, and the machine's name. Raises RetroflexError.
        """
        os.environ["OMP_NUM_THREADS"] = os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
        os.environ["TF_NUM_INTEROP_THREADS"] = "1"
        self._describer = load()
        return identity_of(self._describer), socket.gethostname()

    def identify(self, task: int, group: Sequence[FoundFile], identify: Identify) -> list[Identified]:
        """Hash files; their contents stay here for `describe` of the same `task`, as far as they were kept."""
        identified = identify(group)
        self._kept[task] = {one.digest: one.content for one in identified if one.content is not None}
        return [one._replace(content=None) for one in identified]

    def describe(self, task: int, decodings: Sequence[Decoding]) -> list[FileDescribed]:
        """Decode and describe files, in order."""
        contents, squares, decoded = self._kept.pop(task, {}), list[np.ndarray](), list[FileDescribed]()
        counts = []
        for decoding in decodings:
            try:
                pixels = decoding.run(contents.pop(decoding.digest, None))
                decoded.append(FileDescribed(facts=pixels.facts))
                squares += pixels.squares
                counts.append(len(pixels.squares))
            except PictureError as error:
                decoded.append(FileDescribed(error=error))
                counts.append(0)
        contents.clear()
        descriptions = iter(describe_in_steps(self._describer, squares))
        return [
            file._replace(descriptions=[next(descriptions) for _ in range(count)])
            for file, count in zip(decoded, counts, strict=True)
        ]

    def forget(self, task: int) -> None:
        """Drop the contents of a task of which nothing is to be described."""
        self._kept.pop(task, None)
