"""The log of changes names exactly the pictures that a search would now answer differently."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Connection, create_engine, event

from data.changes import changes_since, searched_ids
from data.store import Batch, FileRow, SkipRow, Store, StoreError

MakeBatch = Callable[..., Batch]
Write = Callable[[Store], object]


@pytest.fixture
def filled(store: Store, batch_of: MakeBatch) -> Store:
    """Pictures 1 to 4, of which 2 has two files and 3 a user's caption."""
    store.write_batch(batch_of(b"/in/1.jpg", b"/in/2.jpg", b"/in/3.jpg", b"/4.jpg"))
    store.write_batch(Batch(files=[FileRow(b"/2 again.jpg", 10, 1, "digest of b'/in/2.jpg'")]))
    store.set_user_caption(3, "mine")
    return store


def changes(store: Store, write: Write) -> tuple[list[int], list[int]]:
    before = store.generation()
    write(store)
    found = store.changes(before)
    assert found is not None
    assert found.generation == store.generation()
    return found.changed.tolist(), found.gone.tolist()


def test_new_pictures_have_changed(filled: Store, batch_of: MakeBatch) -> None:
    assert changes(filled, lambda store: store.write_batch(batch_of(b"/5.jpg", b"/6.jpg"))) == ([5, 6], [])


def test_new_descriptions_and_captions_are_changes(filled: Store, batch_of: MakeBatch) -> None:
    again = batch_of(b"/4.jpg", model="m2")
    assert changes(filled, lambda store: store.write_batch(Batch(descriptions=again.descriptions))) == ([4], [])
    assert changes(filled, lambda store: store.set_user_caption(1, "mine")) == ([1], [])


def test_a_picture_is_gone_with_its_last_file(filled: Store) -> None:
    assert changes(filled, lambda store: store.write_batch(Batch(gone=[b"/in/1.jpg"]))) == ([], [1])
    assert changes(filled, lambda store: store.write_batch(Batch(gone=[b"/in/2.jpg"]))) == ([2], [])
    assert changes(filled, lambda store: store.write_batch(Batch(gone=[b"/2 again.jpg"]))) == ([], [2])
    bad = Batch(skipped=[SkipRow(b"/4.jpg", 3, 4, "is damaged")])
    assert changes(filled, lambda store: store.write_batch(bad)) == ([], [4])


def test_removed_pictures_are_gone_pruned_or_not(filled: Store) -> None:
    assert changes(filled, lambda store: store.remove([b"/in"])) == ([2], [1, 3])
    assert filled.pictures([1, 3]).keys() == {3}
    assert changes(filled, lambda store: store.prune()) == ([], [])


def test_a_file_with_other_content_is_a_change_of_both_pictures(filled: Store, batch_of: MakeBatch) -> None:
    assert changes(filled, lambda store: store.write_batch(batch_of(b"/4.jpg", digest="other"))) == ([5], [4])


def test_a_renamed_file_is_no_loss(filled: Store) -> None:
    moved = Batch(gone=[b"/4.jpg"], files=[FileRow(b"/new.jpg", 10, 1, "digest of b'/4.jpg'")])
    assert changes(filled, lambda store: store.write_batch(moved)) == ([4], [])


def test_changes_add_up_and_each_picture_counts_once(filled: Store, batch_of: MakeBatch) -> None:
    def several(store: Store) -> None:
        store.write_batch(batch_of(b"/5.jpg"))
        store.set_user_caption(5, "mine")
        store.set_user_caption(4, "mine")
        store.remove([b"/5.jpg"])

    assert changes(filled, several) == ([4], [5])


def test_a_batch_that_is_refused_logs_nothing(filled: Store) -> None:
    before = filled.generation()
    with pytest.raises(StoreError, match="neither stored"):
        filled.write_batch(Batch(gone=[b"/4.jpg"], files=[FileRow(b"/9.jpg", 1, 1, "unknown")]))
    found = filled.changes(before)
    assert found is not None
    assert (found.generation, found.changed.tolist(), found.gone.tolist()) == (before, [], [])


def test_only_states_that_the_store_was_in_are_accepted(filled: Store) -> None:
    """A restored backup lacks states that an index of the later store has."""
    assert filled.changes(filled.generation() - 1) is None
    assert filled.changes(filled.generation() + 1) is None
    assert filled.changes(0) is not None


def test_many_changes_come_by_rising_id(store: Store, batch_of: MakeBatch) -> None:
    paths = [b"/%d.jpg" % number for number in range(450)]
    assert changes(store, lambda one: one.write_batch(batch_of(*paths)))[0] == list(range(1, 451))
    assert changes(store, lambda one: one.write_batch(Batch(gone=paths)))[1] == list(range(1, 451))
    assert store.searched_ids()[1].tolist() == []


@pytest.fixture
def without_snapshots(store_url: str, store: Store, batch_of: MakeBatch) -> Iterator[Connection]:
    """A connection without snapshots: after every statement another picture is written."""
    engine = create_engine(store_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:

        def write(*_: object) -> None:
            store.write_batch(batch_of(b"/%d.jpg" % len(store.stored_files())))

        event.listen(connection, "after_cursor_execute", write)
        yield connection
        event.remove(connection, "after_cursor_execute", write)
    engine.dispose()


def test_nothing_written_between_two_statements_is_missed(
    store: Store, batch_of: MakeBatch, without_snapshots: Connection
) -> None:
    store.write_batch(batch_of(b"/0.jpg"))
    generation, ids = searched_ids(without_snapshots)
    first = changes_since(without_snapshots, generation)
    assert first is not None
    second = store.changes(first.generation)
    assert second is not None
    seen = {*ids.tolist(), *first.changed.tolist(), *second.changed.tolist()}
    assert seen == {*store.searched_ids()[1].tolist()}
    assert len(seen) >= 5
