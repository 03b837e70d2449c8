from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from data.errors import RetroflexError
from data.paths import from_bytes, to_bytes
from data.records import StoredFile, content_hash
from data.scan import Scan, scan


def put(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def names(found: Scan, top: Path) -> list[str]:
    return [file.path.relative_to(top).as_posix() for file in found.changed]


def remember(found: Scan) -> dict[bytes, StoredFile]:
    return {to_bytes(file.path): StoredFile(file.size, file.mtime_ns, "digest") for file in found.changed}


def test_content_hash_is_sha256() -> None:
    assert content_hash(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_finds_pictures_by_suffix_below_a_folder_in_order(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt", "jpg", "sub/deep/c.heic", "sub/a.webp", "more.d/x.gif"):
        put(tmp_path / name, b"four")
    found = scan([tmp_path], {})
    assert names(found, tmp_path) == ["a.png", "b.JPG", "more.d/x.gif", "sub/a.webp", "sub/deep/c.heic"]
    assert all(file.path.is_absolute() and file.size == 4 for file in found.changed)
    assert found.changed[0].mtime_ns == (tmp_path / "a.png").stat().st_mtime_ns
    assert (found.unchanged, found.gone, found.skipped) == (0, [], [])


def test_an_empty_folder_holds_nothing(tmp_path: Path) -> None:
    assert scan([tmp_path], {}) == Scan([], 0, [], [])


def test_finds_new_changed_unchanged_renamed_and_gone(tmp_path: Path) -> None:
    for name in ("same.jpg", "grown.jpg", "touched.jpg", "old name.jpg", "gone.jpg"):
        put(tmp_path / name)
    known = remember(scan([tmp_path], {}))
    put(tmp_path / "grown.jpg", b"more")
    os.utime(tmp_path / "touched.jpg", ns=(1, 1))
    (tmp_path / "old name.jpg").rename(tmp_path / "new name.jpg")
    (tmp_path / "gone.jpg").unlink()
    found = scan([tmp_path], known)
    assert names(found, tmp_path) == ["grown.jpg", "new name.jpg", "touched.jpg"]
    assert found.unchanged == 1
    assert sorted(from_bytes(path).name for path in found.gone) == ["gone.jpg", "old name.jpg"]


def test_only_files_below_the_roots_can_be_gone(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    known = {to_bytes(tmp_path / name): StoredFile(1, 1, "") for name in ("in/a.jpg", "inside.jpg", "out/a.jpg")}
    assert scan([tmp_path / "in"], known).gone == [to_bytes(tmp_path / "in/a.jpg")]


def test_a_vanished_folder_loses_its_files(tmp_path: Path) -> None:
    put(tmp_path / "trip/day/a.jpg")
    known = remember(scan([tmp_path], {}))
    (tmp_path / "trip/day/a.jpg").unlink()
    (tmp_path / "trip/day").rmdir()
    assert scan([tmp_path], known).gone == list(known)


def test_a_root_may_be_one_file_of_any_name(tmp_path: Path) -> None:
    file = put(tmp_path / "scan0001")
    put(tmp_path / "other.jpg")
    assert [found.path for found in scan([file], {}).changed] == [file]


def test_overlapping_roots_give_each_file_once(tmp_path: Path) -> None:
    put(tmp_path / "sub/a.jpg")
    found = scan([tmp_path / "sub", tmp_path, tmp_path / "sub/a.jpg"], {})
    assert names(found, tmp_path) == ["sub/a.jpg"]


def test_relative_roots_and_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "pictures/a.jpg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for root in ("pictures", "./x/../pictures", "~/pictures"):
        assert [file.path for file in scan([Path(root)], {}).changed] == [tmp_path / "pictures/a.jpg"]


def test_hidden_files_and_folders_are_left_out_unless_named_as_root(tmp_path: Path) -> None:
    for name in (".cache/a.jpg", "._a.jpg", "a.jpg"):
        put(tmp_path / name)
    assert names(scan([tmp_path], {}), tmp_path) == ["a.jpg"]
    assert names(scan([tmp_path / ".cache"], {}), tmp_path) == [".cache/a.jpg"]


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["*.png"], ["a.jpg", "sub/c.jpg", "sub/raw/d.jpg"]),
        (["raw"], ["a.jpg", "b.png", "sub/c.jpg"]),
        (["sub/raw/"], ["a.jpg", "b.png", "sub/c.jpg"]),
        (["sub/*.jpg", "b.*"], ["a.jpg"]),
        (["[ab].*"], ["sub/c.jpg", "sub/raw/d.jpg"]),
    ],
)
def test_exclude_patterns(tmp_path: Path, patterns: list[str], left: list[str]) -> None:
    for name in ("a.jpg", "b.png", "sub/c.jpg", "sub/raw/d.jpg"):
        put(tmp_path / name)
    assert names(scan([tmp_path], {}, patterns), tmp_path) == left


def test_an_excluded_file_that_is_still_there_is_not_gone(tmp_path: Path) -> None:
    put(tmp_path / "a.jpg")
    known = remember(scan([tmp_path], {}))
    assert scan([tmp_path], known, ["a.*"]) == Scan([], 0, [], [])


def test_loops_of_links_end_and_real_paths_win(tmp_path: Path) -> None:
    put(tmp_path / "real/a.jpg")
    put(tmp_path / "outside/b.jpg")
    top = tmp_path / "real"
    os.symlink(top, top / "again")
    os.symlink(tmp_path / "outside", top / "0 first by name")
    os.symlink(top, tmp_path / "outside/back")
    os.symlink("loop", top / "loop")
    os.symlink(top / "a.jpg", top / "link.jpg")
    found = scan([top], {})
    assert names(found, top) == ["a.jpg", "link.jpg", "0 first by name/b.jpg"]
    assert {skip.path.relative_to(top).as_posix(): skip.reason for skip in found.skipped} == {
        "loop": "is a link that leads back to itself",
        "again": "is a link to a folder that it lies in",
        "0 first by name/back": "is a link to a folder that it lies in",
    }


def test_what_is_no_file_is_skipped_with_its_reason(tmp_path: Path) -> None:
    os.symlink("nowhere", tmp_path / "broken.jpg")
    os.symlink(tmp_path / "disk", tmp_path / "a folder on a disk that is out")
    os.symlink("circle.jpg", tmp_path / "circle.jpg")
    os.symlink("second", tmp_path / "first")
    os.symlink("first", tmp_path / "second")
    os.symlink("/dev/null", tmp_path / "null.png")
    os.mkfifo(tmp_path / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "plug"))  # the whole path may be too long for a socket
    os.symlink("nowhere", tmp_path / "notes.txt")
    (tmp_path / "folder.jpg").mkdir()
    found = scan([tmp_path], {})
    assert {skip.path.name: skip.reason for skip in found.skipped} == {
        "broken.jpg": "is a link to nowhere, which is not there",
        "a folder on a disk that is out": f"is a link to {tmp_path / 'disk'}, which is not there",
        "circle.jpg": "is a link that leads back to itself",
        "first": "is a link that leads back to itself",
        "second": "is a link that leads back to itself",
        "null.png": "is a device, not a file",
        "pipe.jpg": "is a pipe, not a file",
        "plug": "is a socket, not a file",
    }
    assert found.passed_over == {".txt": 1}


