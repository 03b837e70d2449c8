"""A library that may only be read is searched, and nothing is written beside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from data import database
from data.settings import load_settings
from data.store import Store, StoreReadOnly
from retrieval.indexing.jobs import Jobs
from retrieval.library import Library
from retrieval.search.query import Query

ROOT = Path(__file__).parents[2]


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def folder(library: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A closed library's folder that counts as read-only from now on."""
    library.searcher()
    library.close()
    monkeypatch.setattr(database, "can_write", lambda file: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return library.settings.library


def test_it_is_searched_and_nothing_is_written(folder: Path, tmp_path: Path) -> None:
    before = content(folder)
    opened = Library.open(load_settings(library=folder), merges=True)
    assert opened.store.read_only
    assert opened.search(Query("a red boat"), distant=True).hits[0].id == 3
    assert opened.store.status().pictures == 5
    assert opened.caches.library.parent == tmp_path / "cache" / "retroflex"
    assert Jobs(opened.settings).current() is None
    opened.close()
    assert content(folder) == before


def test_an_index_that_is_missing_is_made_in_memory(folder: Path) -> None:
    shutil.rmtree(folder / "index")
    opened = Library.open(load_settings(library=folder))
    assert opened.search(Query("a red boat"), distant=True).hits[0].id == 3
    assert not (folder / "index").exists()


def test_writing_is_refused_in_one_line(folder: Path) -> None:
    store = Store.open(load_settings(library=folder).url)
    for write in (lambda: store.set_user_caption(1, "mine"), store.prune, lambda: store.remove([b"/photos"])):
        with pytest.raises(StoreReadOnly, match="may only be read; to change it, copy its folder"):
            write()


def test_changes_that_a_killed_process_left_in_the_log_are_read(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(library.settings.library / "library.sqlite3")) as plain:
        plain.execute("PRAGMA wal_autocheckpoint = 0")
        library.store.set_user_caption(1, "mine")
        shutil.copytree(library.settings.library, tmp_path / "copy")
    assert (tmp_path / "copy" / "library.sqlite3-wal").stat().st_size
    monkeypatch.setattr(database, "can_write", lambda file: False)
    before = content(tmp_path / "copy")
    store = Store.open(load_settings(library=tmp_path / "copy").url)
    assert store.pictures([1])[1].texts[0] == "mine"
    assert content(tmp_path / "copy") == before


def test_an_older_library_says_that_it_has_to_be_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = shutil.copy(ROOT / "tests/data/libraries/version_7.sqlite3", tmp_path / "library.sqlite3")
    monkeypatch.setattr(database, "can_write", lambda file: False)
    with pytest.raises(StoreReadOnly, match="version 7 and has to be brought up to"):
        Store.open(f"sqlite:///{file}")


def test_a_read_only_mount(library: Library, tmp_path: Path, tiny_bundle: Path) -> None:
    library.searcher()
    library.close()
    target = tmp_path / "mounted"
    target.mkdir()
    made = subprocess.run(["mount", "--bind", library.settings.library, target], capture_output=True, check=False)
    again = subprocess.run(["mount", "-o", "remount,bind,ro", target], capture_output=True, check=False)
    if made.returncode or again.returncode:
        pytest.skip("no rights to mount")
    try:
        environment = {**os.environ, "RETROFLEX_LIBRARY": str(target), "RETROFLEX_BUNDLE": str(tiny_bundle)}

        def call(*words: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "retrieval.cli", *words]
            return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)

        found = call("search", "a", "red", "boat", "--all")
        assert "/photos/boat.jpg" in found.stdout, found.stderr
        for words in (("index", str(tmp_path)), ("remove", "/photos")):
            refused = call(*words)
            assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1), refused.stderr
            assert "may only be read" in refused.stderr
    finally:
        subprocess.run(["umount", target], check=True)
