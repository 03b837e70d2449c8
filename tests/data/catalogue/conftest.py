from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from data.catalogue.fields import read_fields
from data.catalogue.files import open_table
from data.catalogue.importing import Importer, ImportReport
from data.catalogue.matching import FileNames
from data.catalogue.profile import Wishes, map_columns, profile
from data.catalogue.reads import facts_of
from data.records import Batch, FileRow, PictureRow
from data.store import Store

Import = Callable[..., ImportReport]
TAKEN = ("id", "width")


@pytest.fixture
def shop(store: Store) -> Store:
    """Pictures 1 to 4, /shop/10.jpg to /shop/13.jpg; the file of 13 has a copy, /shop/old/14.png."""
    paths = [b"/shop/10.jpg", b"/shop/11.jpg", b"/shop/12.jpg", b"/shop/13.jpg", b"/shop/old/14.png"]
    digests = ["a", "b", "c", "d", "d"]
    rows = [FileRow(path, 1, 1, digest) for path, digest in zip(paths, digests, strict=True)]
    store.write_batch(Batch(files=rows, pictures=[PictureRow(one, 6, 4, "JPEG", 1, None) for one in "abcd"]))
    return store


@pytest.fixture
def load(shop: Store, tmp_path: Path) -> Import:
    """Import a table, given as its content."""

    def run(
        content: str | bytes, key: str = "sku", forget: bool = False, name: str = "t.csv", **wishes: object
    ) -> ImportReport:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        profiled = profile(open_table(path), [], lambda done, of: None)
        columns = map_columns(profiled, key, Wishes(**wishes), read_fields(shop), TAKEN)  # type: ignore[arg-type]
        importer = Importer(shop, FileNames(shop, b"/shop"), key, columns)
        return importer.run(profiled.table, lambda done, of: None, forget)

    return run


@pytest.fixture
def stored(shop: Store) -> Callable[[int], dict[str, object]]:
    """The values of a picture by field."""

    def read(item: int) -> dict[str, object]:
        with shop.reading() as connection:
            return {fact.field.name: fact.plain for fact in facts_of(connection, [item])[item]}

    return read
