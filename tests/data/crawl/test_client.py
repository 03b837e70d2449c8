"""The client against a server that misbehaves."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from data.crawl.client import MOST_REDIRECTS, TRIES, Client, CrawlError, Gone, Refused, Unavailable
from data.errors import PictureError, PictureTooLarge
from tests.data.crawl.replay import FakeTime, Replay, Reply, client_of

CONTENT = b"0123456789" * 20_000


def fetch(replay: Replay, time: FakeTime, to: Path, path: str = "/a.jpg", most: int = 10**6) -> str:
    return client_of(replay, time).download(replay.url(path), to / "a", most)


def test_a_file_comes_after_failures(replay: Replay, time: FakeTime, tmp_path: Path) -> None:
    replay.replies["/a.jpg"] = [
        Reply(status=429, headers={"Retry-After": "7"}),
        Reply(status=503, headers={"Retry-After": "Tue, 14 Nov 2023 22:13:57 GMT"}),
        Reply(status=500),
        Reply(CONTENT, cut=1000),
        Reply(CONTENT),
    ]
    assert fetch(replay, time, tmp_path) == hashlib.sha256(CONTENT).hexdigest()
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert time.naps == [7, 30, 4, 8]


def test_tries_end(replay: Replay, time: FakeTime, tmp_path: Path) -> None:
    replay.replies["/a.jpg"] = [Reply(status=500)]
    with pytest.raises(Unavailable, match=f"answers 500, also at the last of {TRIES} tries"):
        fetch(replay, time, tmp_path)
    assert len(replay.asked) == TRIES
    assert time.naps == [1, 2, 4, 8]


def test_a_pause_of_hours_ends_the_crawl(replay: Replay, time: FakeTime, tmp_path: Path) -> None:
    replay.replies["/a.jpg"] = [Reply(status=429, headers={"Retry-After": "7200"})]
    with pytest.raises(CrawlError, match="asks to wait 120 minutes"):
        fetch(replay, time, tmp_path)
    assert time.naps == []


def test_a_server_that_is_not_there(replay: Replay, time: FakeTime, tmp_path: Path) -> None:
    client = Client(("127.0.0.1:1",), "test", time.timing, "http")
    with pytest.raises(Unavailable, match="cannot be reached"):
        client.download("http://127.0.0.1:1/a.jpg", tmp_path / "a", 10)


@pytest.mark.parametrize("status", [404, 410])
def test_what_is_gone(replay: Replay, time: FakeTime, tmp_path: Path, status: int) -> None:
    replay.replies["/a.jpg"] = [Reply(status=status)]
    with pytest.raises(Gone):
        fetch(replay, time, tmp_path)
    assert len(replay.asked) == 1


def test_redirects_stay_among_the_hosts(replay: Replay, time: FakeTime, tmp_path: Path) -> None:
    replay.replies |= {
        "/a.jpg": [Reply(status=302, headers={"Location": "/b.jpg"})],
        "/b.jpg": [Reply(CONTENT)],
        "/out.jpg": [Reply(status=301, headers={"Location": f"http://localhost:{replay.port}/b.jpg"})],
        "/sign.jpg": [Reply(status=302, headers={"Location": "/pw/photo_unavailable.png"})],
        "/broken.jpg": [Reply(status=302, headers={"Location": "http://[::1"})],
        "/circle.jpg": [Reply(status=307, headers={"Location": "/circle.jpg"})],
    }
    assert fetch(replay, time, tmp_path) == hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(Refused, match="outside of the service"):
        fetch(replay, time, tmp_path, "/out.jpg")
    assert replay.paths()[-1] == "/out.jpg"
    with pytest.raises(Gone):
        fetch(replay, time, tmp_path, "/sign.jpg")
    with pytest.raises(Refused, match="address that is none"):
        fetch(replay, time, tmp_path, "/broken.jpg")
    with pytest.raises(Refused, match="too many redirects"):
        fetch(replay, time, tmp_path, "/circle.jpg")
    assert replay.paths().count("/circle.jpg") == MOST_REDIRECTS + 1


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "https://example.org/a.jpg",
        "http://live.staticflickr.com/a.jpg",
        "https://live.staticflickr.com.example.org/a.jpg",
        "https://example.org\\@live.staticflickr.com/a.jpg",
        "https://user:word@live.staticflickr.com/a.jpg",
        "https://[::1/a.jpg",
        "https://staticflickr.com/a.jpg",
    ],
)
def test_addresses_elsewhere_are_not_asked(time: FakeTime, tmp_path: Path, url: str) -> None:
    client = Client((".staticflickr.com",), "test", time.timing)
    with pytest.raises(Refused):
        client.download(url, tmp_path / "a", 10)


def test_bytes_are_capped_before_and_while_they_come(replay: Replay, time: FakeTime, tmp_path: Path) -> None:
    replay.replies |= {"/a.jpg": [Reply(CONTENT)], "/b.jpg": [Reply(CONTENT, headers={"Content-Length": "x"})]}
    with pytest.raises(PictureTooLarge, match="more than 199,999 bytes"):
        fetch(replay, time, tmp_path, most=199_999)
    assert not (tmp_path / "a").read_bytes()
    with pytest.raises(PictureError):
        fetch(replay, time, tmp_path, "/b.jpg", most=100_000)
    assert (tmp_path / "a").stat().st_size <= 100_000


def test_an_answer_that_is_no_json_is_asked_again(replay: Replay, time: FakeTime) -> None:
    replay.replies["/rest"] = [Reply(b"<html>"), Reply(b'{"a": 1}')]
    assert client_of(replay, time).ask(replay.url("/rest"), {}, lambda document, _: document) == {"a": 1}
    assert time.naps == [1]
    replay.replies["/rest"] = [Reply(status=301, headers={"Location": "http://localhost/"})]
    with pytest.raises(CrawlError, match="answers 301"):
        client_of(replay, time).ask(replay.url("/rest"), {}, lambda document, _: document)
