"""Fetching from a real HTTP server that answers whole files, ranges, errors and broken connections."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.training.fileserver import FileServer
from training.download.fetch import FetchError, fetch

CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def server() -> Iterator[FileServer]:
    with FileServer({"/file.zip": CONTENT, "/empty.zip": b""}) as running:
        yield running


def test_fetches_a_whole_file(server: FileServer, tmp_path: Path) -> None:
    fetch(server.url + "file.zip", tmp_path / "file.zip")
    assert (tmp_path / "file.zip").read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [tmp_path / "file.zip"]


def test_resumes_a_partial_file(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(CONTENT[:100_000])
    fetch(server.url + "file.zip", tmp_path / "file.zip")
    assert (tmp_path / "file.zip").read_bytes() == CONTENT
    assert server.ranges == ["bytes=100000-"]


def test_starts_over_where_the_server_knows_no_ranges(server: FileServer, tmp_path: Path) -> None:
    server.knows_ranges = False
    (tmp_path / "file.zip.part").write_bytes(b"x" * 100)
    fetch(server.url + "file.zip", tmp_path / "file.zip")
    assert (tmp_path / "file.zip").read_bytes() == CONTENT


def test_a_broken_connection_is_taken_up_again(server: FileServer, tmp_path: Path) -> None:
    server.break_after = [300_000, 50_000]
    fetch(server.url + "file.zip", tmp_path / "file.zip", pause=0)
    assert (tmp_path / "file.zip").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=300000-", "bytes=350000-"]


def test_a_part_that_is_whole_is_taken(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(CONTENT)
    fetch(server.url + "file.zip", tmp_path / "file.zip")
    assert (tmp_path / "file.zip").read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_started_over(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(CONTENT + b"more")
    fetch(server.url + "file.zip", tmp_path / "file.zip", pause=0)
    assert (tmp_path / "file.zip").read_bytes() == CONTENT


def test_a_short_outage_is_waited_out(server: FileServer, tmp_path: Path) -> None:
    server.refuse_with = [503, 500]
    fetch(server.url + "file.zip", tmp_path / "file.zip", pause=0)
    assert (tmp_path / "file.zip").read_bytes() == CONTENT


def test_a_missing_file_is_told_at_once(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"nothing\.zip: the server answers 404"):
        fetch(server.url + "nothing.zip", tmp_path / "nothing.zip")
    assert len(server.ranges) == 1
    assert list(tmp_path.iterdir()) == []


def test_no_server_is_one_line(tmp_path: Path) -> None:
    with FileServer({}) as gone:
        url = gone.url
    with pytest.raises(FetchError, match="refused") as error:
        fetch(url + "file.zip", tmp_path / "file.zip", pause=0)
    assert "\n" not in str(error.value)


def test_what_was_fetched_is_kept_when_the_server_fails_for_good(server: FileServer, tmp_path: Path) -> None:
    server.break_after = [1000, 0, 0, 0, 0, 0]
    with pytest.raises(FetchError, match=r"ended after 1,000 of 1,024,000 bytes"):
        fetch(server.url + "file.zip", tmp_path / "file.zip", pause=0)
    assert (tmp_path / "file.zip.part").read_bytes() == CONTENT[:1000]


def test_an_empty_file_is_a_file(server: FileServer, tmp_path: Path) -> None:
    fetch(server.url + "empty.zip", tmp_path / "empty.zip")
    assert (tmp_path / "empty.zip").read_bytes() == b""
