"""Scripts and styles at addresses that name their content; answers as gzip; parts of a file."""

from __future__ import annotations

import gzip
import http.client
import io
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient
from PIL import Image

import webui
from webui.assets import SHEET, SHEETS, Assets

STATIC = Path(webui.__file__).parent / "static"
GZIP = {"Accept-Encoding": "gzip"}


def test_the_page_names_assets_by_their_content_and_these_are_kept(client: FlaskClient) -> None:
    addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', client.get("/").text)
    assert len(addresses) > 10
    for address in addresses:
        answer = client.get(address)
        name = address.rpartition("/")[2]
        files = [f"{one}.css" for one in SHEETS] if name == SHEET else [name]
        assert answer.data == b"".join(without_comments(STATIC / one) for one in files)
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"


def without_comments(path: Path) -> bytes:
    """The file as it is sent, line by line."""
    if path.suffix not in (".css", ".js"):
        return path.read_bytes()
    text = path.read_text()
    if path.suffix == ".css":
        while "/*" in text:
            before, _, rest = text.partition("/*")
            text = before + rest.partition("*/")[2].removeprefix("\n")
    if path.suffix == ".js":
        text = "".join(line for line in text.splitlines(keepends=True) if not line.lstrip().startswith("//"))
    return text.encode()


def test_scripts_and_styles_are_small_all_together(client: FlaskClient) -> None:
    names = [path.name for path in STATIC.iterdir() if path.suffix == ".js" or path.stem == "login"]
    sizes = {name: len(client.get(f"/static/{name}").data) for name in (SHEET, *names)}
    assert sum(sizes.values()) < 100_000, sizes
    assert len(sizes) > 20


def test_what_another_version_or_none_asks_for_is_asked_for_anew(client: FlaskClient) -> None:
    for address in ("/static/page.js", "/static/0123456789ab/page.js", "/favicon.ico"):
        answer = client.get(address)
        assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-cache")
        assert client.get(address, headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert client.get("/static/../app.py").status_code == 404


def test_the_version_is_that_of_all_files(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text("one")
    first = Assets(tmp_path).version
    assert Assets(tmp_path).version == first
    (tmp_path / "a.js").write_text("two")
    assert Assets(tmp_path).version != first


def test_the_icon_is_one(client: FlaskClient) -> None:
    assert Image.open(io.BytesIO(client.get("/favicon.ico").data)).format == "ICO"


@pytest.mark.parametrize("address", ["/", "/static/search.js", "/api/v1/openapi.json"])
def test_texts_are_compressed_for_who_takes_that(client: FlaskClient, address: str) -> None:
    plain, packed = client.get(address), client.get(address, headers=GZIP)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed.headers["Vary"]
    assert "Accept-Encoding" in plain.headers["Vary"]
    assert "Content-Encoding" not in plain.headers
    assert gzip.decompress(packed.data) == plain.data
    assert len(packed.data) == packed.content_length < len(plain.data)
    assert client.head(address, headers=GZIP).content_length == packed.content_length


@pytest.mark.parametrize("address", ["/api/v1/pictures/1/file", "/healthz", "/api/v1/library/events"])
def test_pictures_short_answers_and_streams_go_as_they_are(client: FlaskClient, address: str) -> None:
    assert "Content-Encoding" not in client.get(address, headers=GZIP).headers


def test_a_compressed_answer_is_known_again(client: FlaskClient) -> None:
    tag = client.get("/static/search.js", headers=GZIP).headers["ETag"]
    assert tag.startswith("W/")
    assert client.get("/static/search.js", headers=GZIP | {"If-None-Match": tag}).status_code == 304


def test_a_part_of_a_file_is_sent_where_it_is_asked_for(client: FlaskClient) -> None:
    whole = client.get("/api/v1/pictures/1/file")
    assert whole.headers["Accept-Ranges"] == "bytes"
    part = client.get("/api/v1/pictures/1/file", headers={"Range": "bytes=3-10"})
    assert (part.status_code, part.data) == (206, whole.data[3:11])
    assert part.headers["Content-Range"] == f"bytes 3-10/{len(whole.data)}"
    assert client.get("/api/v1/pictures/1/file", headers={"Range": "bytes=-4"}).data == whole.data[-4:]
    assert client.get("/api/v1/pictures/1/file", headers={"Range": "bytes=9999999-"}).status_code == 416


def test_an_unchanged_picture_leaves_the_connection_open(address: str) -> None:
    connection: Any = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
    for _ in range(3):
        connection.request("GET", "/api/v1/pictures/1/file", headers={"If-None-Match": "*"})
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.headers.get("Connection")) == (304, None)
        opened = connection.sock
        assert opened is not None, "the server keeps it open"
