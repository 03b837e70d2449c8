"""Pictures with a position get the names of places as values of the catalogue, also those indexed before."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from PIL import ExifTags, Image

from captioner.pipeline import VectorDescriber
from data.catalogue.fields import read_fields, relabel, set_user_fact
from data.catalogue.values import Value
from data.limits import DEFAULT_LIMITS
from data.metadata import gazetteer
from data.metadata.gazetteer import CITY, COUNTRY, REGION, Gazetteer, Place
from data.store import Store
from data.tables import pictures
from retrieval.indexing import places as naming
from retrieval.indexing.indexer import index
from retrieval.indexing.places import Named, name_places
from retrieval.search.collection import Collection
from retrieval.search.places import Country, Town, places
from tests.tiny_encoder import MeanColour

PRAGUE, BRNO = (50.0, 5.0, 17.0), (49.0, 11.0, 42.0)
TOWNS = (
    (Place("Brno", "South Moravia", "Czechia"), 49.195, 16.607, 380_000),
    (Place("Prague", "Prague", "Czechia"), 50.088, 14.42, 1_165_000),
)


def load() -> Gazetteer:
    return Gazetteer([town[0] for town in TOWNS], *(np.array([town[row] for town in TOWNS]) for row in (1, 2, 3)))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(naming, "load_gazetteer", load)
    monkeypatch.setattr(naming, "gazetteer_version", lambda: "towns 1")
    opened = Store.open(f"sqlite:///{tmp_path / 'library.sqlite3'}")
    yield opened
    opened.close()


def draw(folder: Path, name: str, colour: str, north: tuple[float, ...] | None, east: float = 14.42) -> None:
    exif = Image.Exif()
    if north:
        tags = ExifTags.GPS
        given = {tags.GPSLatitudeRef: "N", tags.GPSLatitude: north, tags.GPSLongitudeRef: "E", tags.GPSLongitude: east}
        given[tags.GPSLongitude] = (east, 0.0, 0.0)
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(given)
    folder.mkdir(exist_ok=True)
    Image.new("RGB", (8, 6), colour).save(folder / name, exif=exif)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    draw(folder, "a.jpg", "red", PRAGUE)
    draw(folder, "b.jpg", "green", PRAGUE)
    draw(folder, "c.jpg", "blue", BRNO, 16.607)
    draw(folder, "d.jpg", "white", None)
    return folder


def run(store: Store, folder: Path) -> Named:
    index(store, VectorDescriber(MeanColour()), [folder], DEFAULT_LIMITS)
    return name_places(store)


def named(store: Store) -> dict[str, dict[str, str]]:
    """The places of the pictures by the names of their files."""
    listed = store.pictures(range(1, 9)).values()
    return {
        Path(one.shown_paths[0]).name: {fact.field.name: fact.text for fact in one.facts} for one in listed if one.paths
    }


HERE = {CITY: "Prague", REGION: "Prague", COUNTRY: "Czechia"}
THERE = {CITY: "Brno", REGION: "South Moravia", COUNTRY: "Czechia"}


def test_places_are_named_once_counted_and_found(store: Store, photos: Path) -> None:
    assert run(store, photos) == Named(named=3)

    assert named(store) == {"a.jpg": HERE, "b.jpg": HERE, "c.jpg": THERE, "d.jpg": {}}
    assert name_places(store) == Named()
    collection = Collection(store)
    fields = {one.name: one for one in read_fields(store)}
    (country,) = places(collection.state()[0], fields)
    by_name = {path: one.id for one in store.pictures(range(1, 9)).values() for path in one.shown_paths}
    covers = {Path(path).name: number for path, number in by_name.items()}
    assert country == Country(
        "Czechia",
        3,
        [Town("Prague", "Prague", 2, country.towns[0].cover), Town("Brno", "South Moravia", 1, covers["c.jpg"])],
    )
    assert country.towns[0].cover in (covers["a.jpg"], covers["b.jpg"])
    words = {text.text for text in store.pictures([covers["c.jpg"]])[covers["c.jpg"]].texts_beside}
    assert words == {*THERE.values()}


def test_library_of_before_gets_places_by_indexing_again(store: Store, photos: Path) -> None:
    run(store, photos)
    with store.writing() as connection:  # as an older version of the program left it
        connection.execute(
            sa.update(pictures).values(metadata_version=1, latitude=None, longitude=None, gazetteer=None)
        )
        connection.execute(sa.text("DELETE FROM facts"))
    assert named(store)["a.jpg"] == {}

    assert run(store, photos) == Named(named=3)
    assert named(store)["a.jpg"] == HERE


def test_person_wins_and_labels_stay(store: Store, photos: Path) -> None:
    run(store, photos)
    fields = {one.name: one for one in read_fields(store)}
    first = min(store.pictures(range(1, 9)))
    set_user_fact(store, first, fields[CITY], Value("Vinohrady"))
    relabel(store, fields[CITY], "Stadt")
    with store.writing() as connection:
        connection.execute(sa.update(pictures).values(gazetteer="towns 0"))

    assert name_places(store) == Named(named=3)
    assert {one.name: one.label for one in read_fields(store)}[CITY] == "Stadt"
    (fact,) = [fact for fact in store.pictures([first])[first].facts if fact.field.name == CITY]
    assert (fact.text, fact.source) == ("Vinohrady", "user")


def test_edited_file_is_named_anew(store: Store, photos: Path) -> None:
    run(store, photos)
    draw(photos, "a.jpg", "red", BRNO, 16.607)
    run(store, photos)
    assert named(store)["a.jpg"] == THERE

    draw(photos, "a.jpg", "red", None)
    run(store, photos)
    assert named(store)["a.jpg"] == {}


SIDECAR = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="{north}" exif:GPSLongitude="{east}"/>
</rdf:RDF></x:xmpmeta>"""


def test_place_follows_a_sidecar_that_changes_and_goes(store: Store, photos: Path) -> None:
    sidecar = photos / "d.xmp"
    sidecar.write_text(SIDECAR.format(north="50,5.3N", east="14,25.2E"))
    run(store, photos)
    assert named(store)["d.jpg"] == HERE
    sidecar.write_text(SIDECAR.format(north="49,11.70N", east="16,36.42E"))
    assert run(store, photos) == Named(named=1)
    assert named(store)["d.jpg"] == THERE
    sidecar.unlink()
    run(store, photos)
    assert named(store)["d.jpg"] == {}
    assert naming._pending(store, "towns 1") == []


def test_without_a_gazetteer_pictures_wait(store: Store, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "gazetteer_version", lambda: None)
    assert run(store, photos) == Named(waiting=3)
    assert read_fields(store) == ()

    monkeypatch.setattr(naming, "gazetteer_version", lambda: "towns 1")
    assert name_places(store) == Named(named=3)


def test_stopped_run_goes_on(store: Store, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naming, "AT_ONCE", 1)
    index(store, VectorDescriber(MeanColour()), [photos], DEFAULT_LIMITS)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        name_places(store, stop)
    assert name_places(store) == Named(named=2)
    assert sum(bool(one) for one in named(store).values()) == 3


def test_installed_gazetteer_names_well_known_spots() -> None:
    if gazetteer.gazetteer_version() is None:
        pytest.skip("needs the extra places")
    towns = gazetteer.load_gazetteer()
    spots = {"Paris": (48.85837, 2.29448), "Prague": (50.0865, 14.4114), "Sydney": (-33.8568, 151.2153)}
    for city, (north, east) in spots.items():
        found = towns.place(gazetteer.Position(north, east))
        assert found is not None
        assert found.city == city
