"""What an import makes of rows and pictures, again, in part, and beside what a person says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import func, select

from data.catalogue import fields, importing
from data.catalogue.fields import field_named, read_fields, remove_field, remove_user_fact, set_user_fact
from data.catalogue.values import PREDICTED, Value
from data.catalogue.writes import ValueIds, put_facts
from data.store import Store
from data.store_errors import UnknownPicture
from data.tables import catalogue_values, facts
from tests.data.catalogue.conftest import Import

Stored = Callable[[int], dict[str, object]]
TABLE = "sku,colour,price\n10,Red,1.5\n11,Blue,2\n99,Green,3\n"


def test_rows_and_pictures_find_each_other_by_name(load: Import, stored: Stored) -> None:
    report = load(TABLE)
    assert stored(1) == {"sku": "10", "colour": "Red", "price": 1.5}
    assert stored(2) == {"sku": "11", "colour": "Blue", "price": 2.0}
    assert stored(3) == {}
    assert (report.rows, report.pictures, report.unchanged, report.changed.added) == (3, 2, 0, 6)
    assert list(report.rows_without_pictures) == [{"line": 4, "key": "99"}]
    assert list(report.pictures_without_rows) == ["/shop/12.jpg", "/shop/13.jpg"]
    assert list(report.problems) == []


@pytest.mark.parametrize("key", ["12", "12.jpg", "old/14", "old/14.png", "14", "14.png"])
def test_a_key_is_a_name_with_or_without_suffix_or_a_path_below_the_folder(
    load: Import, stored: Stored, key: str
) -> None:
    load(f"sku,colour\n{key},Red\n")
    assert stored(4 if "14" in key else 3)["colour"] == "Red"


@pytest.mark.parametrize(
    "key", ["../shop/12.jpg", "/shop/12.jpg", "../../etc/passwd", "..\\12", "old/12", "12.png", "2"]
)
def test_other_keys_find_nothing(load: Import, key: str) -> None:
    report = load(f'sku,colour\n"{key}",Red\n')
    assert report.pictures == 0
    (row,) = report.rows_without_pictures
    assert ("reason" in row) == (".." in key or key[0] == "/")


def test_again_only_differences_are_written(load: Import, stored: Stored, shop: Store) -> None:
    load(TABLE)
    generation = shop.generation()
    again = load(TABLE)
    assert (again.unchanged, again.changed.pictures) == (2, 0)
    changes = shop.changes(generation)
    assert changes is not None
    assert len(changes.changed) == 0
    report = load("sku,colour,price\n10,Red,9\n11,,2\n12,Green,\n")
    changed = report.changed
    assert (changed.added, changed.updated, changed.removed, changed.pictures) == (2, 1, 1, 3)
    assert stored(1) == {"sku": "10", "colour": "Red", "price": 9.0}
    assert stored(2) == {"sku": "11", "price": 2.0}
    assert stored(3) == {"sku": "12", "colour": "Green"}


def test_rows_that_are_gone_are_told_and_on_demand_forgotten(load: Import, stored: Stored) -> None:
    load(TABLE)
    part = "sku,colour,price\n10,Red,1.5\n"
    assert load(part).rows_lost == 1
    assert stored(2)["colour"] == "Blue"
    report = load(part, forget=True)
    assert (report.rows_lost, report.changed.removed) == (1, 3)
    assert stored(2) == {}
    assert load(part).rows_lost == 0


def test_what_a_person_says_wins_over_every_import(load: Import, stored: Stored, shop: Store) -> None:
    load(TABLE)
    colour, price = (field_named(read_fields(shop), name) for name in ("colour", "price"))
    set_user_fact(shop, 1, colour, Value("Ruby"))
    set_user_fact(shop, 1, price, None)
    for table in (TABLE, TABLE.replace("Red", "Pink")):
        report = load(table)
        assert stored(1) == {"sku": "10", "colour": "Ruby"}
        assert report.changed.kept == 2
    remove_user_fact(shop, 1, colour)
    assert stored(1)["colour"] == "Pink"
    with pytest.raises(UnknownPicture, match="no picture has the id 77"):
        set_user_fact(shop, 77, colour, Value("Ruby"))
    with pytest.raises(fields.NoSuchField, match="'color'; the nearest is colour"):
        field_named(read_fields(shop), "color")


def test_predictions_come_last_and_keep_their_confidence(load: Import, stored: Stored, shop: Store) -> None:
    load(TABLE)
    colour = field_named(read_fields(shop), "colour")
    guess = {item: {colour.id: Value("Grey")} for item in (1, 3)}
    with shop.writing() as connection:
        put_facts(connection, guess, PREDICTED, confidences={(item, colour.id): 0.75 for item in guess})
    assert stored(1)["colour"] == "Red"
    (fact,) = shop.pictures([3])[3].facts
    assert (fact.text, fact.source, fact.confidence) == ("Grey", "predicted", 0.75)


def test_the_first_of_several_rows_counts(load: Import, stored: Stored) -> None:
    report = load("sku,colour\n10,Red\n10,Blue\n,Pink\n13,Grey\n14,Green\n")
    assert stored(1)["colour"] == "Red"
    assert stored(4)["colour"] == "Grey"
    first, second, third = report.problems
    assert first == "line 3: has the sku '10' of line 2 again; line 2 counts"
    assert second == "line 4: has no sku, which names its picture"
    assert third.startswith("line 6: its picture is that of line 5 too, since the files of '13' and '14' have the same")


def test_cells_that_do_not_fit_are_left_out(load: Import, stored: Stored) -> None:
    load(TABLE)
    report = load("sku,colour,price\n10,Red,free\n11," + "x" * 10_001 + ",3\n")
    assert stored(1) == {"sku": "10", "colour": "Red", "price": 1.5}
    assert stored(2) == {"sku": "11", "colour": "Blue", "price": 3.0}
    first, second = report.problems
    assert first == "line 2: price 'free' is no number such as 12.5; left out"
    assert "has 10,001 characters" in second


def test_another_type_reads_the_stored_values_again(load: Import, stored: Stored, shop: Store) -> None:
    load("sku,year\n10,2011\n", types={"year": "text"})
    set_user_fact(shop, 2, field_named(read_fields(shop), "year"), Value("about 2012"))
    assert stored(1)["year"] == "2011"
    load("sku,year\n10,2011\n", types={"year": "integer"})
    assert stored(1)["year"] == 2011
    assert stored(2)["year"] == "about 2012"


def test_a_field_is_removed_with_its_values(load: Import, stored: Stored, shop: Store) -> None:
    load(TABLE)
    remove_field(shop, field_named(read_fields(shop), "colour"))
    assert stored(1) == {"sku": "10", "price": 1.5}
    load(TABLE)
    assert stored(1)["colour"] == "Red"


def test_values_that_nobody_has_are_dropped(load: Import, shop: Store) -> None:
    for price in range(5):
        load(f"sku,price\n10,{price}\n")
    with shop.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(catalogue_values)) == 2


def test_ids_of_values_are_forgotten_when_they_are_many(
    load: Import, shop: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(TABLE)
    monkeypatch.setattr("data.catalogue.writes.KNOWN_VALUES", 2)
    ids = ValueIds()
    with shop.writing() as connection:
        first = ids.resolve(connection, [(1, Value(text)) for text in "abc"])
        assert ids.resolve(connection, [(1, Value("a")), (1, Value("d"))])[1, "a"] == first[1, "a"]


KILLED = """
import os, signal, sys
from data.catalogue import importing
from data.catalogue.files import open_table
from data.catalogue.matching import FileNames
from data.catalogue.profile import Wishes, map_columns, profile
from data.store import Store

