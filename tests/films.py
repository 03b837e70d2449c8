"""Tiny films that tests make by PyAV, scenes of one colour each, and a captioner that knows these colours."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from captioner.encoders.base import Features
from captioner.types import Caption, Description

av: Any = pytest.importorskip("av", reason="films need the extra video")

RED, GREEN, BLUE, GREY = (200, 30, 30), (30, 160, 60), (30, 60, 200), (120, 120, 120)
SIZE = (64, 48)
NAMES = {"red": RED, "green": GREEN, "blue": BLUE, "grey": GREY}


class ColourCaptioner:
    """Captions a picture by the nearest of four colours."""

    input_side = 32

    def __init__(self, version: str = "colours-1", fails_after: int | None = None) -> None:
        self.model_version, self.seen, self._fails_after = version, 0, fails_after

    def encode(self, pictures: np.ndarray) -> Features:
        self.seen += len(pictures)
        if self._fails_after is not None and self.seen > self._fails_after:
            raise KeyboardInterrupt
        means = pictures.reshape(len(pictures), -1, 3).mean(axis=1).astype(np.float32)
        centred = means - 127.5
        return Features(centred / np.linalg.norm(centred, axis=1, keepdims=True), means[:, None])

    def caption(self, features: Features) -> list[Description]:
        return [self._described(grid[0], vector) for grid, vector in zip(features.grids, features.vectors, strict=True)]

    def _described(self, mean: np.ndarray, vector: np.ndarray) -> Description:
        name = min(NAMES, key=lambda one: float(np.abs(mean - NAMES[one]).sum()))
        return Description([Caption(f"a {name} wall", -1.0)], {"vgg16": vector})

    def describe(self, pictures: np.ndarray) -> list[Description]:
        return self.caption(self.encode(pictures))


def make_film(
    path: Path,
    scenes: Sequence[tuple[int, int, int] | np.ndarray] = (RED, GREEN, BLUE),
    seconds: float = 2.0,
    rate: int = 8,
    codec: str = "mpeg4",
    gap: int = 8,
    tags: dict[str, str] | None = None,
    size: tuple[int, int] = SIZE,
    **options: Any,
) -> Path:
    """Write a film whose scenes last so long each, with `gap` frames from key frame to key frame at most.

    A scene is a colour, or uint8 (height, width, 3). `options` are attributes of the encoder.
    """
    with av.open(str(path), "w") as container:
        container.metadata.update(tags or {})
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = options.pop("pix_fmt", "yuv420p")
        stream.codec_context.gop_size = gap
        for name, value in options.items():
            setattr(stream.codec_context, name, value)
        for number in range(int(len(scenes) * seconds * rate)):
            scene = scenes[int(number / (seconds * rate))]
            picture = scene if isinstance(scene, np.ndarray) else np.full((size[1], size[0], 3), scene, np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def make_sound(path: Path) -> Path:
    """Write a file with a second of silence and no film."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate = 8000
        for _ in range(8):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def make_animation(
    path: Path, colours: Sequence[tuple[int, int, int]] = (RED, GREEN, BLUE), seconds: float = 1
) -> Path:
    """Write a GIF or WebP, by the suffix, whose frames last so long each."""
    frames = [Image.new("RGB", SIZE, colour) for colour in colours]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=int(1000 * seconds), loop=0)
    return path
