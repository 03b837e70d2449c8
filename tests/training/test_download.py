"""`retroflex download flickr8k` against a local server with a tiny copy of the archives."""

from __future__ import annotations

import io
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import training.commands.download
from data.dataset import read_dataset
from data.errors import RetroflexError
from tests.training.fileserver import FileServer
from training.commands.download import download
from training.download import (
    ARCHIVES,
    FLICKR8K,
    Counts,
    DownloadError,
    FetchError,
    by_hand,
    count,
    download_flickr8k,
    fetch,
    unpack,
)

TINY = Counts(pictures=5, captions=10, train=3, dev=1, test=1)


def _zip(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _archives() -> dict[str, bytes]:
    names = [f"{number}.jpg" for number in range(5)]
    pictures = {f"Flicker8k_Dataset/{name}": f"picture {name}" for name in names}
    lines = [f"{name}#{number}\tA caption ." for name in names for number in range(2)]
    texts = {
        "Flickr8k.token.txt": "\n".join(lines) + "\n",
        "Flickr_8k.trainImages.txt": "0.jpg\n1.jpg\n2.jpg\n",
        "Flickr_8k.devImages.txt": "3.jpg\n",
        "Flickr_8k.testImages.txt": "4.jpg",
    }
    return {f"/{ARCHIVES[0]}": _zip(pictures), f"/{ARCHIVES[1]}": _zip(texts)}


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer(_archives()) as running:
        yield running


def test_fetches_unpacks_and_checks(server: FileServer, tmp_path: Path) -> None:
    said: list[str] = []
    assert download_flickr8k(tmp_path / "flickr8k", said.append, TINY, server.url) == TINY
    assert len(read_dataset(tmp_path / "flickr8k", "train").pictures) == 3
    assert not list((tmp_path / "flickr8k").glob("*.zip*"))
    assert [line.split()[0] for line in said] == ["fetching", "unpacking", "fetching", "unpacking"]


def test_a_whole_copy_is_not_fetched_again(server: FileServer, tmp_path: Path) -> None:
    download_flickr8k(tmp_path, lambda line: None, TINY, server.url)
    server.ranges.clear()
    said: list[str] = []
    download_flickr8k(tmp_path, said.append, TINY, server.url)
    assert server.ranges == []
    assert "already complete" in said[0]


def test_archives_fetched_by_hand_are_used(tmp_path: Path) -> None:
    for path, content in _archives().items():
        (tmp_path / path.strip("/")).write_bytes(content)
    assert download_flickr8k(tmp_path, lambda line: None, TINY, "http://127.0.0.1:9/") == TINY


def test_a_stopped_download_resumes(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / f"{ARCHIVES[0]}.part").write_bytes(server.files[f"/{ARCHIVES[0]}"][:100])
    download_flickr8k(tmp_path, lambda line: None, TINY, server.url)
    assert server.ranges == ["bytes=100-", None]


def test_a_wrong_count_is_named(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="5 pictures instead of 8,091, 10 captions instead of 40,460") as error:
        download_flickr8k(tmp_path, lambda line: None, FLICKR8K, server.url)
    assert "\n" not in str(error.value)
    assert (tmp_path / ARCHIVES[0]).exists()


def test_a_damaged_archive_is_removed_so_that_the_next_run_fetches_it(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / ARCHIVES[0]).write_bytes(b"<html>sign in first</html>")
    with pytest.raises(DownloadError, match=r"damaged archive .* was removed, run again"):
        download_flickr8k(tmp_path, lambda line: None, TINY, server.url)
    assert download_flickr8k(tmp_path, lambda line: None, TINY, server.url) == TINY


def test_a_folder_that_cannot_be_made_is_one_line(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match="cannot write to"):
        download_flickr8k(tmp_path / "file" / "below", lambda line: None, TINY, server.url)


def test_nothing_counts_as_nothing(tmp_path: Path) -> None:
    assert count(tmp_path / "missing") == Counts(0, 0, 0, 0, 0)


def test_instructions_name_both_files_and_the_folder(tmp_path: Path) -> None:
    text = by_hand(tmp_path)
    assert all(f"https://github.com/jbrownlee/Datasets/releases/download/Flickr8k/{name}" in text for name in ARCHIVES)
    assert str(tmp_path) in text


def _without_network(*arguments: object) -> Counts:
    raise FetchError("cannot fetch https://example.org/a.zip: Name or service not known")


def test_the_command_prints_instructions_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.commands.download, "download_flickr8k", _without_network)
    result = CliRunner().invoke(download, ["flickr8k", "--to", str(tmp_path)])
    assert result.exit_code != 0
    assert isinstance(result.exception, RetroflexError)
    assert result.stdout == ""
    assert by_hand(tmp_path) in result.stderr


