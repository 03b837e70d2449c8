"""Damage in a value is told and left out; `retroflex check` mends it, and never drops what a person wrote."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from data.catalogue.values import Value
from data.catalogue.writes import NewField, declare_fields, put_facts
from data.choices import Copy, read_choices, remember_choices
from data.facts import read_facts
from data.paths import to_bytes
from data.roots import read_roots, remember_root
from data.settings import Settings, load_settings
from data.soundness import count_damaged
from data.store import Store
from retrieval.commands.check import check
from retrieval.commands.library import status
from retrieval.index.files import CURRENT
from retrieval.library import Library
from retrieval.search.filters import Filters
from retrieval.search.query import Query
from tests.conftest import draw_picture
from tests.retrieval.indexing.test_indexer import FakeCaptioner, run

FIELDS = [NewField("shade", "category", "Shade"), NewField("year", "integer", "Year")]
MINE = "grandmother's garden in Köln"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path) -> Path:
    """A folder with a library and its photos, made once, and copies of both in `made`."""
    place = tmp_path_factory.mktemp("check")
    folder = place / "photos"
    folder.mkdir()
    opened = Library.open(load_settings(library=place / "library", bundle=tiny_bundle), create=True)
    remember_root(opened.store, to_bytes(folder))
    for number in (1, 2, 3):
        draw_picture(folder / f"{number}.png", "red", seed=number)
        run(opened.store, folder)
    opened.store.set_user_caption(1, MINE)
    with opened.store.writing() as connection:
        shade, year = declare_fields(connection, FIELDS).values()
        values = {shade.id: Value("Käse"), year.id: Value("2011", 2011.0)}
        put_facts(connection, dict.fromkeys((1, 2), values))
    remember_choices(opened.store, "near-1", {Copy(1): True})
    opened.searcher()
    opened.close()
    for name in ("library", "photos"):
        shutil.copytree(place / name, place / "made" / name)
    return place


@pytest.fixture
def settings(place: Path, tiny_bundle: Path) -> Settings:
    return load_settings(library=place / "library", bundle=tiny_bundle)


@pytest.fixture
def photos(place: Path) -> Path:
    """Indexed pictures 1, 2 and 3, in a new library at each test; a person captioned the first."""
    for name in ("library", "photos"):
        shutil.rmtree(place / name)
        shutil.copytree(place / "made" / name, place / name)
    return place / "photos"


def damage(settings: Settings, statement: str) -> None:
    with closing(sqlite3.connect(settings.library / "library.sqlite3", isolation_level=None)) as plain:
        plain.execute("PRAGMA ignore_check_constraints = ON")
        plain.execute("PRAGMA writable_schema = ON")
        plain.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') WHERE type = 'table'"
        )  # so that a NULL can stand where none may be
        plain.execute("PRAGMA writable_schema = RESET")
        plain.execute(statement)


def checked(settings: Settings) -> Result:
    result = CliRunner().invoke(check, ["--library", str(settings.library), "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


DATE = "UPDATE pictures SET taken_at = '2p19-05-04 10:11:12.000000' WHERE id = 2"
VALUES = [
    DATE,
    "UPDATE pictures SET taken_at = '2019-02-31 10:11:12.000000' WHERE id = 2",
    "UPDATE pictures SET taken_at = x'ff' WHERE id = 2",
    "UPDATE pictures SET added_at = 'yesterday' WHERE id = 2",
    "UPDATE pictures SET width = NULL WHERE id = 2",
    "UPDATE pictures SET height = 1099511627776 WHERE id = 2",
    "UPDATE pictures SET width = -3 WHERE id = 2",
    "UPDATE pictures SET bytes = 'many' WHERE id = 2",
    "UPDATE pictures SET format = CAST(x'50ff47' AS TEXT) WHERE id = 2",
    "UPDATE captions SET text = CAST(x'61ff62' AS TEXT) WHERE item_id = 2",
    "UPDATE captions SET text = NULL WHERE item_id = 2",
    "UPDATE captions SET logprob = 'x' WHERE item_id = 2",
    "UPDATE features SET value = x'000000' WHERE item_id = 2",
    "UPDATE features SET value = NULL WHERE item_id = 2",
    "UPDATE features SET dimensions = -1 WHERE item_id = 2",
    "UPDATE features SET model_version = CAST(x'ff' AS TEXT) WHERE item_id = 2",
    "UPDATE features SET value = x'007c007c007c' WHERE item_id = 2",
    "UPDATE files SET mtime_ns = 'now' WHERE picture_id = 2",
    "UPDATE files SET size = NULL WHERE picture_id = 2",
    "UPDATE files SET path = CAST(path AS TEXT) WHERE picture_id = 2",
    "UPDATE items SET kind = NULL WHERE id = 2",
    "INSERT INTO skipped VALUES (x'2f61', 1, 1, CAST(x'ff' AS TEXT))",
    "INSERT INTO picture_texts VALUES (2, 0, 'title', CAST(x'ff' AS TEXT))",
    "UPDATE files SET named_at = '2019-13-01 00:00:00.000000' WHERE picture_id = 2",
    "UPDATE pictures SET taken_from = x'ff' WHERE id = 2",
    "UPDATE roots SET indexed_at = '?'",
    "UPDATE facts SET value_id = 'x' WHERE item_id = 2 AND field_id = 1",
    "UPDATE facts SET source = CAST(x'ff' AS TEXT) WHERE item_id = 2 AND field_id = 1",
    "UPDATE facts SET confidence = 'sure' WHERE item_id = 2 AND field_id = 1",
    "UPDATE catalogue_values SET text = CAST(x'41ff' AS TEXT) WHERE number IS NULL",
    "UPDATE catalogue_values SET text = NULL WHERE number IS NULL",
    "UPDATE catalogue_values SET key = NULL WHERE number IS NULL",
    "UPDATE catalogue_values SET number = 'x' WHERE number IS NOT NULL",
    "UPDATE catalogue_values SET field_id = 'x' WHERE number IS NULL",
    "UPDATE catalogue_fields SET name = CAST(x'41ff' AS TEXT) WHERE id = 1",
    "UPDATE catalogue_fields SET label = NULL, is_key = 7.5 WHERE id = 1",
    "UPDATE catalogue_fields SET type = x'ff', position = 'x' WHERE id = 1",
    "UPDATE meta SET value = '12p4' WHERE key = 'generation'",
]


@pytest.mark.parametrize("statement", VALUES)
def test_damage_is_left_out_and_mended(settings: Settings, photos: Path, statement: str) -> None:
    damage(settings, statement)
    if "meta" not in statement:
        all_listings_work(settings)
    result = checked(settings)
    findings = json.loads(result.stdout)["findings"]
    assert result.exit_code == 0, findings
    assert findings
    again = Store.open(settings.url)
    run(again, photos)
    with again.reading() as connection:
        assert count_damaged(connection) == 0
    assert again.status().pictures == 3
    described = list(again.searched_pictures([1, 2, 3]))
    assert [(len(one.captions), set(one.vectors)) for one in described] == [(2, {"vgg16"}), *[(1, {"vgg16"})] * 2]
    assert again.pictures([1])[1].texts[0] == MINE
    assert read_choices(again)[Copy(1)].keep
    again.close()
    assert json.loads(checked(settings).stdout)["findings"] == []


def all_listings_work(settings: Settings) -> None:
    opened = Library.open(settings)
    store = opened.store
    assert store.pictures([1, 2, 3]).keys() >= {1, 3}
    assert {1, 3} <= set(read_facts(store).ids.tolist())
    assert {one.id for one in store.searched_pictures([1, 2, 3])} >= {1, 3}
    assert len(store.stored_files()) >= 2
    of_catalogue = opened.collection.fields()
    assert opened.collection.facets(Filters(of_catalogue)).total >= 2
    for field in opened.collection.catalogue():
        for order in field.orders:
            assert len(opened.collection.browse(Filters(of_catalogue), order.name)) >= 2
    assert {1, 3} <= {hit.id for hit in opened.search(Query("a tone"), distant=True).hits} | {1, 3}
    store.status()
    store.skipped_files()
    read_roots(store)
    opened.close()
    told = CliRunner().invoke(status, ["--library", str(settings.library), "--json"])
    assert told.exit_code == 0
    assert json.loads(told.stdout)["damaged"] in (0, 1)


def test_a_sound_library_has_no_problem(settings: Settings, photos: Path) -> None:
    inner = photos / "holiday" / "garden"
    inner.mkdir(parents=True)
    draw_picture(inner / "summer.png", "green", seed=9)
    opened = Library.open(settings)
    run(opened.store, photos)
    (settings.index_dir / CURRENT).unlink()  # so that the index is one whole segment
    opened.searcher()
    opened.close()
    result = checked(settings)
    assert (result.exit_code, json.loads(result.output)["findings"]) == (0, [])


def test_status_says_where_bleu_finds_candidates(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pymilvus")
    monkeypatch.setenv("RETROFLEX_VECTORS", "milvus://127.0.0.1:1")
    arguments = ["--library", str(settings.library)]
    assert "BLEU" not in CliRunner().invoke(status, arguments).stdout
    monkeypatch.setenv("RETROFLEX_BLEU_CANDIDATES", "milvus")
    told = CliRunner().invoke(status, arguments).stdout
    assert "BLEU       finds candidates in the search index" in told
    assert "milvus://127.0.0.1:1 cannot be reached" in told
    assert json.loads(CliRunner().invoke(status, [*arguments, "--json"]).stdout)["bleu"] in told


def test_status_counts_what_is_damaged(settings: Settings, photos: Path) -> None:
    damage(settings, DATE)
    told = CliRunner().invoke(status, ["--library", str(settings.library)])
    assert "retroflex check" in told.stdout
    assert json.loads(CliRunner().invoke(status, ["--library", str(settings.library), "--json"]).stdout)["damaged"] == 1


def test_it_is_logged_once(settings: Settings, photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    damage(settings, "UPDATE pictures SET width = NULL WHERE id = 3")
    store = Store.open(settings.url)
    for _ in range(3):
        assert list(store.pictures([1, 3])) == [1]
    assert sum("pictures (3)" in line for line in caplog.messages) <= 1
    store.close()


@pytest.mark.parametrize(
    ("stored", "read"),
    [("x'6d79ff646f67'", "my\ufffddog"), ("'my' || char(0) || 'dog'", "my")],
)
def test_of_a_persons_caption_what_can_be_read_is_kept(
    settings: Settings, photos: Path, stored: str, read: str
) -> None:
    damage(settings, f"UPDATE captions SET text = CAST({stored} AS TEXT) WHERE source = 'user'")
    assert checked(settings).exit_code == 0
    store = Store.open(settings.url)
    assert store.pictures([1])[1].texts[0].startswith(read)
    store.close()


def test_what_cannot_be_mended_is_kept_and_told_by_the_exit_status(settings: Settings, photos: Path) -> None:
    damage(settings, "UPDATE choices SET keep = 7")
    damage(settings, "UPDATE roots SET exclude = '[\"*.tm'")
    result = checked(settings)
    assert (result.exit_code, json.loads(result.stdout)["cannot_be_mended"]) == (1, 2)
    assert checked(settings).exit_code == 1


def test_a_damaged_picture_without_its_file_keeps_its_caption(settings: Settings, photos: Path) -> None:
    (photos / "1.png").unlink()
    damage(settings, "UPDATE pictures SET width = NULL, taken_at = 'x' WHERE id = 1")
    assert checked(settings).exit_code == 1
    with closing(sqlite3.connect(settings.library / "library.sqlite3")) as plain:
        assert plain.execute("SELECT text FROM captions WHERE source = 'user'").fetchall() == [(MINE,)]


def test_facts_are_read_again_from_the_file(settings: Settings, photos: Path) -> None:
    damage(settings, "UPDATE pictures SET width = NULL, height = 'x', bytes = -1, format = NULL WHERE id = 2")
    assert "read again from its file" in checked(settings).stdout
    store = Store.open(settings.url)
    picture = store.pictures([2])[2]
    size = (photos / "2.png").stat().st_size
    assert (picture.width, picture.height, picture.bytes, picture.format) == (120, 80, size, "PNG")
    store.close()


def test_an_odd_vector_is_described_again(settings: Settings, photos: Path) -> None:
    value = np.array([60000, 1, 1], "<f2").tobytes().hex()
    damage(settings, f"UPDATE features SET value = x'{value}' WHERE item_id = 3")
    (finding,) = json.loads(checked(settings).stdout)["findings"]
    assert finding["problem"] == "the vector of vgg16 of picture 3 is damaged"
    store = Store.open(settings.url)
    captioner = FakeCaptioner()
    run(store, photos, captioner)
    assert captioner.seen == 1
    store.close()


def test_a_damaged_search_index_is_built_again(settings: Settings, photos: Path) -> None:
    (segment,) = (settings.library / "index").glob("segment-*")
    array = segment / "vectors_vgg16.npy"
    content = bytearray(array.read_bytes())
    content[-3] ^= 0x40
    array.write_bytes(content)
    findings = json.loads(checked(settings).stdout)["findings"]
    assert [finding["mended"] for finding in findings] == ["built again"]
    assert json.loads(checked(settings).stdout)["findings"] == []


def test_other_files_of_the_library_are_checked(settings: Settings, photos: Path) -> None:
    thumbnail = settings.thumbnail_dir / "ab" / "abc.webp"
    thumbnail.parent.mkdir(parents=True)
    thumbnail.write_bytes(b"RIFF\x10\x00\x00\x00WEBP")
    (settings.library / "copies.npz").write_bytes(b"PK")
    (settings.library / "access.json").write_text("{")
    (photos / "3.png").unlink()
    document = json.loads(checked(settings).stdout)
    assert {Path(one["problem"].split()[0]).name: one["mended"] is None for one in document["findings"]} == {
        "abc.webp": False,
        "copies.npz": False,
        "access.json": True,
    }
    assert document["missing_files"] == 1
    assert not thumbnail.exists()


def test_broken_pages_are_told(settings: Settings, photos: Path) -> None:
    file = settings.library / "library.sqlite3"
    with closing(sqlite3.connect(file)) as plain:
        plain.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = plain.execute("SELECT rootpage FROM sqlite_master WHERE name = 'items_by_parent'").fetchone()
    content = bytearray(file.read_bytes())
    content[(page - 1) * 4096 + 8 : page * 4096] = b"\0" * (4096 - 8)
    file.write_bytes(content)
    result = CliRunner().invoke(check, ["--library", str(settings.library)])
    assert "the database file is damaged" in result.output
    assert result.exit_code in (0, 1)
