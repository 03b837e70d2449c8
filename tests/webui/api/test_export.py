"""Exports: what is in them, what a spreadsheet must not take for a formula, and how little memory they take."""

from __future__ import annotations

import csv
import gc
import io
import json
import tracemalloc
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import pytest
from flask.testing import FlaskClient

from data.catalogue import attribution
from data.catalogue.values import CRAWLED, Value
from data.catalogue.writes import declare_fields, put_facts
from data.limits import Limits
from retrieval.library import Library
from tests.webui.api_checks import SEARCH, problem, valid
from webui.api import export
from webui.api.export import Exported, _valid_name, as_zip

EXPORT = "/api/v1/export"


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_hits_come_as_a_table_in_their_order(client: FlaskClient) -> None:
    hits = client.get(SEARCH, query_string={"q": "red boat"}).get_json()["hits"]
    answer = client.get(EXPORT, query_string={"format": "csv", "q": "red boat"})
    rows = table(answer.text)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="retroflex.csv"'
    assert [(int(row["id"]), float(row["score"])) for row in rows] == [(hit["id"], hit["score"]) for hit in hits]
    assert rows[0]["caption"] == "a red boat on the water"
    assert rows[0]["captions"] == "a red boat on the water | something red"
    assert (rows[0]["width"], rows[0]["height"], rows[0]["taken_from"]) == ("120", "90", "file")
    assert datetime.now(UTC).replace(tzinfo=None) - datetime.fromisoformat(rows[0]["taken_at"]) < timedelta(hours=1)


def test_filters_and_orders_hold(client: FlaskClient) -> None:
    whole = json.loads(client.get(EXPORT, query_string={"format": "json", "sort": "oldest"}).text)["pictures"]
    assert len(whole) == 12
    assert {one["score"] for one in whole} == {None}
    valid("ExportedPictures", {"pictures": whole})
    jpegs = json.loads(client.get(EXPORT, query_string={"format": ["JPEG", "json"]}).text)["pictures"]
    assert sorted(one["id"] for one in jpegs) == [1, 4, 7, 10]
    none = client.get(EXPORT, query_string={"format": "json", "source": "user"}).text
    assert json.loads(none) == {"pictures": []}


def test_a_selection_comes_in_its_order(client: FlaskClient) -> None:
    answer = client.post(EXPORT, json={"format": "json", "ids": [5, 2, 5, 99]})
    assert [one["id"] for one in json.loads(answer.text)["pictures"]] == [5, 2]


@pytest.mark.parametrize("text", ["=1+1", "+cmd", "-2", "@SUM(A1)"])
def test_a_caption_is_never_a_formula(client: FlaskClient, library: Library, text: str) -> None:
    library.store.set_user_caption(2, f'{text} "quoted", and more')
    (row,) = table(client.post(EXPORT, json={"format": "csv", "ids": [2]}).text)
    assert row["caption"] == f'\'{text} "quoted", and more'
    assert row["captions"].startswith("'")


def test_the_files_come_as_they_are_and_missing_ones_are_told(
    client: FlaskClient, library: Library, photo_folder: Path, add_picture: Any, painted: Any
) -> None:
    add_picture(library, photo_folder / "deep" / "RED 0.jpg", painted("red", seed=80))
    add_picture(library, photo_folder / "missing.txt", painted("red", seed=81))
    add_picture(library, photo_folder / 'a\n"b".png', painted("red", seed=82))
    (photo_folder / "green 1.png").unlink()
    answer = client.post(EXPORT, json={"format": "zip", "ids": [1, 13, 2, 14, 15]})
    with ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["red 0.jpg", "RED 0 (2).jpg", "missing (2).txt", "a_n_b_.png", "MISSING.txt"]
        assert {one.compress_type for one in archive.infolist()} == {ZIP_STORED}
        assert archive.read("red 0.jpg") == (photo_folder / "red 0.jpg").read_bytes()
        assert archive.read("MISSING.txt").decode() == f"{photo_folder / 'green 1.png'}\n"