def test_the_command_prints_the_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.commands.download, "download_flickr8k", lambda to, say: FLICKR8K)
    result = CliRunner().invoke(download, ["flickr8k", "--to", str(tmp_path)], catch_exceptions=False)
    assert "8,091 pictures, 40,460 captions; train 6,000, dev 1,000, test 1,000" in result.stdout


CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def file_server() -> Iterator[FileServer]:
    with FileServer({"/file.zip": CONTENT, "/empty.zip": b""}) as running:
        yield running


def test_fetches_a_whole_file(file_server: FileServer, tmp_path: Path) -> None:
    fetch(file_server.url + "file.zip", tmp_path / "file.zip")
    assert (tmp_path / "file.zip").read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [tmp_path / "file.zip"]


def test_resumes_a_partial_file(file_server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(CONTENT[:100_000])
    fetch(file_server.url + "file.zip", tmp_path / "file.zip")
    assert (tmp_path / "file.zip").read_bytes() == CONTENT
    assert file_server.ranges == ["bytes=100000-"]


def test_starts_over_where_the_server_knows_no_ranges(file_server: FileServer, tmp_path: Path) -> None:
    file_server.knows_ranges = False
    (tmp_path / "file.zip.part").write_bytes(b"x" * 100)
    fetch(file_server.url + "file.zip", tmp_path / "file.zip")
    assert (tmp_path / "file.zip").read_bytes() == CONTENT


def test_a_broken_connection_is_resumed(file_server: FileServer, tmp_path: Path) -> None:
    file_server.break_after = [300_000, 50_000]
    fetch(file_server.url + "file.zip", tmp_path / "file.zip", pause=0)
    assert (tmp_path / "file.zip").read_bytes() == CONTENT
    assert file_server.ranges == [None, "bytes=300000-", "bytes=350000-"]


def test_a_complete_part_is_used(file_server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(CONTENT)
    fetch(file_server.url + "file.zip", tmp_path / "file.zip")
    assert (tmp_path / "file.zip").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_started_over(file_server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(CONTENT + b"more")
    fetch(file_server.url + "file.zip", tmp_path / "file.zip", pause=0)
    assert (tmp_path / "file.zip").read_bytes() == CONTENT


def test_a_short_outage_is_retried(file_server: FileServer, tmp_path: Path) -> None:
    file_server.refuse_with = [503, 500]
    fetch(file_server.url + "file.zip", tmp_path / "file.zip", pause=0)
    assert (tmp_path / "file.zip").read_bytes() == CONTENT


def test_a_missing_file_fails_at_once(file_server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"nothing\.zip: the server answers 404"):
        fetch(file_server.url + "nothing.zip", tmp_path / "nothing.zip")
    assert len(file_server.ranges) == 1
    assert list(tmp_path.iterdir()) == []


def test_no_server_is_one_line(tmp_path: Path) -> None:
    with FileServer({}) as gone:
        url = gone.url
    with pytest.raises(FetchError, match="refused") as error:
        fetch(url + "file.zip", tmp_path / "file.zip", pause=0)
    assert "\n" not in str(error.value)


def test_what_was_fetched_is_kept_when_the_server_fails_for_good(file_server: FileServer, tmp_path: Path) -> None:
    file_server.break_after = [1000, 0, 0, 0, 0, 0]
    with pytest.raises(FetchError, match=r"ended after 1,000 of 1,024,000 bytes"):
        fetch(file_server.url + "file.zip", tmp_path / "file.zip", pause=0)
    assert (tmp_path / "file.zip.part").read_bytes() == CONTENT[:1000]


def test_an_empty_file_is_a_file(file_server: FileServer, tmp_path: Path) -> None:
    fetch(file_server.url + "empty.zip", tmp_path / "empty.zip")
    assert (tmp_path / "empty.zip").read_bytes() == b""


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
    with pytest.raises(zipfile.BadZipFile, match="unpacks to 100,000 bytes, the limit is 99,999"):
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
