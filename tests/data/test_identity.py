"""Pictures that continue others: what `data.identity` asks of the store."""

from __future__ import annotations

from data.identity import drop_absent, settle
from data.records import Batch, FileRow, PictureRow
from data.store import Store


def test_any_number_of_files_may_be_named(store: Store) -> None:
    """SQLite takes no condition with thousands of alternatives, as all files of a folder by name would make."""
    paths = [b"/photos/%d.jpg" % number for number in range(1500)]
    digest = "d" * 64
    store.write_batch(Batch([FileRow(paths[-1], 1, 1, digest)], [PictureRow(digest, 4, 3, "JPEG", 9, None)]))
    store.write_batch(Batch(gone=[paths[-1]]))
    settle(store, paths, {paths[0]}, 0.9)
    assert drop_absent(store, paths) == 0
    assert drop_absent(store, paths, at_once=True) == 1
    assert store.picture_id(digest) is None
