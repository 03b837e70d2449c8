"""`retroflex crawl` on the terminal, against a server on this machine."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from data.catalogue.values import DECIMAL
from data.catalogue.writes import NewField, declare_fields
from data.crawl import client, commons, flickr
from data.errors import RetroflexError
from data.settings import load_settings
from data.store import open_store
from retrieval.commands import index
from retrieval.commands.crawl import crawl
from retrieval.commands.search import search
from tests.data.crawl.replay import (
    KEY,
    SEARCH,
    FakeTime,
    Replay,
    Reply,
    client_of,
    jpeg,
    photo,
    replaying,
    reply,
    serve_flickr,
)
from tests.data.crawl.test_commons import found
from tests.retrieval.commands.test_catalogue import Stand


@pytest.fixture(autouse=True)
def replay(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    """Flickr on this machine, and a stand-in for the captioner."""
    monkeypatch.setenv("RETROFLEX_BUNDLE", str(tiny_bundle))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("FLICKR_API_KEY", KEY)
    monkeypatch.setattr(index.Captioner, "load", lambda bundle: Stand())
    with replaying() as server:
        monkeypatch.setattr(client, "Client", lambda hosts, agent, calls: client_of(server, FakeTime()))
        monkeypatch.setattr(flickr, "Flickr", partial(flickr.Flickr, api=server.url("/rest")))
        yield server


def run(folder: Path, *options: str, service: str = "flickr") -> Result:
    given = [
        service,
        "--text",
        "lighthouse",
        "--to",
        str(folder / "to"),
        "--library",
        str(folder / "library"),
        *options,
    ]
    return CliRunner().invoke(crawl, given)


def crawled(folder: Path, *options: str) -> dict[str, Any]:
    result = run(folder, "--json", *options)
    assert result.exit_code == 0, result.output or result.exception
    return dict(json.loads(result.stdout))


def refused(result: Result) -> str:
    assert isinstance(result.exception, RetroflexError), result.output
    assert KEY not in result.output + str(result.exception)
    return str(result.exception)


def test_pictures_are_fetched_indexed_and_found_by_their_facts(replay: Replay, tmp_path: Path) -> None:
    listed = [
        photo(replay, 1, title="Créac'h tower"),
        photo(replay, 2),
        photo(replay, 3, license="0"),
        photo(replay, 4),
    ]
    replay.replies["/4.jpg"] = [Reply(b"no picture")]
    serve_flickr(replay, listed)
    result = run(tmp_path)
    assert result.exit_code == 0, result.output or result.exception
    assert "2 new, 0 there before, 0 duplicates, 0 gone, 1 under other licences, 0 failed, 1 refused" in result.output
    assert "refused: 4 is not a picture" in result.output
    assert "2 captioned, 2 pictures with new or changed facts" in result.output
    again = crawled(tmp_path)
    assert (again["kept"], again["present"], again["exhausted"]) == (0, 2, True)
    assert again["values"] == {"added": 0, "updated": 0, "removed": 0, "kept": 0}
    arguments = ["tower", "--library", str(tmp_path / "library"), "--where", "licence=CC BY 2.0", "--all", "--json"]
    hits = json.loads(CliRunner().invoke(search, arguments).stdout)["hits"]
    assert hits[0]["path"].endswith("flickr-1.jpg")
    assert hits[0]["fields"]["author"] == "Jane Doe"
    licence = "CC BY 2.0 (https://creativecommons.org/licenses/by/2.0/)"
    line = f"       “Créac'h tower” by Jane Doe, {licence}, https://www.flickr.com/photos/12345@N01/1\n"
    assert line in CliRunner().invoke(search, arguments[:-1]).stdout
    assert hits[0]["matched"] == [{"field": "field.title", "text": "Créac'h tower"}]


def test_what_came_before_the_network_failed_is_indexed(replay: Replay, tmp_path: Path) -> None:
    serve_flickr(replay, [photo(replay, 1)], [photo(replay, 2)])
    replay.replies[f"{SEARCH} 2"] = [Reply(status=500)]
    result = run(tmp_path)
    assert "run the same command later to go on" in refused(result)
    assert "1 captioned" in result.output


def test_commons_needs_no_key_and_is_told_who_asks(
    replay: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[Any, str]] = []

    def client_for(hosts: Any, agent: str, calls: Path) -> client.Client:
        made.append((hosts, agent))
        return client_of(replay, FakeTime())

    monkeypatch.delenv("FLICKR_API_KEY")
    monkeypatch.setattr(client, "Client", client_for)
    monkeypatch.setattr(commons, "Commons", partial(commons.Commons, api=replay.url("/api")))
    listed = found(7)
    listed["imageinfo"][0]["thumburl"] = replay.url("/7.jpg")
    replay.replies |= {"/api": [reply({"query": {"pages": [listed]}})], "/7.jpg": [Reply(jpeg(7))]}
    result = run(tmp_path, "--contact", "me@example.org", service="commons")
    assert result.exit_code == 0, result.output or result.exception
    assert (tmp_path / "to" / "commons-7.jpg").read_bytes() == jpeg(7)
    ((hosts, agent),) = made
    assert hosts == ("upload.wikimedia.org",)
    assert re.fullmatch(r"Retroflex/[0-9.]+ \(me@example\.org\) python-requests", agent)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--license", "mit"], "there is no licence 'mit'"),
        (["--text", " "], "--text needs words"),
        (["--text", "x" * 301], "at most 300 characters"),
    ],
)
def test_wrong_options_are_one_line(tmp_path: Path, options: list[str], told: str) -> None:
    assert told in refused(run(tmp_path, *options))


def test_a_contact_is_one_line(tmp_path: Path) -> None:
    assert "--contact is" in refused(run(tmp_path, "--contact", "me\r\nX-Evil: 1", service="commons"))


@pytest.mark.parametrize(("key", "told"), [("", "FLICKR_API_KEY is not set"), ("a b\n", "is no key")])
def test_a_missing_key_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, told: str) -> None:
    monkeypatch.setenv("FLICKR_API_KEY", key)
    assert told in refused(run(tmp_path))
    assert not (tmp_path / "to").exists()


def test_a_refused_key_is_one_line(replay: Replay, tmp_path: Path) -> None:
    message = f"Invalid API Key ({KEY} has invalid format)"
    replay.replies["/rest"] = [reply({"stat": "fail", "code": 100, "message": message})]
    assert "Flickr refuses the key" in refused(run(tmp_path))
    assert not (tmp_path / "library").exists()


def test_without_a_picture_no_library_is_made(replay: Replay, tmp_path: Path) -> None:
    serve_flickr(replay, [photo(replay, 1, license="0")])
    assert "found no picture that may be taken" in refused(run(tmp_path))
    assert not (tmp_path / "library").exists()


def test_a_field_that_holds_no_text_is_told_before_the_crawl(replay: Replay, tmp_path: Path) -> None:
    settings = load_settings(library=tmp_path / "library")
    store = open_store(settings, create=True)
    with store.writing() as connection:
        declare_fields(connection, [NewField("author", DECIMAL, "Author")])
    store.close()
    assert "the catalogue's field author holds no text" in refused(run(tmp_path))
    assert replay.asked == []


def test_a_missing_extra_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "requests", None)
    assert "pip install 'retroflex[crawl]'" in refused(run(tmp_path))
