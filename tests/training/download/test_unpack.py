"""Unpacking archives, honest and hostile."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path

import pytest

from training.download.unpack import unpack


def pack(path: Path, files: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_unpacks_files_and_folders_without_clutter(tmp_path: Path) -> None:
    files = {"pictures/a.jpg": b"a", "note.txt": b"n", "__MACOSX/pictures/._a.jpg": b"x", "pictures/.DS_Store": b"x"}
    unpack(pack(tmp_path / "a.zip", files), tmp_path / "out")
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"pictures/a.jpg", "note.txt"}
    assert (tmp_path / "out/pictures/a.jpg").read_bytes() == b"a"


def test_whole_files_are_kept_and_cut_ones_replaced(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", {"whole.txt": b"12345", "cut.txt": b"12345"})
    (tmp_path / "whole.txt").write_bytes(b"abcde")
    (tmp_path / "cut.txt").write_bytes(b"12")
    unpack(archive, tmp_path)
    assert (tmp_path / "whole.txt").read_bytes() == b"abcde"
    assert (tmp_path / "cut.txt").read_bytes() == b"12345"


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "a\\..\\evil.txt", "C:evil.txt"])
def test_a_member_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    archive = pack(tmp_path / "a.zip", {"good.txt": b"good", name: b"evil"})
    with pytest.raises(zipfile.BadZipFile, match="outside the folder"):
        unpack(archive, tmp_path / "deep" / "out")
    assert {path.name for path in tmp_path.rglob("*")} == {"a.zip"}


def test_a_link_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(zipfile.BadZipFile, match="is a link"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_a_bomb_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    archive = pack(tmp_path / "a.zip", {"zeros": bytes(100_000)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(zipfile.BadZipFile, match="unpacks to 100,000 bytes, the cap is 99,999"):
        unpack(archive, tmp_path / "out", max_bytes=99_999)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damage_within_a_member_leaves_no_half_file(tmp_path: Path, compression: int) -> None:
    text = b"".join(b"line %d\n" % number for number in range(2000))
    archive = pack(tmp_path / "a.zip", {"text": text}, compression)
    content = bytearray(archive.read_bytes())
    content[60:120] = b"\xff" * 60
    archive.write_bytes(content)
    with pytest.raises(zipfile.BadZipFile):
        unpack(archive, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_file_that_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("<html>sign in first</html>")
    with pytest.raises(zipfile.BadZipFile):
        unpack(tmp_path / "a.zip", tmp_path)
