"""Files in a store of objects are walked and read like those of a disk; what cannot be reached says so in one line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from data import remote
from data.errors import NotAPicture, PictureTooLarge, PictureUnreadable, RetroflexError
from data.limits import DEFAULT_LIMITS, Limits
from data.paths import absolute, to_bytes
from data.pictures import read_bytes
from data.records import StoredFile
from data.remote import address, is_remote, located
from data.scan import scan

needs_fsspec = pytest.mark.skipif(find_spec("fsspec") is None, reason="fsspec is missing: pip install '.[cluster]'")
ROOT = Path("memory://photos")


@pytest.fixture
def memory() -> Iterator[Any]:
    """fsspec's store in this process's memory, empty."""
    import fsspec

    system = fsspec.filesystem("memory")
    system.store.clear()
    yield system
    system.store.clear()


def stored(memory: Any) -> dict[bytes, StoredFile]:
    """The store's files as the library has them."""
    return {to_bytes(file.path): StoredFile(file.size, file.mtime_ns, "digest") for file in scan([ROOT], {}).changed}


@needs_fsspec
def test_a_store_is_walked_by_the_rules_of_folders(memory: Any) -> None:
    names = ("a.jpg", "trip/b.PNG", "trip/.hidden.jpg", ".git/c.jpg", "@eaDir/d.jpg", "raw/e.jpg", "f.txt", "g.mp4")
    for name in names:
        memory.pipe_file(f"/photos/{name}", b"content")
    memory.pipe_file("/elsewhere/h.jpg", b"content")
    found = scan([ROOT], {}, exclude=["raw"], films=True)
    assert [str(file.path) for file in found.changed] == ["memory:/photos/a.jpg", "memory:/photos/trip/b.PNG"]
    assert dict(found.left_out) == {"@eaDir": 1}
    assert dict(found.passed_over) == {".txt": 1, ".mp4": 1}
    with_it = scan([ROOT], {}, exclude=["raw", "trip/*"])
    assert [file.path.name for file in with_it.changed] == ["a.jpg"]


@needs_fsspec
def test_changed_and_missing_files_are_noticed(memory: Any) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        memory.pipe_file(f"/photos/{name}", b"content")
    before = stored(memory)
    assert (scan([ROOT], before).unchanged, scan([ROOT], before).gone) == (3, [])
    memory.pipe_file("/photos/b.jpg", b"CONTENT")
    memory.rm_file("/photos/c.jpg")
    found = scan([ROOT], before)
    assert [file.path.name for file in found.changed] == ["b.jpg"]
    assert found.gone == [b"memory:/photos/c.jpg"]
    assert scan([ROOT], before, exclude=["a*"]).gone == [b"memory:/photos/c.jpg"], "what is excluded is not gone"


def test_another_tag_is_another_time_of_change() -> None:
    moment = datetime(2024, 5, 1, 12, tzinfo=UTC)
    first, second = (remote._changed({"LastModified": moment, "ETag": f'"{tag}"'}) for tag in "ab")
    assert first != second
    assert first // 10**9 == second // 10**9 == moment.timestamp()
    assert remote._changed({"mtime": "2024-05-01T12:00:00+00:00"}) == moment.timestamp() * 10**9


@needs_fsspec
def test_caps_and_refusals_are_those_of_files(memory: Any) -> None:
    memory.pipe_file("/photos/a.jpg", b"content")
    memory.pipe_file("/photos/empty.jpg", b"")
    assert read_bytes(ROOT / "a.jpg", DEFAULT_LIMITS) == b"content"
    with pytest.raises(PictureTooLarge, match="has 7 bytes, the cap is 6"):
        read_bytes(ROOT / "a.jpg", Limits(max_bytes=6))
    with pytest.raises(NotAPicture, match="is empty"):
        read_bytes(ROOT / "empty.jpg")
    with pytest.raises(PictureUnreadable, match="cannot be read"):
        read_bytes(ROOT / "gone.jpg")
    with pytest.raises(RetroflexError, match="no such file or folder: memory://elsewhere; check the name"):
        scan([Path("memory://elsewhere")], {})


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "find_spec", lambda name: None if name == "s3fs" else "found")
    with pytest.raises(RetroflexError, match=r"^s3://bucket/photos needs s3fs: pip install s3fs$"):
        scan([Path("s3://bucket/photos")], {})
    monkeypatch.setattr(remote, "find_spec", lambda name: None)
    with pytest.raises(RetroflexError, match=r"needs fsspec: pip install 'retroflex\[cluster\]'$"):
        scan([Path("s3://bucket/photos")], {})


def test_only_known_kinds_of_stores_are_addresses() -> None:
    assert address(Path("s3://bucket/photos")) == "s3://bucket/photos"
    assert located(Path("s3://bucket")) == Path("s3:/bucket")
    for other in ("http://example.org/a.jpg", "file:///etc/passwd", "photos/s3:/x", "/s3:/x"):
        assert not is_remote(Path(other))
    assert not is_remote(absolute(Path("s3://bucket/a.jpg"))), "a table's path stays one of this machine"
