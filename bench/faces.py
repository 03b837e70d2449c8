"""Faces under harder conditions: small, dark, turned, covered, in profile, none, fifty in one picture.

    python -m bench.faces --faces DIR [--people 50] [--without DIR]
    python -m bench.faces --faces DIR --profile

DIR has a folder a person. One picture of each person is changed and searched among the unchanged other ones.
`--without` names a folder of pictures of things, of which as many as people are searched for faces. `--profile`
searches the faces of all pictures that are turned aside most, unchanged, among all others.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from captioner.faces.base import FaceFinder
from captioner.faces.embedder import Embedder
from captioner.faces.finder import ShippedFinder
from data.decoding.orders import Order
from data.decoding.pool import decode_bounded
from data.films.sampling import spread
from data.pictures import read_bytes
from data.progress import progress_bar
from training.evaluation.folders import Labelled, read_labelled

CROWD = 50
"""People in one picture."""
SIZE = (1024, 768)
PROFILE = 0.1
"""The share of all faces that counts as turned aside most."""
Change = Callable[[Image.Image], Image.Image]


def placed(width: int) -> Change:
    """Return a change that makes the picture of a face `width` pixels wide, somewhere in a larger one."""

    def change(face: Image.Image) -> Image.Image:
        whole = Image.new("RGB", SIZE, (90, 110, 130))
        whole.paste(face.resize((width, width * face.height // face.width), Image.Resampling.LANCZOS), (500, 300))
        return whole

    return change


def darkened(face: Image.Image) -> Image.Image:
    """Return the picture with a tenth of its light."""
    return face.point(lambda value: value // 10)


def covered(face: Image.Image) -> Image.Image:
    """Return the picture with its lower third black, as by a scarf."""
    whole = face.copy()
    whole.paste((0, 0, 0), (0, face.height * 2 // 3, face.width, face.height))
    return whole


CHANGES: Mapping[str, Change] = {
    "as it is": lambda face: face,
    "24 pixels": placed(24),
    "32 pixels": placed(32),
    "48 pixels": placed(48),
    "96 pixels": placed(96),
    "a tenth of the light": darkened,
    "turned by 20 degrees": lambda face: face.rotate(20, fillcolor=(90, 110, 130)),
    "turned by 45 degrees": lambda face: face.rotate(45, fillcolor=(90, 110, 130)),
    "lying on its side": lambda face: face.rotate(90),
    "upside down": lambda face: face.rotate(180),
    "lower third covered": covered,
}


def crowd(faces: list[Image.Image]) -> Image.Image:
    """Return one picture of all faces, ten in a row, each 100 pixels wide with as much around it."""
    whole = Image.new("RGB", (2000, 200 * -(-len(faces) // 10)), (90, 110, 130))
    for number, face in enumerate(faces):
        whole.paste(face.resize((100, 100)), (200 * (number % 10) + 50, 200 * (number // 10) + 50))
    return whole


def main() -> None:
    """Print a row for each condition as JSON: share found, and share whose nearest face is of the same person."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faces", type=Path, required=True)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--without", type=Path)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    labelled = read_labelled(given.faces, None, 0)
    finder = ShippedFinder()
    if given.profile:
        print(json.dumps(in_profile(finder, labelled)))
        return
    first = {label: file for file, label in reversed(list(zip(labelled.files, labelled.labels, strict=True)))}
    people = sorted(first)[: given.people]
    gallery, owners = [], []
    for file, label in zip(labelled.files, labelled.labels, strict=True):
        if label in people and file != first[label]:
            for one in finder.find(_pixels(file))[:1]:
                gallery.append(one.vector)
                owners.append(label)
    known = np.array(gallery)
    queries = {label: Image.fromarray(_pixels(first[label])) for label in people}
    for name, change in CHANGES.items():
        found, right, begin = 0, 0, time.process_time()
        for label, face in queries.items():
            best = max(finder.find(np.asarray(change(face))), key=lambda one: one.box.area, default=None)
            found += best is not None
            right += best is not None and owners[int(np.argmax(known @ best.vector))] == label
        seconds = time.process_time() - begin
        row = {"condition": name, "found": found / len(people), "R@1": right / len(people)}
        print(json.dumps(row | {"processor_ms": round(1000 * seconds / len(people))}), flush=True)
    shown = [Image.fromarray(_pixels(first[label])) for label in sorted(first)[:CROWD]]
    begin = time.process_time()
    together = finder.find(np.asarray(crowd(shown)))
    row = {"condition": f"{len(shown)} in one picture", "found": len(together) / len(shown)}
    print(json.dumps(row | {"processor_ms": round(1000 * (time.process_time() - begin))}))
    if given.without:
        print(json.dumps(false_faces(finder, given.without, given.people)))


def false_faces(finder: FaceFinder, folder: Path, count: int) -> dict[str, object]:
    """Return the share of `count` pictures without people, evenly taken from a folder, in which a face is found."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    chosen = [files[row] for row in spread(len(files), count)]
    pictures = [_pixels(file) for file in chosen]
    begin = time.process_time()
    wrong = sum(bool(finder.find(pixels)) for pixels in pictures)
    ms = round(1000 * (time.process_time() - begin) / max(len(pictures), 1))
    return {
        "condition": f"no people, {len(pictures)} pictures",
        "found": wrong / max(len(pictures), 1),
        "processor_ms": ms,
    }


def in_profile(finder: FaceFinder, labelled: Labelled) -> dict[str, object]:
    """Return R@1 of the faces that are turned aside most; pictures without a face are left out, and counted."""
    embedder, vectors, owners, turned = Embedder(), [], [], []
    for file, label in zip(progress_bar(labelled.files, desc="faces", unit="pic"), labelled.labels, strict=True):
        pixels = _pixels(file)
        best = max(finder.find(pixels), key=lambda one: one.box.area, default=None)
        if best is not None:
            vectors.append(best.vector)
            owners.append(label)
            turned.append(turned_aside(embedder.landmarks(pixels, best.box)))
    known, people = np.array(vectors), np.array(owners)
    cosines = known @ known.T
    np.fill_diagonal(cosines, -1)
    chosen = np.argsort(turned)[-max(1, round(PROFILE * len(turned))) :]
    return {
        "condition": f"{len(chosen)} faces turned aside by {turned[chosen[0]]:.2f} and more",
        "without a face": len(labelled.files) - len(turned),
        "R@1": float(np.mean(people[cosines[chosen].argmax(axis=1)] == people[chosen])),
    }


def turned_aside(landmarks: np.ndarray) -> float:
    """Return how far the nose is off the middle of the eyes, along the line between them, in shares of its length.

    `landmarks` are those of `Embedder.landmarks`. It is 0 for a face that looks at the camera.
    """
    one, other = landmarks[:2].mean(axis=0), landmarks[2:4].mean(axis=0)
    between = other - one
    return float(abs((landmarks[4] - (one + other) / 2) @ between) / max(between @ between, 1.0))


def _pixels(file: Path) -> np.ndarray:
    pixels = decode_bounded(read_bytes(file), Order(within=2048)).pixels
    assert pixels is not None
    return pixels


if __name__ == "__main__":
    main()
