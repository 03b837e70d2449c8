"""A tiny data set of plain colours and a captioner that knows colours."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from captioner.calibration import Calibration
from captioner.decoder import DecoderConfig
from captioner.embedding import EmbeddingConfig
from captioner.encoders.base import Features
from captioner.types import Caption, Description, SearchModel

COLOURS = {"red": (250, 0, 0), "green": (0, 250, 0), "blue": (0, 0, 250), "white": (250, 250, 250)}


class ColourCaptioner:
    """Says of a plain picture which colour it has, in three captions; the vector tells colours apart."""

    model_version = "colours-1"
    input_side = 32
    search_model = SearchModel("colours-1", "vgg16", Calibration())

    def __init__(self) -> None:
        self.batches: list[int] = []

    def describe(self, pictures: np.ndarray) -> list[Description]:
        assert pictures.dtype == np.uint8
        assert pictures.shape[1:] == (32, 32, 3)
        self.batches.append(len(pictures))
        return [self._describe(picture) for picture in pictures]

    def encode(self, pictures: np.ndarray) -> Features:
        return Features(pictures.reshape(len(pictures), -1).astype(np.float32))

    def caption(self, features: Features) -> list[Description]:
        return self.describe(features.vectors.reshape(-1, 32, 32, 3).astype(np.uint8))

    def _describe(self, picture: np.ndarray) -> Description:
        distance = [np.abs(picture.mean((0, 1)) - colour).sum() for colour in COLOURS.values()]
        place = int(np.argmin(distance))
        texts = [pattern.format(list(COLOURS)[place]) for pattern in ("a plain {} wall", "{} paper", "the {} sky")]
        captions = [Caption(text, -1.0 - rank) for rank, text in enumerate(texts)]
        return Description(captions, {"vgg16": np.eye(len(COLOURS), dtype=np.float32)[place]})


@pytest.fixture
def colour_captioner() -> ColourCaptioner:
    return ColourCaptioner()


@pytest.fixture
def colour_dataset(tmp_path: Path) -> Path:
    """A folder in Flickr8k layout: dev and test hold one picture of each colour with two human captions."""
    folder = tmp_path / "dataset"
    (folder / "Flicker8k_Dataset").mkdir(parents=True)
    lines = []
    for name, colour in COLOURS.items():
        Image.new("RGB", (64, 48), colour).save(folder / "Flicker8k_Dataset" / f"{name}.jpg")
        lines += [f"{name}.jpg#0\tA plain {name} wall .", f"{name}.jpg#1\tSomebody painted this {name} ."]
    (folder / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n")
    for split in ("dev", "test"):
        (folder / f"Flickr_8k.{split}Images.txt").write_text("".join(f"{name}.jpg\n" for name in COLOURS))
    return folder


@pytest.fixture(scope="module")
def small_networks() -> Iterator[None]:
    """Train networks of a twentieth of the usual width: most of the time of a tiny training goes into wide layers."""
    with pytest.MonkeyPatch.context() as changed:
        decoder = partial(DecoderConfig, embedding=24, units=32, attention=24)
        changed.setattr("training.decoder.trainer.DecoderConfig", decoder)
        changed.setattr("training.decoder.pretraining.DecoderConfig", decoder)
        changed.setattr(
            "training.embedding.trainer.EmbeddingConfig",
            partial(EmbeddingConfig, word=16, units=32, heads=2, dimensions=16),
        )
        yield


@pytest.fixture
def untraced() -> Iterator[None]:
    """Let steps run as they are written: for the few of a test, tracing them into graphs takes far longer."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
