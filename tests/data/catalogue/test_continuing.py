"""What the catalogue says of a picture follows it: into a new version, a new content at its path, and copies of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from data.catalogue.fields import read_fields, set_user_fact
from data.catalogue.values import PREDICTED, Value
from data.catalogue.writes import NewField, declare_fields, put_facts
from data.identity import drop_absent, settle
from data.records import Batch
from data.store import Store

OLD = Path(__file__).parents[1] / "libraries" / "version_7.sqlite3"
MakeBatch = Callable[..., Batch]


@pytest.fixture
def shop(store: Store, batch_of: MakeBatch) -> Store:
    """Picture 1, /a.jpg, with a value by a person, an imported and a predicted one."""
    store.write_batch(batch_of(b"/a.jpg"))
    with store.writing() as connection:
        _, theirs, guess = (
            one.id for one in declare_fields(connection, [NewField(name, "text", name) for name in "mtg"]).values()
        )
        put_facts(connection, {1: {theirs: Value("imported")}})
        put_facts(connection, {1: {guess: Value("of the old file")}}, PREDICTED, confidences={(1, guess): 0.5})
    set_user_fact(store, 1, read_fields(store)[0], Value("mine"))
    return store


def values(store: Store, item: int) -> dict[str, str]:
    return {fact.field.name: fact.text for fact in store.pictures([item])[item].facts}


def test_a_picture_that_continues_keeps_its_values_but_predictions(shop: Store, batch_of: MakeBatch) -> None:
    shop.write_batch(batch_of(b"/a.jpg", digest="new"))
    guess = read_fields(shop)[2].id
    with shop.writing() as connection:
        put_facts(connection, {2: {guess: Value("of the new file")}}, PREDICTED)
    settle(shop, [b"/"], {b"/a.jpg"}, near_copy=0.9)
    assert values(shop, 1) == {"m": "mine", "t": "imported", "g": "of the new file"}
    assert 2 not in shop.pictures([2])


def test_an_edited_copy_gets_what_a_person_said(shop: Store, batch_of: MakeBatch) -> None:
    shop.write_batch(batch_of(b"/copy.jpg", digest="digest of b'/a.jpg'"))
    shop.write_batch(batch_of(b"/a.jpg", digest="new"))
    settle(shop, [b"/"], {b"/a.jpg"}, near_copy=0.9)
    assert values(shop, 1) == {"m": "mine", "t": "imported", "g": "of the old file"}
    assert values(shop, 2) == {"m": "mine"}


def test_what_a_person_said_outlives_the_file(shop: Store) -> None:
    shop.write_batch(Batch(gone=[b"/a.jpg"]))
    drop_absent(shop, [b"/"], at_once=True)
    assert values(shop, 1)["m"] == "mine"


def test_values_go_with_a_picture_of_which_no_person_said_anything(store: Store, batch_of: MakeBatch) -> None:
    store.write_batch(batch_of(b"/a.jpg"))
    with store.writing() as connection:
        (field,) = declare_fields(connection, [NewField("t", "text", "T")]).values()
        put_facts(connection, {1: {field.id: Value("imported")}})
    store.remove([b"/a.jpg"])
    assert store.pictures([1]) == {}
    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM facts").scalar() == 0


def test_a_library_of_an_older_version_takes_a_catalogue(tmp_path: Path) -> None:
    shutil.copy(OLD, tmp_path / "library.sqlite3")
    store = Store.open(f"sqlite:///{tmp_path / 'library.sqlite3'}")
    before = store.pictures([3])[3]
    assert before.facts == ()
    with store.writing() as connection:
        (field,) = declare_fields(connection, [NewField("colour", "category", "Colour")]).values()
        put_facts(connection, {3: {field.id: Value("Red")}})
    after = store.pictures([3])[3]
    assert (after.captions, after.paths) == (before.captions, before.paths)
    assert values(store, 3) == {"colour": "Red"}
    store.close()
