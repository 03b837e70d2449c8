"""Notes on files are kept with their picture, and counted beside absent pictures and damaged rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import sqlalchemy as sa

from data.notices import NotedPicture, Notices, noted_pictures, notes_of, read_notices
from data.records import Batch, MetadataRow
from data.store import Store
from data.tables import captions, picture_notes

CUT = "is damaged or cut off: 3% of its rows are missing and are shown grey"
SIDECAR = "its sidecar a.xmp is not read: it is no XMP"


@pytest.fixture
def noted(store: Store, batch_of: Callable[..., Batch]) -> Store:
    batch = batch_of(b"/a.jpg", b"/b.jpg", b"/c.jpg")
    batch.pictures[0] = replace(batch.pictures[0], notes=(CUT, "its profile is broken"), sidecar_notes=(SIDECAR,))
    batch.pictures[2] = replace(batch.pictures[2], notes=(CUT,))
    store.write_batch(batch)
    return store


def test_notes_are_listed_by_path(noted: Store) -> None:
    first, third = (noted.picture_id(f"digest of {path!r}") for path in (b"/a.jpg", b"/c.jpg"))
    assert first is not None
    assert third is not None
    listed = [
        NotedPicture(first, b"/a.jpg", [CUT, "its profile is broken", SIDECAR]),
        NotedPicture(third, b"/c.jpg", [CUT]),
    ]
    assert noted_pictures(noted) == listed
    assert (noted_pictures(noted, 1, 1), noted_pictures(noted, 5, 2)) == (listed[1:], [])
    assert notes_of(noted, [third, 99]) == {third: [CUT]}
    assert read_notices(noted) == Notices(absent=0, noted=2, damaged=0)


def test_notes_on_the_file_stay_when_only_metadata_is_read_again(noted: Store) -> None:
    first = noted.picture_id("digest of b'/a.jpg'")
    assert first is not None
    noted.write_batch(Batch(metadata=[MetadataRow("digest of b'/a.jpg'", None, None, [])]))
    assert notes_of(noted, [first]) == {first: [CUT, "its profile is broken"]}


def test_notes_of_a_picture_that_is_read_again_are_replaced(noted: Store, batch_of: Callable[..., Batch]) -> None:
    noted.write_batch(batch_of(b"/a.jpg", model="m2"))
    assert [one.path for one in noted_pictures(noted)] == [b"/c.jpg"]


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)  # PostgreSQL refuses values of other types
def test_absent_pictures_and_damaged_rows_are_counted(noted: Store) -> None:
    noted.write_batch(Batch(gone=[b"/a.jpg"]))
    with noted.writing() as connection:
        connection.execute(sa.update(captions).where(captions.c.rank == 1).values(text=sa.text("x'ff'")))
    assert read_notices(noted) == Notices(absent=1, noted=1, damaged=3)
    with noted.writing() as connection:
        connection.execute(sa.update(picture_notes).where(picture_notes.c.rank == 0).values(text=sa.text("x'ff'")))
    assert noted_pictures(noted) == []
