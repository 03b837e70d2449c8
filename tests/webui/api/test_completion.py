"""Completion over HTTP: what is in this library, with counts, and which words are unknown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from data.records import Batch, PictureRow, PictureText
from retrieval import library as library_module
from retrieval.library import Library
from tests.webui.api_checks import problem, valid

COMPLETE = "/api/v1/complete"


def ask(client: FlaskClient, text: str, **fields: Any) -> Any:
    answer = client.get(COMPLETE, query_string={"q": text} | fields).get_json()
    valid("Completions", answer)
    return answer


def texts(client: FlaskClient, text: str, **fields: Any) -> list[tuple[str, str, int]]:
    return [(one["text"], one["kind"], one["pictures"]) for one in ask(client, text, **fields)["completions"]]


def test_words_of_captions_come_with_their_pictures_and_no_others(client: FlaskClient) -> None:
    assert texts(client, "bo") == [("boat", "word", 4)]
    assert texts(client, "a red bo") == [("boat", "word", 4)]
    assert texts(client, "zeb") == [], "the captioner knows it, but no picture here"
    assert texts(client, "-BO") == [("boat", "word", 4)]
    for nothing in ("", "boat ", '"red boat"'):
        assert texts(client, nothing) == []


def test_folders_kinds_and_shapes_become_filters(client: FlaskClient, photo_folder: Path) -> None:
    (folder,) = [one for one in ask(client, "phot")["completions"] if one["kind"] == "folder"]
    assert (folder["text"], folder["pictures"]) == (photo_folder.name, 12)
    kept = client.get("/api/v1/pictures", query_string={folder["filter"]["name"]: folder["filter"]["value"]})
    assert kept.get_json()["total"] == 12
    assert ("WEBP", "format", 4) in texts(client, "we")


def test_what_files_say_of_themselves_is_completed_by_any_of_its_words(client: FlaskClient, library: Library) -> None:
    picture = library.picture(1)
    assert picture is not None
    said = [PictureText("keyword", "Lake Constance"), PictureText("person", "Ada Lovelace")]
    row = PictureRow(picture.digest, 120, 90, "JPEG", 1, None, texts=said)
    library.store.write_batch(Batch(pictures=[row]))
    assert texts(client, "const") == [("Lake Constance", "keyword", 1)]
    assert texts(client, "lov") == [("Ada Lovelace", "person", 1)]


def test_new_pictures_are_completed_soon(
    client: FlaskClient,
    library: Library,
    add_picture: Any,
    painted: Any,
    photo_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(library_module, "COMPLETIONS_KEPT", 0.0)
    assert texts(client, "sunf") == []
    add_picture(library, photo_folder / "sunflower.png", painted("red", seed=99))
    assert texts(client, "sunf") == [("sunflower", "name", 1)]


def test_a_word_in_the_making_is_searched_for_in_its_likely_form(client: FlaskClient) -> None:
    assert ask(client, "red bo")["text"] == "red boat"
    assert ask(client, "red boat")["text"] == "red boat"
    assert ask(client, "red b")["text"] == "red b"
    assert ask(client, "red xyz")["text"] == "red xyz"


def test_unknown_words_are_told_with_what_may_be_meant(client: FlaskClient) -> None:
    assert ask(client, "a feild by trees")["unknown"] == [{"start": 2, "end": 7, "correction": "field"}]
    assert ask(client, "xyzzyqq boat")["unknown"] == [{"start": 0, "end": 7, "correction": None}]
    assert ask(client, 'red "feild"')["unknown"] == []


def test_the_number_of_completions_is_limited(client: FlaskClient) -> None:
    assert len(ask(client, "s", limit=1)["completions"]) == 1
    problem(client.get(f"{COMPLETE}?q=s&limit=0"), 400)
    problem(client.get(COMPLETE, query_string={"q": "x" * 8001}), 400)
