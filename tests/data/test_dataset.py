"""A data set's path decides how it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.dataset import read_dataset
from data.errors import RetroflexError


def test_a_folder_is_flickr8k(tmp_path: Path) -> None:
    with pytest.raises(RetroflexError, match=r"lacks Flicker8k_Dataset, Flickr8k.token.txt"):
        read_dataset(tmp_path, "train")


@pytest.mark.parametrize("name", ["captions.csv", "captions.txt", "CAPTIONS.TSV"])
def test_a_file_is_a_table(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    text = "image,caption\na.jpg,A dog .\n"
    (tmp_path / name).write_text(text.replace(",", "\t") if name.endswith("TSV") else text)
    (picture,) = read_dataset(tmp_path / name, "train").pictures
    assert (picture.name, picture.captions) == ("a.jpg", ["A dog ."])


def test_other_paths_and_splits_are_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "captions.xlsx").write_bytes(b"PK")
    with pytest.raises(RetroflexError, match=r"captions.xlsx is no data set; give a folder in Flickr8k layout, or a"):
        read_dataset(tmp_path / "captions.xlsx", "train")
    with pytest.raises(RetroflexError, match=r"no such data set: .*lost.csv; give a folder"):
        read_dataset(tmp_path / "lost.csv", "train")
    with pytest.raises(RetroflexError, match="'val'; choose one of train, dev, test"):
        read_dataset(tmp_path, "val")
