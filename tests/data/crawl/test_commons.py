"""Wikimedia Commons: answers as MediaWiki gives them."""

from __future__ import annotations

from typing import Any

import pytest

from data.crawl.client import CrawlError, Unavailable
from data.crawl.commons import Commons
from data.crawl.service import Page, without_html
from tests.data.crawl.replay import FakeTime, Replay, client_of, reply


def found(number: int, **changes: Any) -> dict[str, Any]:
    said = {
        "Artist": '<a href="//commons.wikimedia.org/wiki/User:Jo" title="x">Jo &amp; Co</a><script>alert(1)</script>',
        "LicenseUrl": "https://creativecommons.org/licenses/by-sa/4.0",
        "ObjectName": f"Lighthouse {number}",
        "Categories": "Lighthouses in Brittany|Sea",
        "GPSLatitude": "48.5",
        "GPSLongitude": "-4.75",
    } | changes
    info = {
        "width": 6000,
        "height": 4000,
        "url": f"https://upload.wikimedia.org/{number}.jpg",
        "thumburl": f"https://upload.wikimedia.org/thumb/{number}/1280px.jpg",
        "extmetadata": {name: {"value": value} for name, value in said.items()},
    }
    return {"pageid": number, "ns": 6, "title": f"File:{number}.jpg", "index": 9 - number, "imageinfo": [info]}


def search(replay: Replay, time: FakeTime, at: Any = None) -> Page:
    return Commons(replay.url("/api")).search(client_of(replay, time), "lighthouse", ("cc0",), 1600, at)


def test_a_page_and_the_next(replay: Replay, time: FakeTime) -> None:
    following = {"gsroffset": 50, "continue": "gsroffset||"}
    small = found(3)
    small["imageinfo"][0] |= {"width": 800, "height": 600}
    others = [{"pageid": 4, "title": "File:4.jpg"}, {"pageid": -1, "imageinfo": [{}]}]
    replay.replies["/api"] = [
        reply({"query": {"pages": [found(1), found(2), small, *others]}, "continue": following}),
        reply({"batchcomplete": True}),
    ]
    page = search(replay, time)
    assert [one.id for one in page.pictures] == ["3", "2", "1"]
    addresses = [one.url.rpartition("org/")[2] for one in page.pictures]
    assert addresses == ["3.jpg", "thumb/2/1280px.jpg", "thumb/1/1280px.jpg"]
    assert page.pictures[2].facts == {
        "title": "Lighthouse 1",
        "author": "Jo & Co",
        "licence": "CC BY-SA 4.0",
        "licence_url": "https://creativecommons.org/licenses/by-sa/4.0/",
        "page_url": "https://commons.wikimedia.org/?curid=1",
        "tags": "Lighthouses in Brittany, Sea",
        "place": "48.50000, -4.75000",
    }
    assert search(replay, time, page.following) == Page([], None)
    assert [one.form.get("gsroffset") for one in replay.asked] == [None, "50"]
    assert replay.asked[0].form["iiurlwidth"] == "1280"
    assert replay.asked[0].headers["User-Agent"] == "test"


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ({"LicenseUrl": "", "License": "cc0"}, "cc0"),
        ({"LicenseUrl": "https://creativecommons.org/publicdomain/mark/1.0/"}, "pdm"),
        ({"LicenseUrl": "", "License": "pd"}, None),
        ({"LicenseUrl": "https://www.gnu.org/copyleft/fdl.html"}, None),
        ({"LicenseUrl": 7}, None),
    ],
)
def test_licences(replay: Replay, time: FakeTime, said: dict[str, Any], key: str | None) -> None:
    replay.replies["/api"] = [reply({"query": {"pages": [found(1, **said)]}})]
    (one,) = search(replay, time).pictures
    assert (one.licence.key if one.licence else None) == key


def test_a_busy_service_and_refusals(replay: Replay, time: FakeTime) -> None:
    lag = reply({"error": {"code": "maxlag", "info": "Waiting for a database"}}, **{"Retry-After": "5"})
    replay.replies["/api"] = [lag, reply({"query": {"pages": [found(1)]}})]
    assert len(search(replay, time).pictures) == 1
    assert time.naps == [5]
    replay.replies["/api"] = [reply({"error": {"code": "badvalue", "info": "Unrecognized\x1b[31m value"}})]
    with pytest.raises(CrawlError, match=r"refuses the search: Unrecognized \[31m value"):
        search(replay, time)
    endless = found(1)
    endless["imageinfo"][0]["width"] = float("inf")
    for answer in (
        [],
        {"query": []},
        {"query": {"pages": [{"pageid": 1, "imageinfo": [3]}]}},
        {"query": {"pages": [endless]}},
    ):
        replay.replies["/api"] = [reply(answer)]
        with pytest.raises(Unavailable):
            search(replay, time)


def test_a_search_ends_after_ten_thousand_results(replay: Replay, time: FakeTime) -> None:
    for following, ends in (({"gsroffset": 9950}, False), ({"gsroffset": 10_000}, True), ([1], True), ({}, False)):
        replay.replies["/api"] = [reply({"continue": following})]
        assert (search(replay, time).following is None) == ends


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<b>A</b> &lt;B&gt;<style>p {}</style>\n<i>C", "A <B> C"),
        ("seen <![foo bar]>", "seen"),
        (None, ""),
        (["x"], ""),
        ("x" * 9_000, "x" * 2_000),
    ],
)
def test_html_becomes_text(html: Any, text: str) -> None:
    assert without_html(html) == text
