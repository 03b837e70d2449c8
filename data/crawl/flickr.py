"""Flickr, by its REST API: https://www.flickr.com/services/api/"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from data.catalogue.attribution import AUTHOR, LICENCE, LICENCE_URL, PAGE, PLACE, TAGS, TITLE
from data.crawl.client import Client, CrawlError, TryAgain
from data.crawl.licences import Licence, licence_at
from data.crawl.service import ID, Candidate, Cursor, Page, place, plain

API = "https://api.flickr.com/services/rest/"
HOSTS = (".staticflickr.com",)
PER_PAGE = 250
MOST_PAGES = 4000 // PER_PAGE
"""Beyond 4,000 results Flickr repeats itself."""
SIZES = ("o", "6k", "5k", "4k", "3k", "k", "h", "l", "c", "z", "n", "m")
_EXTRAS = ("license", "owner_name", "tags", "geo", *(f"url_{size}" for size in SIZES))
_KEY_REFUSED = frozenset({"100", "98", "99"})
_BUSY = frozenset({"0", "10", "105", "106"})


class Flickr:
    """Flickr with a key; `api` is its address."""

    name, title = "flickr", "Flickr"

    def __init__(self, key: str, api: str = API) -> None:
        self._key, self._api = key, api
        self._licences: dict[str, Licence] = {}

    def search(self, client: Client, text: str, licences: Sequence[str], side: int, at: Cursor) -> Page:
        """See Service."""
        if not self._licences:
            self._licences = self._call(client, "flickr.photos.licenses.getInfo", {}, _read_licences)
        numbers = [number for number, one in self._licences.items() if one.key in licences]
        if not numbers:
            raise CrawlError("Flickr has none of these licences; give others with --license")
        page = at if isinstance(at, int) and at > 0 else 1
        fields = {
            "text": text,
            "license": ",".join(numbers),
            "media": "photos",
            "sort": "relevance",
            "safe_search": "1",
            "per_page": str(PER_PAGE),
            "page": str(page),
            "extras": ",".join(_EXTRAS),
        }
        return self._call(client, "flickr.photos.search", fields, partial(self._read_page, page, side))

    def _call(self, client: Client, method: str, fields: Mapping[str, str], read: Any) -> Any:
        form = {"method": method, "api_key": self._key, "format": "json", "nojsoncallback": "1", **fields}

        def check(document: Any, asked: float | None) -> Any:
            if not isinstance(document, dict) or document.get("stat") not in ("ok", "fail"):
                raise TryAgain("sends an answer that is not Flickr's", asked)
            if document["stat"] == "fail":
                self._fail(document, asked)
            try:
                return read(document)
            except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
                raise TryAgain("sends an answer without what was asked for", asked) from error

        return client.ask(self._api, form, check)

    def _fail(self, document: Mapping[str, Any], asked: float | None) -> None:
        code = plain(document.get("code"))
        said = plain(document.get("message"))[:200].replace(self._key, "(key)")
        if code in _KEY_REFUSED:
            raise CrawlError("Flickr refuses the key in FLICKR_API_KEY; check it at flickr.com/services/apps")
        if code in _BUSY:
            raise TryAgain(f"is busy: {said}", asked)
        raise CrawlError(f"Flickr refuses the search: {said} ({code})")

    def _read_page(self, page: int, side: int, document: Mapping[str, Any]) -> Page:
        found = document["photos"]
        photos = [one for one in found["photo"] if isinstance(one, dict) and ID.fullmatch(plain(one.get("id")))]
        last = min(int(found.get("pages") or 0), MOST_PAGES)
        return Page([self._candidate(one, side) for one in photos], page + 1 if page < last else None)

    def _candidate(self, photo: Mapping[str, Any], side: int) -> Candidate:
        number, owner = plain(photo["id"]), plain(photo.get("owner"))
        licence = self._licences.get(plain(photo.get("license")))
        facts = {
            TITLE: plain(photo.get("title")),
            AUTHOR: plain(photo.get("ownername")) or owner,
            LICENCE: licence.name if licence else "",
            LICENCE_URL: licence.url if licence else "",
            PAGE: f"https://www.flickr.com/photos/{_path_part(owner)}/{number}",
            TAGS: ", ".join(plain(photo.get("tags")).split()),
            PLACE: place(photo.get("latitude"), photo.get("longitude")),
        }
        return Candidate(number, _address(photo, side), licence, facts)


def _read_licences(document: Mapping[str, Any]) -> dict[str, Licence]:
    listed = document["licenses"]["license"]
    known = {plain(one["id"]): licence_at(plain(one.get("url"))) for one in listed}
    return {number: licence for number, licence in known.items() if licence is not None}


def _address(photo: Mapping[str, Any], side: int) -> str:
    """Return the address of the largest size of which no side is above `side`, else of the smallest."""
    sizes = []
    for name in SIZES:
        width, height = plain(photo.get(f"width_{name}")), plain(photo.get(f"height_{name}"))
        url = photo.get(f"url_{name}")
        if isinstance(url, str) and width.isdecimal() and height.isdecimal():
            sizes.append((max(int(width[:9]), int(height[:9])), url))
    fitting = [one for one in sizes if one[0] <= side]
    return max(fitting)[1] if fitting else min(sizes, default=(0, ""))[1]


def _path_part(owner: str) -> str:
    """Return an owner's id, such as 12345@N01, as it stands in addresses; Flickr also finds a picture without."""
    return owner if owner.replace("@", "").isalnum() and owner.isascii() else "-"
