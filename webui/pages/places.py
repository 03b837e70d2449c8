"""The page of places: where pictures were taken, by the names of countries and towns."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, url_for

from data.metadata.gazetteer import CITY, COUNTRY, REGION
from retrieval.search.catalogue import PREFIX
from retrieval.search.places import Town, places
from webui.api.answers import Document, links_at
from webui.request.filters import catalogue
from webui.request.parameters import takes
from webui.services import services

places_page = Blueprint("places_page", __name__)


@places_page.get("/places")
@takes()
def show() -> str:
    """All countries, each with its towns and a picture of each town."""
    library = services().library
    found = places(library.collection.state()[0], {one.of.name: one.of for one in catalogue()})
    covers = library.store.pictures([town.cover for country in found for town in country.towns])
    thumbnails = {number: links_at(picture, None)["thumbnail"] for number, picture in covers.items()}
    countries = [
        {
            "name": country.name,
            "pictures": country.pictures,
            "address": place_address(country.name),
            "towns": [_town(country.name, town, thumbnails.get(town.cover)) for town in country.towns],
        }
        for country in found
    ]
    return render_template("places.html", countries=countries)


def place_address(country: str, region: str = "", city: str = "") -> str:
    """Return the address of the pictures of a country, or of one of its regions or towns."""
    parts = {COUNTRY: country, REGION: region, CITY: city}
    given: dict[str, Any] = {PREFIX + name: text for name, text in parts.items() if text}
    return url_for("pages.by_words", **given)


def place_of(document: Document) -> list[tuple[str, str]]:
    """Return the town, region and country of a picture, each with the address of more pictures of it."""
    told = {one["name"]: str(one["value"]) for one in document["fields"]}
    country, region, city = (told.get(name, "") for name in (COUNTRY, REGION, CITY))
    parts = [(city, (country, region, city)), (region, (country, region)), (country, (country,))]
    listed = {name: place_address(*address) for name, address in reversed(parts) if name and country}
    return list(reversed(listed.items()))


def _town(country: str, town: Town, thumbnail: str | None) -> Document:
    address = place_address(country, town.region, town.name)
    return town._asdict() | {"address": address, "thumbnail": thumbnail}
