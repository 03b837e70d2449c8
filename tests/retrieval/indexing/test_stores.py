"""Pictures in a store of objects: indexed, shown and found gone as on a disk."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from data.limits import DEFAULT_LIMITS
from data.roots import read_roots
from data.store import Store
from retrieval.indexing.run import plan_given, plan_remembered, run
from tests.retrieval.indexing.test_indexer import FakeCaptioner
from webui.auth.server_folders import ServerFolders
from webui.media import Thumbnails, read_original
from webui.problems import Problem

pytestmark = pytest.mark.skipif(find_spec("fsspec") is None, reason="fsspec is missing: pip install '.[cluster]'")
ADDRESS = Path("memory://photos")


@pytest.fixture
def memory(photos: Path) -> Iterator[Any]:
    """The twelve pictures in a store."""
    import fsspec

    system = fsspec.filesystem("memory")
    system.store.clear()
    for file in photos.rglob("*.*"):
        system.pipe_file(f"/photos/{file.relative_to(photos)}", file.read_bytes())
    yield system
    system.store.clear()


def test_a_store_is_indexed_shown_and_remembered(memory: Any, tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'library.sqlite3'}")
    report = run(plan_given(store, [ADDRESS], ()), store, FakeCaptioner(), DEFAULT_LIMITS)
    assert (report.captioned, report.skipped) == (12, [])
    assert [root.path for root in read_roots(store)] == [b"memory:/photos"]
    one = next(one for one in store.pictures(range(1, 13)).values() if one.paths[0].endswith(b"photo0.jpg"))
    assert read_original(one, DEFAULT_LIMITS) == memory.cat_file("/photos/photo0.jpg")
    assert Thumbnails(tmp_path / "thumbnails", DEFAULT_LIMITS).get(one)[8:12] == b"WEBP"
    memory.pipe_file("/photos/photo0.jpg", b"something else")
    with pytest.raises(Problem):
        read_original(one, DEFAULT_LIMITS)
    memory.rm_file("/photos/photo0.jpg")
    again = run(plan_remembered(store), store, FakeCaptioner(), DEFAULT_LIMITS)
    assert (again.captioned, again.unchanged, again.gone) == (0, 11, 1)
    memory.store.clear()
    assert plan_remembered(store).missing == [Path("memory:/photos")]


def test_the_page_takes_no_address_of_a_store(memory: Any, tmp_path: Path) -> None:
    with pytest.raises(Problem, match="there is no such folder"):
        ServerFolders([tmp_path]).typed("memory://photos")
