"""Drawn people, a stand-in that finds their faces, and the two photographs of faces that installed libraries have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from captioner.encoders.base import Features
from captioner.faces.base import FoundFace
from captioner.faces.finder import what_is_missing
from data.faces.records import Box
from data.limits import DEFAULT_LIMITS
from data.store import Store
from retrieval.faces.indexing import CropEncoder, FaceReport, Progress, find_faces

PEOPLE = {"anna": (255, 0, 0), "ben": (0, 0, 255), "cleo": (0, 255, 0)}
real_faces = pytest.mark.skipif(bool(what_is_missing()), reason=what_is_missing() or "there")


def draw_people(path: Path, boxes: Mapping[str, tuple[int, int, int, int]], size: tuple[int, int] = (100, 80)) -> Path:
    """Save a picture of people: a box (left, top, right, bottom, in pixels) of each one's colour."""
    image = Image.new("RGB", size, (120, 120, 120))
    for name, (left, top, right, bottom) in boxes.items():
        ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), fill=PEOPLE[name])
    image.save(path)
    return path


BOXES = ({}, {"anna": (10, 10, 70, 70)}, {"ben": (0, 0, 40, 60), "anna": (60, 20, 90, 50)})


def make_drawn_film(path: Path, folder: Path) -> Path:
    """Write a film of two seconds a frame, of the BOXES, in the very colours of the people."""
    drawn = [Image.open(draw_people(folder / f"{number}.png", boxes)) for number, boxes in enumerate(BOXES)]
    drawn[0].save(path, save_all=True, append_images=drawn[1:], duration=2000, loop=0)
    return path


class DrawnFinder:
    """Finds the faces of `draw_people`; after `most` pictures it is interrupted."""

    model_version = "drawn-1"

    def __init__(self, most: int = 1000) -> None:
        self.seen, self._most = 0, most

    def find(self, pixels: np.ndarray) -> Sequence[FoundFace]:
        if self.seen == self._most:
            raise KeyboardInterrupt
        self.seen += 1
        found = []
        for person, colour in enumerate(PEOPLE.values()):
            rows, columns = np.nonzero((pixels == colour).all(axis=2))
            if len(rows):
                top, bottom, left, right = rows.min(), rows.max() + 1, columns.min(), columns.max() + 1
                height, width = pixels.shape[:2]
                box = Box(left / width, top / height, right / width, bottom / height)
                vector = np.eye(len(PEOPLE), dtype=np.float32)[person]
                found.append(FoundFace(box, 0.99, vector, pixels[top:bottom, left:right]))
        return sorted(found, key=lambda face: face.box)


def photographs(folder: Path) -> dict[str, Path]:
    """Save the astronaut of scikit-image, the same mirrored and small, the admiral of matplotlib, and both together."""
    import skimage.data
    from matplotlib import cbook

    astronaut = Image.fromarray(skimage.data.astronaut())
    with cbook.get_sample_data("grace_hopper.jpg") as file:
        admiral = Image.open(file).convert("RGB")
    both = Image.new("RGB", (1024, 600))
    both.paste(astronaut, (0, 40))
    both.paste(admiral, (512, 0))
    small = astronaut.transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((300, 300))
    pictures = {"astronaut": astronaut, "small": small, "admiral": admiral, "both": both}
    for name, picture in pictures.items():
        picture.save(folder / f"{name}.png")
    return {name: folder / f"{name}.png" for name in pictures}


class MeanOfSquares:
    """Describes squares of four pixels a side by their mean colour, in the captioner's place."""

    model_version, input_side = "mean-1", 4

    def encode(self, pictures: np.ndarray) -> Features:
        means = pictures.reshape(len(pictures), -1, 3).mean(axis=1).astype(np.float32) + 1
        return Features(means / np.linalg.norm(means, axis=1, keepdims=True))


ON_CROP = CropEncoder("vgg16", MeanOfSquares())  # type: ignore[arg-type]


def find_drawn(
    store: Store, finder: DrawnFinder | None = None, progress: Progress = lambda done, total: None
) -> FaceReport:
    """Find the drawn faces of a library."""
    made = finder or DrawnFinder()
    return find_faces(store, made.model_version, lambda: made, ON_CROP, DEFAULT_LIMITS, progress)