def test_a_skipped_file_is_gone_once_it_is_no_more_skipped(tmp_path: Path) -> None:
    known = {to_bytes(tmp_path / name): StoredFile(0, -1, "") for name in ("shut", "link.jpg", "pipe")}
    (tmp_path / "shut").mkdir()
    os.symlink("nowhere", tmp_path / "link.jpg")
    assert sorted(scan([tmp_path], known).gone) == [to_bytes(tmp_path / "pipe"), to_bytes(tmp_path / "shut")]


def test_an_unreadable_folder_is_skipped_and_its_files_are_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The superuser may read anything, so the refusal is simulated."""
    for name in ("open/a.jpg", "shut/b.jpg", "wide/c.jpg"):
        put(tmp_path / name)
    known = remember(scan([tmp_path], {}))
    really = os.scandir

    def refuse(path: Path) -> object:
        if path.name == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return really(path)

    monkeypatch.setattr("data.scan.os.scandir", refuse)
    monkeypatch.setattr("data.scan.os.path.exists", lambda path: b"shut" not in os.fsencode(path))
    found = scan([tmp_path], known)
    assert found.unchanged == 2
    assert found.gone == []
    assert [(skip.path, skip.reason) for skip in found.skipped] == [
        (tmp_path / "shut", "cannot be read: Permission denied")
    ]


def test_names_with_newline_and_stray_bytes(tmp_path: Path) -> None:
    raw = to_bytes(tmp_path) + b"/new\nline\xff.jpg"
    from_bytes(raw).write_bytes(b"x")
    found = scan([tmp_path], {}, ["no*"])
    assert [to_bytes(file.path) for file in found.changed] == [raw]
    assert scan([tmp_path], remember(found)).unchanged == 1


@pytest.mark.parametrize("name", ["missing", "miss\ning"])
def test_a_root_that_is_missing_is_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(RetroflexError, match="no such file or folder") as caught:
        scan([tmp_path, tmp_path / name], {})
    assert "\n" not in str(caught.value)


def test_a_root_that_is_neither_file_nor_folder(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RetroflexError, match="neither a file nor a folder"):
        scan([tmp_path / "pipe"], {})


NAS = ("a.jpg", "@eaDir/a.jpg/thumb.jpg", "trip/@EADIR/b.jpg", "#recycle/c.jpg", ".Trash-0/d.jpg", ".hidden/e.jpg")


def test_machine_made_folders_are_left_out_and_counted(tmp_path: Path) -> None:
    for name in NAS:
        put(tmp_path / name)
    found = scan([tmp_path], {})
    assert names(found, tmp_path) == ["a.jpg"]
    assert found.left_out == {"@eaDir": 1, "@EADIR": 1, "#recycle": 1, ".Trash-0": 1}
    assert names(scan([tmp_path / "#recycle"], {}), tmp_path) == ["#recycle/c.jpg"], "a root is taken"


@pytest.mark.parametrize(
    ("patterns", "taken"),
    [
        (["!@eadir"], ["@eaDir/a.jpg/thumb.jpg", "a.jpg", "trip/@EADIR/b.jpg"]),
        (["!@eaDir", "trip"], ["@eaDir/a.jpg/thumb.jpg", "a.jpg"]),
        (["!trip/@*"], ["a.jpg", "trip/@EADIR/b.jpg"]),
        (["!#recycle/", "!.trash-*"], ["#recycle/c.jpg", ".Trash-0/d.jpg", "a.jpg"]),
    ],
)
def test_include_takes_machine_made_folders(tmp_path: Path, patterns: list[str], taken: list[str]) -> None:
    for name in NAS:
        put(tmp_path / name)
    assert sorted(names(scan([tmp_path], {}, patterns), tmp_path)) == taken


def test_a_photo_library_keeps_its_originals(tmp_path: Path) -> None:
    for name in ("originals/1/a.heic", "resources/derivatives/a.jpg", "private/b.jpg"):
        put(tmp_path / "Fotos.photoslibrary" / name)
    found = scan([tmp_path], {})
    assert names(found, tmp_path) == ["Fotos.photoslibrary/originals/1/a.heic"]
    assert names(scan([tmp_path / "Fotos.photoslibrary"], {}), tmp_path) == names(found, tmp_path)


def test_a_stored_picture_in_a_machine_made_folder_is_not_gone(tmp_path: Path) -> None:
    put(tmp_path / "@eaDir/a.jpg")
    known = remember(scan([tmp_path / "@eaDir"], {}))
    assert scan([tmp_path], known).gone == []
