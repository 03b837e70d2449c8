"""Describers that workers of a test's cluster load."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np

from captioner.encoders.base import Features
from tests.retrieval.indexing.test_indexer import FakeCaptioner

POISON = (255, 0, 255)
"""The colour of a picture that ends the process which encodes it."""


class Mortal(FakeCaptioner):
    """Notes its process in a folder, waits until so many have, and dies of POISON."""

    def __init__(self, folder: Path, processes: int) -> None:
        super().__init__()
        self.folder, self.processes = folder, processes
        (folder / f"{os.getpid()}.pid").touch()

    def encode(self, pictures: np.ndarray) -> Features:
        while len(list(self.folder.iterdir())) < self.processes:
            time.sleep(0.02)
        if (pictures == np.array(POISON, np.uint8)).all(axis=(1, 2, 3)).any():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode(pictures)


def other_version() -> FakeCaptioner:
    """Stands for a worker with another bundle."""
    return FakeCaptioner("fake-2")
