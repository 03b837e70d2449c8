"""Captions of another language for the pictures of a split."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.captioned import CaptionedPicture, Dataset
from data.errors import RetroflexError
from data.query_table import with_captions_of

HEADER = "picture\tsplit\tcaption\n"


def dataset(*names: str) -> Dataset:
    pictures = [CaptionedPicture(name, Path(name), ["an English one"]) for name in names]
    return Dataset("dev", pictures, ["b.jpg: an earlier problem"])


def read(folder: Path, content: str, name: str = "de.tsv", split: Dataset | None = None) -> Dataset:
    (folder / name).write_text(content, encoding="utf-8")
    return with_captions_of(folder / name, split or dataset("a.jpg", "b.jpg"))


def test_captions_of_the_split_take_the_place_of_its_own(tmp_path: Path) -> None:
    rows = "a.jpg\tdev\tZwei Männer\na.jpg\ttrain\tanderswo\n./b.jpg\tval\tEin  Hund\na.jpg\tDev\tDie Straße\n"
    found = read(tmp_path, HEADER + rows + "z.jpg\ttext\tohne Bild\n")
    assert [one.captions for one in found.pictures] == [["Zwei Männer", "Die Straße"], ["Ein Hund"]]
    assert (found.split, found.problems) == ("dev", ["b.jpg: an earlier problem"])


def test_a_picture_without_a_row_stays_without_captions(tmp_path: Path) -> None:
    found = read(tmp_path, "image,caption,split\nb.jpg,\"l'homme, d'un chien\",dev\n", "fr.csv")
    assert [(one.name, one.captions) for one in found.pictures] == [("a.jpg", []), ("b.jpg", ["l'homme, d'un chien"])]


def test_pictures_that_the_split_lacks_are_counted_and_bad_rows_named(tmp_path: Path) -> None:
    rows = "a.jpg\tdev\tja\ny.jpg\tdev\tnein\nx.jpg\tdev\tnein\nx.jpg\tdev\tnie\nb.jpg\tdev\t\n\tdev\tja\nb.jpg\tdev\n"
    problems = read(tmp_path, HEADER + rows).problems[1:]
    assert problems == [
        "de.tsv line 8: the header has 3 fields, this row 2; a field that holds the separator needs quotes",
        "de.tsv line 6: has no caption",
        "de.tsv line 7: has no picture",
        "de.tsv: 2 of its pictures, since the dev split does not have them, such as x.jpg",
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("de.tsv", "", "is empty"),
        ("de.json", "{}", "no table of captions"),
        ("de.tsv", "picture\tcaption\na.jpg\tja\n", "must name the column split"),
        ("de.tsv", "picture,split,caption\na.jpg,dev,ja\n", "must name the column picture"),
        ("de.tsv", HEADER + "a.jpg\ttrain\tja\nb.jpg\ttext\tja\nz.jpg\ttext\tja\n", "2 'text', 1 'train'"),
        ("de.tsv", HEADER, "its rows by split: none"),
        ("de.tsv", HEADER + "photos/a.jpg\tdev\tja\n", "it has photos/a.jpg, the data set a.jpg"),
    ],
)
def test_a_table_that_will_not_do_is_one_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(RetroflexError, match=message) as error:
        read(tmp_path, content, name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "message"), [("none.tsv", "No such file"), ("folder.tsv", "Is a directory")])
def test_no_file_is_one_line(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.tsv").mkdir()
    with pytest.raises(RetroflexError, match=message):
        with_captions_of(tmp_path / name, dataset("a.jpg"))
