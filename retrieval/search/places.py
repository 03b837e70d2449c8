"""The countries and towns where a library's pictures were taken, counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from data.catalogue.columns import NONE
from data.catalogue.values import CatalogueField
from data.facts import Facts
from data.metadata.gazetteer import CITY, COUNTRY, REGION


class Town(NamedTuple):
    """A town, its region ("" if that is not known), how many pictures are of it, and the newest one's id."""

    name: str
    region: str
    pictures: int
    cover: int


class Country(NamedTuple):
    """A country, how many pictures are of it, and its towns; those with most pictures come first."""

    name: str
    pictures: int
    towns: list[Town]


def places(facts: Facts, fields: Mapping[str, CatalogueField]) -> list[Country]:
    """Return the countries of the pictures, those with most pictures first.

    `fields` are those of the catalogue by name. Pictures without a country are left out, as are those without a town
    from the lists of towns. Raises StoreError.
    """
    columns = {name: facts.catalogue.column(fields[name]) for name in (COUNTRY, REGION, CITY) if name in fields}
    if len(columns) < 3 or any(one.values.texts is None for one in columns.values()):
        return []
    texts = {name: [*(one.values.texts or ()), ""] for name, one in columns.items()}  # the last for NONE, which is -1
    codes = np.stack([one.codes for one in columns.values()], axis=1)
    rows = np.flatnonzero(codes[:, 0] != NONE)
    rows = rows[np.argsort(facts.dates[rows], kind="stable")[::-1]]  # the newest first
    found, newest, counts = np.unique(codes[rows], axis=0, return_index=True, return_counts=True)
    towns: dict[str, list[Town]] = {}
    totals: dict[str, int] = {}
    for (country, region, city), row, count in zip(found.tolist(), newest.tolist(), counts.tolist(), strict=True):
        name = texts[COUNTRY][country]
        totals[name] = totals.get(name, 0) + count
        listed = towns.setdefault(name, [])
        if city != NONE:
            listed.append(Town(texts[CITY][city], texts[REGION][region], count, int(facts.ids[rows[row]])))
    return sorted((Country(name, totals[name], sorted(towns[name], key=_most)) for name in totals), key=_most)


def _most(one: Town | Country) -> tuple[int, str]:
    return -one.pictures, one.name.casefold()
