"""The page of a library that may only be read: searches and thumbnails work, changes are refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from captioner.types import Describer
from data import database
from retrieval.library import Library
from webui.app import create_app


def test_a_read_only_library_is_served(
    library: Library, captioner: Describer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.searcher()
    library.close()
    folder = library.settings.library
    monkeypatch.setattr(database, "can_write", lambda file: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    client = create_app(Library.open(library.settings, merges=True), lambda: captioner).test_client()
    (first, *_) = client.get("/api/v1/pictures?limit=3").get_json()["pictures"]
    assert client.get("/").status_code == 200
    assert client.get(f"/api/v1/pictures/{first['id']}/thumbnail").status_code == 200
    assert client.get("/api/v1/library").status_code == 200
    assert client.get("/api/v1/duplicates?kind=near").status_code == 200
    refused = client.put(f"/api/v1/pictures/{first['id']}/caption", json={"text": "mine"})
    assert (refused.status_code, "may only be read" in refused.get_json()["detail"]) == (503, True)
    assert client.post("/api/v1/library/jobs", json={}).status_code == 503
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert len(list((tmp_path / "cache").rglob("*.webp"))) == 1
