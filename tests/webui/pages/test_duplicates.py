"""The page of copies as the server makes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from retrieval.library import Library


def test_copies_are_kept_and_undone_by_plain_forms(
    client: FlaskClient, library: Library, photo_folder: Path, add_picture: Any, painted: Any
) -> None:
    for place in "ab":
        add_picture(library, photo_folder / place / "copy.png", painted("red", seed=50))
    page = client.get("/duplicates").text
    key = re.findall(r'name="key" value="([^"]+)"', page)[0]
    copies = re.findall(r'name="keep" value="([^"]+)"', page)
    assert len(copies) == 2
    kept = client.post("/duplicates", data={"key": key, "kind": "exact", "do": "keep", "keep": copies[1]})
    assert kept.status_code == 303, kept.text
    assert client.get("/duplicates").text.count('class="passed"') == 1
    client.post("/duplicates", data={"key": key, "kind": "exact", "do": "undo"})
    assert 'class="passed"' not in client.get("/duplicates").text


def test_a_group_that_is_not_there_is_said(client: FlaskClient) -> None:
    assert client.post("/duplicates", data={"key": "near-0", "kind": "near", "do": "keep"}).status_code == 404
    assert client.get("/duplicates?kind=other").status_code == 400
