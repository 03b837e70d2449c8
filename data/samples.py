"""The sample gallery: photographs from well-known packages, copied to a folder that can be indexed.

Run as `python -m data.samples FOLDER`; needs the packages of the `demo` extra.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path


@dataclass(frozen=True)
class Sample:
    """A photograph inside a package, with the origin that the package states."""

    package: str
    file: str
    origin: str


SAMPLES = (
    Sample("skimage.data", "astronaut.png", "Eileen Collins, NASA, public domain"),
    Sample("skimage.data", "camera.png", "a man with a camera, Lav Varshney, CC0"),
    Sample("skimage.data", "chelsea.png", "a cat named Chelsea, Stefan van der Walt, CC0"),
    Sample("skimage.data", "coffee.png", "a cup of coffee, Rachel Michetti, CC0"),
    Sample("skimage.data", "coins.png", "Greek coins from Pompeii, Brooklyn Museum, no known copyright restrictions"),
    Sample("skimage.data", "grass.png", "grass, linolafett on DeviantArt, CC0"),
    Sample("skimage.data", "hubble_deep_field.jpg", "Hubble deep field, NASA, public domain"),
    Sample("skimage.data", "moon.png", "the moon, NASA, public domain"),
    Sample("skimage.data", "motorcycle_left.png", "a motorcycle, Middlebury 2014 stereo benchmark"),
    Sample("skimage.data", "rocket.jpg", "a Falcon 9 launch, SpaceX, public domain"),
    Sample("sklearn.datasets.images", "china.jpg", "a Chinese temple, danielbuechele on Flickr, CC BY 2.0"),
    Sample("sklearn.datasets.images", "flower.jpg", "a dahlia, vultilion on Flickr, CC BY 2.0"),
    Sample("matplotlib", "mpl-data/sample_data/grace_hopper.jpg", "Grace Hopper, US Navy, public domain"),
)


def copy_samples(folder: Path) -> int:
    """Copy the gallery to `folder`, without overwriting; return its number of pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for sample in SAMPLES:
        target = folder / Path(sample.file).name
        if not target.exists():
            with as_file(files(sample.package).joinpath(sample.file)) as source:
                shutil.copyfile(source, target)
    note = "".join(f"{Path(item.file).name}: {item.origin} (from {item.package.split('.')[0]})\n" for item in SAMPLES)
    (folder / "ORIGINS.txt").write_text(note)
    return len(SAMPLES)


if __name__ == "__main__":
    print(f"{copy_samples(Path(sys.argv[1]))} sample photographs in {sys.argv[1]}")
