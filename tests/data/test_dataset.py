"""A data set's path decides how it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.captioned import CaptionedPicture
from data.dataset import read_dataset, read_flickr8k
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Flicker8k_Dataset").mkdir()
    lines = []
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / "Flicker8k_Dataset" / name).write_bytes(b"x")
        lines += [f"{name}#{number}\tCaption {number} of {name} .\n" for number in (1, 0)]
    (tmp_path / "Flickr8k.token.txt").write_text("".join(lines))
    (tmp_path / "Flickr_8k.trainImages.txt").write_text("c.jpg\na.jpg\n")
    (tmp_path / "Flickr_8k.devImages.txt").write_text("b.jpg\n")
    return tmp_path


def test_reads_a_split_in_its_order_with_captions_by_number(folder: Path) -> None:
    dataset = read_flickr8k(folder, "train")
    assert dataset.split == "train"
    assert [picture.name for picture in dataset.pictures] == ["c.jpg", "a.jpg"]
    assert dataset.pictures[1] == CaptionedPicture(
        "a.jpg", folder / "Flicker8k_Dataset/a.jpg", ["Caption 0 of a.jpg .", "Caption 1 of a.jpg ."]
    )
    assert dataset.problems == []


def test_without_a_split_reads_every_captioned_picture(folder: Path) -> None:
    assert [picture.name for picture in read_flickr8k(folder, None).pictures] == ["a.jpg", "b.jpg", "c.jpg"]


def test_malformed_lines_are_named_and_skipped(folder: Path) -> None:
    with (folder / "Flickr8k.token.txt").open("ab") as file:
        file.write(b"no tab\nb.jpg#x\tnumber\nb.jpg\tno number\n#1\tno name\n../b.jpg#3\tpath\nb.jpg#4\t \n")
        file.write(b"b.jpg#0\tagain\nb.jpg#5\t\xff\n\n")
    with (folder / "Flickr_8k.devImages.txt").open("a") as file:
        file.write("b.jpg\n../c.jpg\nlost.jpg\n")
    dataset = read_flickr8k(folder, "dev")
    assert [picture.captions for picture in dataset.pictures] == [["Caption 0 of b.jpg .", "Caption 1 of b.jpg ."]]
    places = [problem.split(":")[0] for problem in dataset.problems]
    assert places == [f"Flickr8k.token.txt line {number}" for number in range(7, 15)] + [
        "Flickr_8k.devImages.txt line 2",
        "Flickr_8k.devImages.txt line 3",
        "lost.jpg",
    ]
    assert not any("\n" in problem for problem in dataset.problems)


def test_a_missing_picture_is_named_and_skipped(folder: Path) -> None:
    (folder / "Flicker8k_Dataset/c.jpg").unlink()
    dataset = read_flickr8k(folder, "train")
    assert [picture.name for picture in dataset.pictures] == ["a.jpg"]
    assert dataset.problems == ["c.jpg: is not in Flicker8k_Dataset"]


def test_windows_line_ends_and_a_byte_order_mark_are_accepted(folder: Path) -> None:
    (folder / "Flickr_8k.devImages.txt").write_bytes(b"\xef\xbb\xbfb.jpg\r\n\r\n")
    dataset = read_flickr8k(folder, "dev")
    assert ([picture.name for picture in dataset.pictures], dataset.problems) == (["b.jpg"], [])


def test_line_separators_inside_a_caption_do_not_cut_it(folder: Path) -> None:
    with (folder / "Flickr8k.token.txt").open("a", encoding="utf-8") as file:
        file.write("b.jpg#2\tone\x0ctwo\u2028three\n")
    assert read_flickr8k(folder, "dev").pictures[0].captions[2] == "one\x0ctwo\u2028three"


@pytest.mark.parametrize(
    ("lost", "split"),
    [("Flickr_8k.testImages.txt", "test"), ("Flickr8k.token.txt", "dev"), ("Flickr8k.token.txt", None)],
)
def test_a_missing_file_is_one_line_that_names_what_exists(folder: Path, lost: str, split: str | None) -> None:
    (folder / lost).unlink(missing_ok=True)
    with pytest.raises(RetroflexError, match=f"lacks {lost}; it holds Flicker8k_Dataset, .*devImages") as caught:
        read_flickr8k(folder, split)
    assert "\n" not in str(caught.value)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RetroflexError, match="it holds nothing"):
        read_flickr8k(tmp_path, "dev")


def test_nothing_usable_is_an_error_that_names_the_first_problem(folder: Path) -> None:
    (folder / "Flickr_8k.devImages.txt").write_text("lost.jpg\n")
    with pytest.raises(RetroflexError, match=r"no usable picture for dev .*lost\.jpg: has no caption"):
        read_flickr8k(folder, "dev")