importing.ROWS_AT_ONCE = 1
store = Store.open(sys.argv[1])
profiled = profile(open_table(__import__("pathlib").Path(sys.argv[2])), [], lambda done, of: None)
importer = importing.Importer(store, FileNames(store, None), "sku", map_columns(profiled, "sku", Wishes(), [], ()))
write = importer._write

def write_and_die(*batch):
    write(*batch)
    if importer.report.rows == 2:
        os.kill(os.getpid(), signal.SIGKILL)

importer._write = write_and_die
importer.run(profiled.table, lambda done, of: None)
"""


def test_a_kill_loses_no_batch_and_the_next_run_does_the_rest(
    load: Import, stored: Stored, store_url: str, tmp_path: Path
) -> None:
    table = "sku,colour\n10,Red\n11,Blue\n12,Green\n"
    (tmp_path / "killed.csv").write_text(table)
    command = [sys.executable, "-c", KILLED, store_url, str(tmp_path / "killed.csv")]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert [len(stored(item)) for item in (1, 2, 3)] == [2, 2, 0]
    report = load(table)
    assert (report.unchanged, report.changed.pictures) == (2, 1)


def test_many_rows_take_several_transactions(
    load: Import, stored: Stored, shop: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "ROWS_AT_ONCE", 1)
    load(TABLE)
    assert stored(2)["colour"] == "Blue"
    with shop.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(facts)) == 6
