"""`retroflex download flickr8k` against a local server with a tiny copy of the archives."""

from __future__ import annotations

import io
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
from training.download.fetch import FetchError
from training.download.flickr8k import ARCHIVES, FLICKR8K, Counts, DownloadError, by_hand, count, download_flickr8k

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
    assert "whole already" in said[0]


def test_archives_put_there_by_hand_are_taken(tmp_path: Path) -> None:
    for path, content in _archives().items():
        (tmp_path / path.strip("/")).write_bytes(content)
    assert download_flickr8k(tmp_path, lambda line: None, TINY, "http://127.0.0.1:9/") == TINY


def test_a_stopped_download_goes_on(server: FileServer, tmp_path: Path) -> None:
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


def test_the_lines_for_doing_it_by_hand_name_both_files_and_the_place(tmp_path: Path) -> None:
    text = by_hand(tmp_path)
    assert all(f"https://github.com/jbrownlee/Datasets/releases/download/Flickr8k/{name}" in text for name in ARCHIVES)
    assert str(tmp_path) in text


def _without_network(*arguments: object) -> Counts:
    raise FetchError("cannot fetch https://example.org/a.zip: Name or service not known")


def test_the_command_tells_what_to_do_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.commands.download, "download_flickr8k", _without_network)
    result = CliRunner().invoke(download, ["flickr8k", "--to", str(tmp_path)])
    assert result.exit_code != 0
    assert isinstance(result.exception, RetroflexError)
    assert result.stdout == ""
    assert by_hand(tmp_path) in result.stderr


def test_the_command_says_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training.commands.download, "download_flickr8k", lambda to, say: FLICKR8K)
    result = CliRunner().invoke(download, ["flickr8k", "--to", str(tmp_path)], catch_exceptions=False)
    assert "8,091 pictures, 40,460 captions; train 6,000, dev 1,000, test 1,000" in result.stdout
