from __future__ import annotations

from pathlib import Path

import pytest

from data.catalogue.files import open_table
from data.catalogue.profile import TableProfile, Wishes, map_columns, profile, renamed
from data.catalogue.values import CatalogueField
from data.errors import RetroflexError

ROWS = {
    "sku": [f"{number:03}" for number in range(60)],
    "year": [str(2000 + number % 3) for number in range(60)],
    "price": ["", *(f"{number}.5" for number in range(59))],
    "sale": ["yes", "No"] * 30,
    "since": ["2024-01-31"] * 60,
    "colour": ["red", "blue", "green"] * 20,
    "title": [f"thing number {number}" for number in range(60)],
    "note": ["x" * 101] * 60,
    "nothing": [""] * 60,
}


@pytest.fixture
def profiled(tmp_path: Path) -> TableProfile:
    path = tmp_path / "t.csv"
    path.write_text("\n".join(map(",".join, [[*ROWS], *map(list, zip(*ROWS.values(), strict=True))])))
    return profile(open_table(path), [], lambda done, of: None)


def test_types_are_guessed_from_all_rows(profiled: TableProfile) -> None:
    assert {name: column.type for name, column in profiled.columns.items()} == {
        "sku": "text",
        "year": "integer",
        "price": "decimal",
        "sale": "boolean",
        "since": "date",
        "colour": "category",
        "title": "text",
        "note": "text",
        "nothing": "text",
    }
    assert profiled.rows == 60
    price = profiled.columns["price"]
    assert (price.filled, price.empty, price.examples) == (59, 1, ["0.5", "1.5", "2.5"])


def test_a_number_of_a_thousand_that_is_none_makes_a_text(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{number},{number}\n" for number in range(2000)) + "x,1\n")
    columns = profile(open_table(tmp_path / "t.csv"), [], lambda done, of: None).columns
    assert [column.type for column in columns.values()] == ["text", "integer"]


def test_columns_become_fields_as_wished(profiled: TableProfile) -> None:
    wishes = Wishes({"year": "category"}, {"sale": "On sale"}, {"since": "added"}, ["note"])
    fields = map_columns(profiled, "sku", wishes, [], {"title"})
    assert "note" not in fields
    assert fields["sku"] == ("sku", "text", "Sku", True)
    assert fields["year"] == ("year", "category", "Year", False)
    assert fields["sale"].label == "On sale"
    assert fields["since"].name == "added"
    assert fields["title"].name == "catalogue_title"
    assert [*renamed(fields, wishes)] == [
        "every picture has title already, so the column title becomes the field catalogue_title; "
        "--rename title=NAME chooses another name"
    ]


def test_a_stored_field_keeps_its_type_and_label(profiled: TableProfile) -> None:
    stored = [CatalogueField(1, "year", "text", "Season's year", 1, False)]
    assert map_columns(profiled, "sku", Wishes(), stored, ())["year"] == ("year", "text", "Season's year", False)
    assert map_columns(profiled, "sku", Wishes({"year": "integer"}), stored, ())["year"].type == "integer"


@pytest.mark.parametrize(
    ("key", "wishes", "message"),
    [
        ("Sku", Wishes(), r"t\.csv has no column 'Sku'; the nearest is sku \(of sku, year, "),
        ("skus", Wishes(), "the nearest is sku"),
        ("sku", Wishes({"yaer": "text"}), "no column 'yaer'; the nearest is year"),
        ("sku", Wishes(skip=["sku"]), "is the key; it cannot be skipped"),
        ("sku", Wishes(names={"sku": "year"}), "columns sku and year would both become the field year"),
        ("sku", Wishes(names={"sku": "width"}), "every picture has width already"),
        ("sku", Wishes(names={"sku": "a=b"}), "cannot be the name of a field"),
        ("sku", Wishes(names={"sku": "x" * 65}), "cannot be the name of a field"),
        ("sku", Wishes(names={"sku": "year.from"}), r"not ending with \.from"),
    ],
)
def test_wishes_that_cannot_be_met(profiled: TableProfile, key: str, wishes: Wishes, message: str) -> None:
    with pytest.raises(RetroflexError, match=message):
        map_columns(profiled, key, wishes, [], {"width"})