def test_an_archive_takes_the_memory_of_one_file(library: Library, photo_folder: Path, add_picture: Any) -> None:
    """Sixty files of 2 MB: bytes that no picture format looks at behind the pixels."""
    for number in range(60):
        whole = (photo_folder / "red 0.jpg").read_bytes()
        add_picture(library, photo_folder / f"large{number}.jpg", whole + bytes([number]) * 2_000_000)
    pictures = library.store.pictures(range(13, 73)).values()
    tracemalloc.start()
    size = sum(len(piece) for piece in as_zip((Exported(one, None) for one in pictures), Limits(4_000_000)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 120_000_000
    assert most < 12_000_000


@pytest.mark.parametrize("fields", [{}, {"format": "pdf"}, {"format": ["csv", "zip"]}, {"format": "PNG"}])
def test_a_wrong_form_is_400(client: FlaskClient, fields: Any) -> None:
    problem(client.get(EXPORT, query_string=fields), 400)


@pytest.mark.parametrize(
    "body", [{"format": "csv"}, {"format": "csv", "ids": ["1"]}, {"format": "x", "ids": []}, {"format": 3, "ids": []}]
)
def test_a_wrong_selection_is_400(client: FlaskClient, body: Any) -> None:
    problem(client.post(EXPORT, json=body), 400)


def test_caps(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "MOST_FILES", 3)
    assert "at most 3" in problem(client.post(EXPORT, json={"format": "csv", "ids": [1, 2, 3, 4]}), 400)
    assert "filter more" in problem(client.get(EXPORT, query_string={"format": "zip"}), 400)
    assert len(table(client.get(EXPORT, query_string={"format": "csv"}).text)) == 12


def test_only_a_few_are_made_at_once(client: FlaskClient) -> None:
    waiting = [client.get(EXPORT, query_string={"format": "csv"}) for _ in range(export.AT_ONCE)]
    assert "too many exports" in problem(client.get(EXPORT, query_string={"format": "csv"}), 503)
    for one in waiting:
        one.close()
    assert len(table(client.get(EXPORT, query_string={"format": "csv"}).text)) == 12


def test_one_that_is_begun_and_forgotten_does_not_count_for_ever(client: FlaskClient) -> None:
    for _ in range(export.AT_ONCE + 1):
        assert client.get(EXPORT, query_string={"format": "csv"}).status_code == 200
        gc.collect()


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("con.jpg", "_con.jpg"),
        ("CON.tar.jpg", "_CON.tar.jpg"),
        ("Aux .png", "_Aux.png"),
        ("lpt9.JPG", "_lpt9.JPG"),
        ("com¹.jpg", "_com¹.jpg"),
        ("CONIN$.jpg", "_CONIN$.jpg"),
        ("nul", "_nul"),
        ("console.jpg", "console.jpg"),
        ("com10.jpg", "com10.jpg"),
        ("a<b>c.jpg ", "a_b_c.jpg"),
        ("dots...jpg", "dots.jpg"),
        ("...", "picture"),
        ("é" * 200 + ".jpg", "é" * 100 + ".jpg"),
        ("🐶" * 200 + ".jpg", "🐶" * 50 + ".jpg"),
    ],
)
def test_names_inside_an_archive_are_valid_everywhere(name: str, packed: str) -> None:
    assert _valid_name(name) == packed


def test_names_that_some_system_takes_for_the_same_are_told_apart(
    client: FlaskClient, library: Library, photo_folder: Path, add_picture: Any, painted: Callable[..., bytes]
) -> None:
    for number, name in enumerate(["Café.png", "cafe\u0301.png", "CAFÉ.PNG"]):
        add_picture(library, photo_folder / str(number) / name, painted("red", seed=70 + number))
    answer = client.post(EXPORT, json={"format": "zip", "ids": [13, 14, 15]})
    with ZipFile(io.BytesIO(answer.data)) as archive:
        assert [unicodedata.normalize("NFC", name) for name in archive.namelist()] == [
            "Café.png",
            "café (2).png",
            "CAFÉ (3).PNG",
        ]


def test_an_archive_says_whose_the_pictures_are(
    client: FlaskClient, library: Library, photo_folder: Path, add_picture: Any, painted: Callable[..., bytes]
) -> None:
    add_picture(library, photo_folder / "attribution.csv", painted("red", seed=91))
    rows = {
        2: {
            "author": "=HYPERLINK(1)",
            "licence": "CC BY 2.0",
            "page_url": "https://example.org/2",
            "title": "A, \x1bB",
        },
        3: {"tags": "sea"},
        4: {"author": "Jo", "place": "-4.5, 3"},
    }
    with library.store.writing() as connection:
        fields = declare_fields(connection, attribution.FIELDS)
        values = {item: {fields[name].id: Value(text) for name, text in own.items()} for item, own in rows.items()}
        put_facts(connection, values, CRAWLED)
    answer = client.post(EXPORT, json={"format": "zip", "ids": [1, 2, 3, 4, 13]})
    with ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        (first, second) = table(archive.read("ATTRIBUTION.csv").decode())
    assert names[4:] == ["attribution (2).csv", "ATTRIBUTION.csv"]
    assert list(first) == ["file", *attribution.COLUMNS]
    assert (first["file"], first["author"], first["title"]) == (names[1], "'=HYPERLINK(1)", "A,  B")
    assert (first["licence"], first["page_url"]) == ("CC BY 2.0", "https://example.org/2")
    assert (second["file"], second["author"], second["place"], second["licence"]) == (names[3], "Jo", "'-4.5, 3", "")
