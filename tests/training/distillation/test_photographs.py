"""Packing photographs from folders, tar files and data sets."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.errors import RetroflexError
from training.distillation.photographs import SIDE, pack_photographs

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)


def png(colour: tuple[int, int, int], size: tuple[int, int] = (200, 170)) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", size, colour).save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures, one damaged picture, and a file that is none."""
    path = tmp_path / "folder"
    path.mkdir()
    (path / "a.png").write_bytes(png(RED))
    (path / "b.PNG").write_bytes(png(GREEN))
    (path / "c.png").write_bytes(png(RED)[:60])
    (path / "notes.txt").write_text("no picture")
    return path


@pytest.fixture
def tar(tmp_path: Path) -> Path:
    """A tar file with a folder in it, one picture and one file that is none."""
    path = tmp_path / "more.tar"
    with tarfile.open(path, "w") as archive:
        inner = tarfile.TarInfo("inner")
        inner.type = tarfile.DIRTYPE
        archive.addfile(inner)
        for name, content in {"inner/d.png": png(BLUE), "inner/readme": b"no picture"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_pictures_of_folder_and_tar_become_squares_and_bad_files_are_left_out(
    folder: Path, tar: Path, tmp_path: Path
) -> None:
    packed = pack_photographs([(folder, 0.5), (tar, 0.5)], tmp_path / "out")
    assert packed.pixels.shape == (3, SIDE, SIDE, 3)
    assert packed.pixels.dtype == np.uint8
    assert [tuple(int(value) for value in pixels[80, 80]) for pixels in packed.pixels] == [RED, GREEN, BLUE]


def test_shares_hold_between_sources_whatever_their_size(folder: Path, tar: Path, tmp_path: Path) -> None:
    weights = pack_photographs([(folder, 3.0), (tar, 1.0)], tmp_path / "out").weights
    assert weights == pytest.approx([0.375, 0.375, 0.25])


def test_long_pictures_are_cut_to_their_middle(tmp_path: Path) -> None:
    source = tmp_path / "long"
    source.mkdir()
    image = Image.new("RGB", (600, 200), RED)
    image.paste(GREEN, (200, 0, 400, 200))
    image.save(source / "long.png")
    pixels = pack_photographs([(source, 1.0)], tmp_path / "out").pixels[0]
    assert np.abs(pixels[:, 4:-4].astype(int) - GREEN).max() <= 2


def test_the_train_pictures_of_a_data_set_are_taken(colour_dataset: Path, tmp_path: Path) -> None:
    (colour_dataset / "Flickr_8k.trainImages.txt").write_text("blue.jpg\n")
    packed = pack_photographs([(colour_dataset, 1.0)], tmp_path / "out")
    assert len(packed.pixels) == 1
    assert packed.pixels[0, 80, 80, 2] > 200


def test_the_packed_file_is_used_again(folder: Path, tar: Path, tmp_path: Path) -> None:
    sources = [(folder, 0.5), (tar, 0.5)]
    first = pack_photographs(sources, tmp_path / "out")
    stamp = os.stat(tmp_path / "out" / "photographs.npy").st_mtime_ns
    (folder / "a.png").unlink()
    second = pack_photographs(sources, tmp_path / "out")
    assert np.array_equal(first.pixels, second.pixels)
    assert np.array_equal(first.weights, second.weights)
    assert os.stat(tmp_path / "out" / "photographs.npy").st_mtime_ns == stamp


def test_other_sources_are_packed_anew(folder: Path, tar: Path, tmp_path: Path) -> None:
    pack_photographs([(folder, 1.0)], tmp_path / "out")
    assert len(pack_photographs([(folder, 1.0), (tar, 1.0)], tmp_path / "out").pixels) == 3
    assert len(pack_photographs([(tar, 1.0)], tmp_path / "out").pixels) == 1


def test_a_source_without_pictures_is_one_line(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(RetroflexError, match="no readable photograph in"):
        pack_photographs([(empty, 1.0)], tmp_path / "packed")
