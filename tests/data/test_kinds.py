"""A file is a picture by its name or its first bytes; what is none is counted by suffix."""

from __future__ import annotations

from pathlib import Path

import pillow_heif
import pytest
from PIL import Image

from data.kinds import begins_like_picture, counted, is_incidental, passed_over_text, suffix
from data.limits import FORMATS
from data.scan import scan


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_known_by_its_first_bytes(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "picture"
    if kind == "HEIF":
        pillow_heif.from_pillow(Image.new("RGB", (16, 16))).save(file, format="HEIF")
    else:
        Image.new("RGB", (16, 16)).save(file, kind)
    assert begins_like_picture(file)


@pytest.mark.parametrize(
    "content",
    [b"", b"text", b"BMW is a car, and more of a text", b"RIFF\0\0\0\0WAVEfmt ", b"\0\0\0\x18ftypisom\0\0\0\0isom"],
)
def test_what_is_no_picture(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert not begins_like_picture(tmp_path / "file")
    assert not begins_like_picture(tmp_path / "missing")


def test_pictures_without_a_known_suffix_are_found(tmp_path: Path) -> None:
    for name in ("none", "copy.jpg~", "scan.0001", "odd.xyz", "video.mov", "raw.NEF", "photo.jpg.part"):
        Image.new("RGB", (16, 16)).save(tmp_path / name, "TIFF")
    (tmp_path / "text").write_text("text")
    found = scan([tmp_path], {})
    assert [file.path.name for file in found.changed] == ["copy.jpg~", "none", "odd.xyz", "scan.0001"]
    assert found.passed_over == {".mov": 1, ".NEF": 1, ".part": 1, "": 1}


def test_files_that_are_known_as_something_else_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a.txt", "b.pdf", "c.CR2", "d.md", "e.mp4"):
        (tmp_path / name).touch()
    monkeypatch.setattr("data.scan.begins_like_picture", lambda path: pytest.fail(f"{path} was opened"))
    assert scan([tmp_path], {}).passed_over.total() == 5


def test_sidecars_and_system_files_are_nobodys_loss(tmp_path: Path) -> None:
    quiet = ("a.XMP", "a.aae", "a.thm", "Thumbs.db", "DESKTOP.INI", ".DS_Store", "a.jpg.json", "Icon\r")
    for name in (*quiet, "a.json"):
        (tmp_path / name).touch()
    assert scan([tmp_path], {}).passed_over == {".json": 1}
    assert not is_incidental("data.db")


def test_suffixes_as_people_see_them() -> None:
    names = ("a.CR3", "a", "Mr. Smith and others", "a.2019", "a.tar.gz", ".hidden")
    assert [suffix(name) for name in names] == [".CR3", "", "", "", ".gz", ""]
    assert counted({".MOV": 2, ".mov": 1, ".pdf": 3}) == {".MOV": 3, ".pdf": 3}
    assert passed_over_text({".CR3": 12, ".MOV": 3, ".pdf": 2}) == "12 .CR3, 3 .MOV, 2 .pdf"
    assert passed_over_text({"": 1200}) == "1,200 without suffix"
    many = passed_over_text({f".{letter}": 1 for letter in "abcdefghijk"})
    assert many.endswith("1 .h, 3 others")
    assert passed_over_text({}) == ""
