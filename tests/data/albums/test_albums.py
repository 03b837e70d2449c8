"""Favourites and albums in both kinds of stores: kept for ever, undone, continued, copied and mended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from data.albums.albums import (
    AlbumError,
    UnknownAlbum,
    add_pictures,
    albums_of,
    change_album,
    delete_album,
    find_album,
    list_albums,
    make_album,
    remove_pictures,
)
from data.albums.favourites import pictures_below, set_favourites
from data.albums.history import last_change, undo
from data.albums.membership import read_membership
from data.checks import check_rows
from data.identity import drop_absent, settle
from data.limits import Limits
from data.sharing.copying import copy_store
from data.store import Batch, Store
from data.store_errors import UnknownPicture

Batches = Callable[..., Batch]
PATHS = tuple(b"/photos/%d.jpg" % number for number in range(1, 6))


@pytest.fixture
def filled(store: Store, batch_of: Batches) -> Store:
    """A store of five pictures, with the ids 1 to 5."""
    store.write_batch(batch_of(*PATHS))
    assert [pictures_below(store, path) for path in PATHS] == [[number] for number in range(1, 6)]
    return store


def favourites(store: Store) -> list[int]:
    with store.reading() as connection:
        return list(read_membership(connection).favourites.tolist())


def test_an_album_keeps_what_was_picked_in_order_and_every_change_is_undone(filled: Store) -> None:
    generation = filled.generation()
    number = make_album(filled, "  Summer \n 2024 ", [3, 1, 3])
    states = [find_album(filled, "summer 2024")]
    assert states[0] == (number, "Summer 2024", None, [3, 1], 3)
    assert add_pictures(filled, number, [5, 1, 2]) == [5, 2]
    states.append(find_album(filled, number))
    assert states[-1].pictures == [3, 1, 5, 2]
    assert add_pictures(filled, number, [2, 4, 3], before=1) == [4]  # those it has move
    states.append(find_album(filled, number))
    assert states[-1].pictures == [2, 4, 3, 1, 5]
    change_album(filled, number, name="Sea", cover=1)
    states.append(find_album(filled, "SEA"))
    assert (states[-1].name, states[-1].cover) == ("Sea", 1)
    assert remove_pictures(filled, number, [1, 2, 99]) == [1, 2]
    states.append(find_album(filled, number))
    assert (states[-1].pictures, states[-1].cover) == ([4, 3, 5], 4)
    assert albums_of(filled, 3) == [(number, "Sea")]
    delete_album(filled, number)
    assert list_albums(filled) == []
    assert last_change(filled) == "the deletion of the album Sea"
    for state in reversed(states):
        assert undo(filled) is not None
        assert find_album(filled, number) == state
    assert undo(filled) == "the new album Summer 2024"
    assert list_albums(filled) == []
    assert undo(filled) is None
    assert filled.generation() == generation  # no index is brought up to date, no fact read again


def test_what_cannot_be_is_refused_and_changes_nothing(filled: Store) -> None:
    number, saved = make_album(filled, "Sea", [1]), make_album(filled, "Dogs", query="q=dog")
    before = list_albums(filled)
    for change, error, said in (
        (lambda: make_album(filled, " sea "), AlbumError, "there is an album sea already"),
        (lambda: make_album(filled, " \0 "), AlbumError, "has 1 to 128 characters"),
        (lambda: make_album(filled, "x" * 129), AlbumError, "has 1 to 128 characters"),
        (lambda: make_album(filled, "Lost", [99]), UnknownPicture, "no picture has the id 99"),
        (lambda: make_album(filled, "Long", query="q" * 4001), AlbumError, "4,000 characters at most"),
        (lambda: change_album(filled, number, name="DOGS"), AlbumError, "there is an album DOGS already"),
        (lambda: change_album(filled, number, cover=2), AlbumError, "picture 2 is not in the album Sea"),
        (lambda: change_album(filled, number, query="q=cat"), AlbumError, "Sea is an album of picked pictures"),
        (lambda: change_album(filled, 99, name="No"), UnknownAlbum, "no album 99"),
        (lambda: add_pictures(filled, saved, [1]), AlbumError, "Dogs is a saved search"),
        (lambda: add_pictures(filled, number, [2], before=3), AlbumError, "picture 3 is not in the album Sea"),
        (lambda: add_pictures(filled, number, [99]), UnknownPicture, "no picture has the id 99"),
        (lambda: remove_pictures(filled, 99, [1]), UnknownAlbum, "no album 99"),
        (lambda: find_album(filled, "Dog"), UnknownAlbum, "did you mean Dogs?"),
        (lambda: set_favourites(filled, [1, 99], True), UnknownPicture, "no picture has the id 99"),
    ):
        with pytest.raises(error, match=said):
            change()
    assert list_albums(filled) == before
    assert favourites(filled) == []


def test_favourites_and_albums_outlast_files_that_are_gone_and_come_back(filled: Store, batch_of: Batches) -> None:
    number = make_album(filled, "Sea", [1, 2])
    assert set_favourites(filled, [3, 1], True) == [3, 1]
    assert set_favourites(filled, [3, 4], True) == [4]
    assert set_favourites(filled, [4, 5], False) == [4]
    filled.write_batch(Batch(gone=[PATHS[0], PATHS[1], PATHS[4]]))
    assert drop_absent(filled, [b"/photos"], at_once=True) == 1  # picture 5, which nobody picked
    assert find_album(filled, number).pictures == []
    filled.write_batch(batch_of(*PATHS))
    assert find_album(filled, number).pictures == [1, 2]
    assert favourites(filled) == [1, 3]
    assert [picture.favourite for picture in filled.pictures([1, 2, 3]).values()] == [True, False, True]


def test_an_edited_picture_stays_a_favourite_and_in_its_albums(filled: Store, batch_of: Batches) -> None:
    number = make_album(filled, "Sea", [1, 2, 3])
    change_album(filled, number, cover=2)
    set_favourites(filled, [2], True)
    filled.write_batch(batch_of(PATHS[1], digest="edited"))
    new = filled.picture_id("edited")
    assert new not in (None, 2)
    add_pictures(filled, number, [new])  # before the run has ended
    settle(filled, [b"/photos"], {PATHS[1]}, 0.9)
    assert filled.picture_id("edited") == 2
    assert find_album(filled, number)[3:] == ([1, 2, 3], 2)
    assert favourites(filled) == [2]
    # The file at the path was edited, and its old content lives on in a copy: both are kept.
    filled.write_batch(batch_of(b"/photos/copy.jpg", digest="edited"))
    filled.write_batch(batch_of(PATHS[1], digest="edited again"))
    settle(filled, [b"/photos"], {PATHS[1]}, 0.9)
    again = filled.picture_id("edited again")
    assert again not in (None, 2)
    assert find_album(filled, number).pictures == [1, 2, again, 3]
    assert favourites(filled) == [2, again]


def test_a_copy_of_the_library_has_them(filled: Store, url: str) -> None:
    number = make_album(filled, "Sea", [4, 2])
    make_album(filled, "Dogs", query="q=dog")
    set_favourites(filled, [5], True)
    target = Store.open(url, unfinished=True)
    copy_store(filled, target)
    assert list_albums(target) == list_albums(filled)
    assert favourites(target) == [5]
    assert make_album(target, "New") == number + 2
    target.close()


def test_damaged_rows_are_mended_and_no_album_is_lost(tmp_path: Path, made_once: Path, batch_of: Batches) -> None:
    file = tmp_path / "library.sqlite3"
    file.write_bytes(made_once.read_bytes())
    store = Store.open(f"sqlite:///{file}")
    store.write_batch(batch_of(*PATHS))
    number = make_album(store, "Sea", [1, 2, 3])
    set_favourites(store, [1, 2], True)
    with store.coordinating() as connection:
        connection.execute(text("UPDATE albums SET name = CAST(x'536561FF' AS TEXT), made_at = 'never'"))
        connection.execute(text("UPDATE album_pictures SET position = 'first' WHERE picture_id = 1"))
        connection.execute(text("UPDATE favourites SET since = x'00' WHERE picture_id = 2"))
    assert list_albums(store) == []
    assert favourites(store) == [1]
    found = [str(one) for one in check_rows(store, Limits())]
    assert len(found) == 3
    assert all(line.endswith(": mended") for line in found)
    assert find_album(store, number) == (number, "Sea\ufffd", None, [2, 3, 1], 2)
    assert favourites(store) == [1, 2]
    store.close()
