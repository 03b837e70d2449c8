"""Classes that stand in a table beside a folder of pictures."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.errors import RetroflexError
from training.evaluation.labelled_table import read_labelled_table


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    (folder / "more").mkdir(parents=True)
    for name in ("1.jpg", "2.jpg", "more/3.png"):
        (folder / name).write_bytes(b"")
    return folder


def table(folder: Path, *lines: str, name: str = "styles.csv") -> Path:
    (folder / name).write_text("\n".join(lines) + "\n")
    return folder / name


@pytest.mark.parametrize("third", ["3", "3.png", "more/3.png"])
def test_pictures_are_found_by_stem_name_and_path(tmp_path: Path, images: Path, third: str) -> None:
    problems: list[str] = []
    path = table(tmp_path, "id,kind", "1,shoe", "2.jpg,shirt", f"{third},shoe", "4,shoe", "1,", "1,bag")
    found = read_labelled_table(path, "kind", images, problems)
    assert list(found.files) == [images / "1.jpg", images / "2.jpg", images / "more" / "3.png"]
    assert list(found.labels) == ["shoe", "shirt", "shoe"]
    assert [line.split(" ", 3)[:3] for line in problems] == [["styles.csv", "line", "5"], ["styles.csv", "line", "6"]]


@pytest.mark.parametrize(
    ("lines", "label", "message"),
    [
        (["id,kind", "1,shoe", "2,shoe"], "kind", "1 class; two are needed"),
        (["id,kind", "8,shoe", "9,shoe"], "kind", "0 classes; two are needed .the first problem: styles.csv line 2"),
        (["id,kind", "1,shoe"], "kid", "no column 'kid'; did you mean kind"),
        (["id,kind", "1,shoe"], "colour", "no column 'colour'; it has id, kind"),
        (["name,kind", "1,shoe"], "kind", "no column that names pictures"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, images: Path, lines: list[str], label: str, message: str) -> None:
    with pytest.raises(RetroflexError, match=message):
        read_labelled_table(table(tmp_path, *lines), label, images, [])


def test_no_table_and_no_folder(tmp_path: Path, images: Path) -> None:
    with pytest.raises(RetroflexError, match="is no table; give a folder"):
        read_labelled_table(table(tmp_path, "id,kind", name="styles.json"), "kind", images, [])
    with pytest.raises(RetroflexError, match="no such folder"):
        read_labelled_table(table(tmp_path, "id,kind"), "kind", tmp_path / "none", [])
