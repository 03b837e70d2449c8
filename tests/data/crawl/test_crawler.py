"""Whole crawls of a service that answers as Flickr does, with what goes wrong there."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from data.crawl.client import CrawlError
from data.crawl.crawler import Crawler, CrawlReport, Wish
from data.crawl.flickr import Flickr
from data.crawl.folder import STATE, opened
from data.crawl.licences import DEFAULT
from data.limits import Limits
from tests.data.crawl.replay import (
    KEY,
    SEARCH,
    FakeTime,
    Replay,
    Reply,
    client_of,
    jpeg,
    page,
    photo,
    reply,
    serve_flickr,
)


def crawl(
    replay: Replay, time: FakeTime, to: Path, limit: int = 100, limits: Limits | None = None, **wish: Any
) -> CrawlReport:
    given = {"text": "lighthouse", "licences": DEFAULT, "side": 1600} | wish
    with opened(to, "flickr") as folder:
        service, client = Flickr(KEY, replay.url("/rest")), client_of(replay, time)
        try:
            wanted = Wish(limit=limit, **given)
            return Crawler(service, client, folder, wanted, limits or Limits()).run(lambda done: None)
        finally:
            client.close()


def entries(to: Path) -> dict[str, dict[str, Any]]:
    log = to / STATE / "flickr.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    return {one["id"]: one for one in map(json.loads, lines)}


def files(to: Path) -> list[str]:
    return sorted(path.name for path in to.iterdir() if path.is_file())


def test_pictures_come_with_their_facts(replay: Replay, time: FakeTime, tmp_path: Path) -> None:
    titled = photo(replay, 1, title="A\n <b>\x1b[31mtower</b>")
    serve_flickr(replay, [titled, photo(replay, 2, latitude=0, longitude=0)])
    report = crawl(replay, time, tmp_path)
    assert (report.kept, report.exhausted) == (2, True)
    assert files(tmp_path) == ["flickr-1.jpg", "flickr-2.jpg"]
    assert (tmp_path / "flickr-1.jpg").read_bytes() == jpeg(1)
    assert entries(tmp_path)["1"]["facts"] == {
        "title": "A <b> [31mtower</b>",
        "author": "Jane Doe",
        "licence": "CC BY 2.0",
        "licence_url": "https://creativecommons.org/licenses/by/2.0/",
        "page_url": "https://www.flickr.com/photos/12345@N01/1",
        "tags": "lighthouse, sea",
        "place": "48.50000, -4.75000",
    }
    assert entries(tmp_path)["2"]["facts"]["place"] == ""
    form = replay.asked[1].form
    assert (form["license"], form["text"], form["page"], form["api_key"]) == ("4,9", "lighthouse", "1", KEY)
    assert not [one.path for one in replay.asked if KEY in one.path]


def test_a_size_is_chosen(replay: Replay, time: FakeTime, tmp_path: Path) -> None:
    serve_flickr(replay, [photo(replay, 1)])
    replay.replies["/1_o.jpg"] = [Reply(jpeg(9))]
    crawl(replay, time, tmp_path / "large", side=8000)
    crawl(replay, time, tmp_path / "small", side=10)
    assert [path for path in replay.paths() if path != "/rest"] == ["/1_o.jpg", "/1.jpg"]


def test_the_service_is_slow_broken_and_repeats_itself(replay: Replay, time: FakeTime, tmp_path: Path) -> None:
    one, same, again = photo(replay, 1), photo(replay, 2), photo(replay, 1)
    replay.replies[f"{SEARCH} 1"] = [
        Reply(status=429, headers={"Retry-After": "30"}),
        reply({"stat": "fail", "code": 105, "message": "Service currently unavailable"}),
        Reply(json.dumps({"stat": "ok"}).encode()),
        reply({"stat": "ok", "photos": {"photo": [], "pages": "many"}}),
        page(1, 2, one, same),
    ]
    replay.replies["/2.jpg"] = [Reply(jpeg(1), cut=10), Reply(jpeg(1))]
    serve_flickr(replay, [one, same], [again, photo(replay, 3)])
    report = crawl(replay, time, tmp_path)
    assert (report.kept, report.duplicates, report.failed) == (2, 2, 0)
    assert files(tmp_path) == ["flickr-1.jpg", "flickr-3.jpg"]
    assert time.naps == [30, 2, 4, 8, 1]


def test_what_may_not_be_taken_is_counted(replay: Replay, time: FakeTime, tmp_path: Path) -> None:
    listed = [
        photo(replay, 1, license="0"),
        photo(replay, 2, license="2"),
        photo(replay, 3, license="77"),
        photo(replay, 4),
        photo(replay, 5, url_l=f"http://localhost:{replay.port}/5.jpg"),
        photo(replay, 6),
        photo(replay, 7),
        photo(replay, 8),
        photo(replay, 9, url_l=None, url_o=None),
        photo(replay, 10) | {"id": "../../x"},
        photo(replay, 11),
    ]
    large = io.BytesIO()
    Image.new("L", (3000, 2000)).save(large, "PNG")
    replay.replies |= {
        "/4.jpg": [Reply(status=410)],
        "/6.jpg": [Reply(b"<html>no picture</html>")],
        "/7.jpg": [Reply(large.getvalue())],
        "/8.jpg": [Reply(b"\xff" * 30_000)],
    }
    serve_flickr(replay, listed)
    report = crawl(replay, time, tmp_path, limits=Limits(max_bytes=25_000, max_pixels=1_000_000))
    assert (report.kept, report.gone, report.unlicensed) == (1, 1, 3)
    reasons = dict(report.refused)
    assert sorted(reasons) == ["5", "6", "7", "8", "9"]
    assert "outside of the service" in reasons["5"]
    assert "not a picture" in reasons["6"]
    assert "3000x2000 pixels" in reasons["7"]
    assert "more than 25,000 bytes" in reasons["8"]
    assert files(tmp_path) == ["flickr-11.jpg"]
    assert not list((tmp_path / STATE).glob("*.part"))
    asked = len(replay.asked)
    crawl(replay, time, tmp_path, limits=Limits(max_bytes=25_000, max_pixels=1_000_000))
    assert len(replay.asked) == asked  # the search has no more pages


def test_a_limit_holds_and_a_larger_one_goes_on(replay: Replay, time: FakeTime, tmp_path: Path) -> None:
    serve_flickr(replay, [photo(replay, 1), photo(replay, 2)], [photo(replay, 3), photo(replay, 4)])
    assert crawl(replay, time, tmp_path, limit=1).kept == 1
    more = crawl(replay, time, tmp_path, limit=3)
    assert (more.present, more.kept, more.exhausted) == (1, 2, False)
    rest = crawl(replay, time, tmp_path, limit=50)
    assert (rest.present, rest.kept, rest.exhausted) == (3, 1, True)
    assert [path for path in replay.paths() if path != "/rest"] == ["/1.jpg", "/2.jpg", "/3.jpg", "/4.jpg"]
    other = crawl(replay, time, tmp_path, text="sea")
    assert (other.kept, other.duplicates) == (0, 4)


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


@pytest.mark.parametrize("moment", ["replace", "fsync"])
def test_a_kill_at_any_instant_loses_nothing(
    replay: Replay, time: FakeTime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """It is killed at the first, second, ... step that writes, until a run gets through."""
    serve_flickr(replay, [photo(replay, 1), photo(replay, 2)], [photo(replay, 3)])
    import data.crawl.folder as module

    whole = getattr(module.os, moment)
    for killed_at in range(1, 40):
        steps = iter(range(1, 100))

        def step(*arguments: Any, at: int = killed_at, steps: Any = steps) -> Any:
            if next(steps) == at:
                raise Killed
            return whole(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(module.os, moment, step)
            try:
                crawl(replay, time, tmp_path)
            except Killed:
                kept = [one["file"] for one in entries(tmp_path).values()]
                assert set(kept) <= set(files(tmp_path))
                continue
        break
    assert files(tmp_path) == ["flickr-1.jpg", "flickr-2.jpg", "flickr-3.jpg"]
    assert crawl(replay, time, tmp_path).present == 3


def test_a_damaged_state_is_left_out(replay: Replay, time: FakeTime, tmp_path: Path) -> None:
    serve_flickr(replay, [photo(replay, 1), photo(replay, 2)])
    crawl(replay, time, tmp_path)
    log = tmp_path / STATE / "flickr.jsonl"
    log.write_text(
        '[1]\n{"id": [2], "outcome": "kept", "query": ""}\n' + log.read_text()[:-20]
    )  # the last line is cut off
    for place in (tmp_path / STATE).glob("flickr-*.json"):
        place.write_text("{")
    (tmp_path / STATE / "flickr-9.part").write_text("left by a kill")
    report = crawl(replay, time, tmp_path)
    assert (report.present, report.kept) == (1, 1)
    assert not list((tmp_path / STATE).glob("*.part"))
    assert crawl(replay, time, tmp_path).present == 2


def test_what_did_not_come_is_tried_by_the_next_run(replay: Replay, time: FakeTime, tmp_path: Path) -> None:
    serve_flickr(replay, [photo(replay, 1), photo(replay, 2)], [photo(replay, 3)])
    replay.replies["/1.jpg"] = [*[Reply(status=500)] * 5, Reply(jpeg(1))]
    first = crawl(replay, time, tmp_path)
    assert (first.kept, first.failed) == (2, 1)
    second = crawl(replay, time, tmp_path)
    assert (second.present, second.kept, second.failed) == (2, 1, 0)


def test_a_network_that_is_down_ends_the_crawl(replay: Replay, time: FakeTime, tmp_path: Path) -> None:
    serve_flickr(replay, [photo(replay, number) for number in range(1, 9)])
    for number in range(2, 9):
        replay.replies[f"/{number}.jpg"] = [Reply(status=503)]
    with pytest.raises(CrawlError, match=r"Flickr answers 503, .*; what came is kept, run the same command later"):
        crawl(replay, time, tmp_path)
    assert files(tmp_path) == ["flickr-1.jpg"]
    replay.replies[f"{SEARCH} 1"] = [Reply(status=500)]
    with pytest.raises(CrawlError, match="Flickr answers 500"):
        crawl(replay, time, tmp_path)


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        (100, f"Invalid API Key {KEY}", "Flickr refuses the key in FLICKR_API_KEY"),
        (3, f"Parameterless searches ({KEY})", r"Flickr refuses the search: Parameterless searches \(\(key\)\) \(3\)"),
    ],
)
def test_a_refusal_is_told_without_the_key(
    replay: Replay, time: FakeTime, tmp_path: Path, code: int, message: str, told: str
) -> None:
    serve_flickr(replay, [photo(replay, 1)])
    replay.replies[f"{SEARCH} 1"] = [reply({"stat": "fail", "code": code, "message": message})]
    with pytest.raises(CrawlError, match=told) as caught:
        crawl(replay, time, tmp_path)
    assert KEY not in str(caught.value)


def test_one_crawl_at_a_time_and_no_links(tmp_path: Path) -> None:
    with (
        opened(tmp_path / "a", "flickr"),
        pytest.raises(CrawlError, match="another crawl is running"),
        opened(tmp_path / "a", "flickr"),
    ):
        pass
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / STATE).symlink_to(tmp_path / "a")
    with pytest.raises(CrawlError, match="is a link"), opened(tmp_path / "b", "flickr"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(CrawlError, match="cannot write to"), opened(tmp_path / "file", "flickr"):
        pass


def test_a_link_in_the_folder_is_not_written_through(replay: Replay, time: FakeTime, tmp_path: Path) -> None:
    (tmp_path / "mine.jpg").write_text("precious")
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "flickr-1.jpg").symlink_to(tmp_path / "mine.jpg")
    serve_flickr(replay, [photo(replay, 1)])
    crawl(replay, time, tmp_path / "to")
    assert (tmp_path / "mine.jpg").read_text() == "precious"
    assert (tmp_path / "to" / "flickr-1.jpg").read_bytes() == jpeg(1)
