"""Where files say that they were taken: read, refused where it cannot be, and named by the nearest town."""

from __future__ import annotations

import io
import math
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from data.metadata.embedded import Metadata, read_metadata
from data.metadata.films import read_film_metadata
from data.metadata.gazetteer import EARTH, FARTHEST, Gazetteer, Place
from data.metadata.positions import believed, xmp_position
from data.metadata.sidecars import sidecars_of, with_sidecars
from data.pictures import open_header
from data.records import Position

G = ExifTags.GPS
NOW = datetime(2026, 11, 29)
PARIS = {
    G.GPSLatitudeRef: "N",
    G.GPSLatitude: (48.0, 51.0, 30.2),
    G.GPSLongitudeRef: "E",
    G.GPSLongitude: (2.0, 17.0, 40.2),
}


def taken_at(gps: dict[int, Any], picture_format: str = "JPEG") -> bytes:
    """A picture file with this GPS block."""
    block = Image.Exif()
    block.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    content = io.BytesIO()
    Image.new("RGB", (8, 6)).save(content, picture_format, exif=block.tobytes())
    return content.getvalue()


def read(content: bytes) -> Metadata:
    return read_metadata(open_header(content), content, NOW)


@pytest.mark.parametrize("picture_format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_position_is_read(picture_format: str) -> None:
    found = read(taken_at(PARIS, picture_format)).position

    assert found == pytest.approx((48.858389, 2.294500), abs=1e-6)
    assert Metadata.from_json([None, None, [], list(found or ())]).position == found


def test_south_and_west_are_negative() -> None:
    found = read(taken_at(PARIS | {G.GPSLatitudeRef: "S", G.GPSLongitudeRef: "W"})).position

    assert found == pytest.approx((-48.858389, -2.294500), abs=1e-6)


@pytest.mark.parametrize(
    "wrong",
    [
        {G.GPSLatitude: (0.0, 0.0, 0.0), G.GPSLongitude: (0.0, 0.0, 0.0)},
        {G.GPSLatitude: (91.0, 0.0, 0.0)},
        {G.GPSLongitude: (180.0, 30.0, 0.0)},
        {G.GPSLatitude: (48.0, 99.0, 0.0)},
        {G.GPSLatitudeRef: "X"},
        {G.GPSLatitudeRef: ""},
    ],
)
def test_impossible_position_is_not_believed(wrong: dict[int, Any]) -> None:
    assert read(taken_at(PARIS | wrong)) == Metadata()


def test_half_a_position_is_none() -> None:
    assert read(taken_at({tag: PARIS[tag] for tag in (G.GPSLatitude, G.GPSLatitudeRef)})) == Metadata()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("+48.8577+002.2950+035.0/", (48.8577, 2.295)),
        ("-33.8568+151.2153/", (-33.8568, 151.2153)),
        ("+00.0000+000.0000/", None),
        ("+4851.5+00217.7/", None),
        ("Paris", None),
    ],
)
def test_position_of_a_film(said: str, expected: tuple[float, float] | None) -> None:
    assert read_film_metadata({"com.apple.quicktime.location.ISO6709": said}, NOW)[0].position == expected


@pytest.mark.parametrize(
    ("latitude", "longitude", "expected"),
    [
        ("48,51.503N", "2,17.67E", (48.858383, 2.2945)),
        ("33,51,24S", "151,12,55E", (-33.856667, 151.215278)),
        ("48,51.503N", "", None),
        ("48,51.503E", "2,17.67N", None),
        ("0,0.0N", "0,0.0E", None),
        ("48,99.0N", "2,17.67E", None),
        ("48.86", "2.29", None),
    ],
)
def test_position_of_xmp(latitude: str, longitude: str, expected: tuple[float, float] | None) -> None:
    found = xmp_position(latitude, longitude)
    assert found == (expected and pytest.approx(expected, abs=1e-5))


XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="50,5.2N">
<exif:GPSLongitude>14,25.2E</exif:GPSLongitude></rdf:Description></rdf:RDF></x:xmpmeta>"""


def test_a_sidecar_puts_the_position_right_and_exif_is_before_xmp_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.jpg.xmp").write_text(XMP)
    own, prague = read(taken_at(PARIS)), pytest.approx((50.086667, 14.42), abs=1e-5)
    metadata, notes = with_sidecars(own, sidecars_of(tmp_path / "a.jpg"), NOW)
    assert (metadata.position, notes) == (prague, ())

    both, alone = io.BytesIO(), io.BytesIO()
    with Image.open(io.BytesIO(taken_at(PARIS))) as image:
        image.save(both, "JPEG", exif=image.info["exif"], xmp=XMP.encode())
    Image.new("RGB", (8, 6)).save(alone, "JPEG", xmp=XMP.encode())
    assert read(both.getvalue()).position == own.position
    assert read(alone.getvalue()).position == prague


TOWNS = [
    (Place("Harbour", "North", "Fictia"), 10.0, 179.9, 2_000),
    (Place("Old Quarter", "Middle", "Fictia"), 50.01, 14.4, 6_000),
    (Place("Great City", "Middle", "Fictia"), 50.0, 14.4, 1_200_000),
    (Place("Over the River", "East", "Fictia"), 50.03, 14.42, 3_000),
    (Place("Pole Station", "", "Nowhere"), 89.0, 0.0, 1_000),
]


def gazetteer(towns: list[tuple[Place, float, float, int]]) -> Gazetteer:
    listed = sorted(towns, key=lambda town: town[1])
    columns = (np.array([town[index] for town in listed], float) for index in (1, 2, 3))
    return Gazetteer([town[0] for town in listed], *columns)


@pytest.mark.parametrize(
    ("position", "city"),
    [
        ((50.011, 14.401), "Great City"),
        ((50.031, 14.421), "Over the River"),
        ((50.3, 14.4), "Over the River"),
        ((10.0, -179.9), "Harbour"),
        ((89.5, 180.0), "Pole Station"),
        ((0.0, 0.1), None),
    ],
)
def test_place_is_named(position: tuple[float, float], city: str | None) -> None:
    found = gazetteer(TOWNS).place(Position(*position))

    assert (found and found.city) == city


def test_nearest_town_is_that_of_a_plain_search() -> None:
    random = np.random.default_rng(5)
    degrees = np.stack([random.uniform(-90, 90, 1500), random.uniform(-180, 180, 1500)], axis=1)
    towns = gazetteer([(Place(str(row), "", ""), *own, 0) for row, own in enumerate(degrees.tolist())])
    for north, east in np.stack([random.uniform(-90, 90, 80), random.uniform(-180, 180, 80)], axis=1).tolist():
        kilometres = [haversine(north, east, *own) for own in degrees.tolist()]
        nearest = int(np.argmin(kilometres))
        found = towns.place(Position(north, east))
        assert (found.city if found else None) == (str(nearest) if kilometres[nearest] <= FARTHEST else None)


def haversine(north: float, east: float, other_north: float, other_east: float) -> float:
    a, b, c, d = map(math.radians, (north, east, other_north, other_east))
    return (
        2
        * EARTH
        * math.asin(math.sqrt(math.sin((c - a) / 2) ** 2 + math.cos(a) * math.cos(c) * math.sin((d - b) / 2) ** 2))
    )


def test_nowhere_is_no_position() -> None:
    assert believed(0.0, 0.0) is None
    assert believed(math.nan, 5.0) is None
    assert believed(0.0, 5.0) == Position(0.0, 5.0)
