"""Wikimedia Commons, by MediaWiki's API: https://www.mediawiki.org/wiki/API:Imageinfo"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from data.catalogue.attribution import AUTHOR, LICENCE, LICENCE_URL, PAGE, PLACE, TAGS, TITLE
from data.crawl.client import Client, CrawlError, TryAgain
from data.crawl.licences import Licence, licence_at
from data.crawl.service import ID, Candidate, Cursor, Page, place, plain, without_html

API = "https://commons.wikimedia.org/w/api.php"
HOSTS = ("upload.wikimedia.org",)
PER_PAGE = 50
MOST_RESULTS = 10_000
WIDTHS = (250, 330, 500, 960, 1280, 1920, 3840)
"""The widths in pixels that Wikimedia keeps ready: https://www.mediawiki.org/wiki/Common_thumbnail_sizes"""
_FACTS = ("Artist", "LicenseUrl", "License", "ObjectName", "Categories", "GPSLatitude", "GPSLongitude")
_BUSY = frozenset({"maxlag", "ratelimited", "readonly", "internal_api_error_DBQueryError"})
_BY_CODE = {"cc0": "https://creativecommons.org/publicdomain/zero/1.0/"}


class Commons:
    """Wikimedia Commons; `api` is its address."""

    name, title = "commons", "Wikimedia Commons"

    def __init__(self, api: str = API) -> None:
        self._api = api

    def search(self, client: Client, text: str, licences: Sequence[str], side: int, at: Cursor) -> Page:
        """See Service. The search itself does not know licences."""
        form = {
            "action": "query",
            "format": "json",
            "formatversion": "2",
            "maxlag": "5",
            "generator": "search",
            "gsrsearch": f"{text} filetype:bitmap",
            "gsrnamespace": "6",
            "gsrlimit": str(PER_PAGE),
            "prop": "imageinfo",
            "iiprop": "url|size|extmetadata",
            "iiurlwidth": str(max((one for one in WIDTHS if one <= side), default=WIDTHS[0])),
            "iiextmetadatafilter": "|".join(_FACTS),
        }
        further = {str(name): plain(value) for name, value in at.items()} if isinstance(at, dict) else {}
        return client.ask(self._api, form | further, partial(_read, side))


def _read(side: int, document: Any, asked: float | None) -> Page:
    if not isinstance(document, dict):
        raise TryAgain("sends an answer that is not MediaWiki's", asked)
    error = document.get("error")
    if isinstance(error, dict):
        said = plain(error.get("info"))[:200]
        if error.get("code") in _BUSY:
            raise TryAgain(f"is busy: {said}", asked)
        raise CrawlError(f"Wikimedia Commons refuses the search: {said}")
    try:
        pages = document.get("query", {}).get("pages", [])
        pages = [one for one in pages if one.get("imageinfo") and ID.fullmatch(plain(one.get("pageid")))]
        pages.sort(key=lambda one: int(one.get("index", 0)))
        return Page([_candidate(one, one["imageinfo"][0], side) for one in pages], _following(document.get("continue")))
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as problem:
        raise TryAgain("sends an answer without what was asked for", asked) from problem


def _following(further: Any) -> Cursor:
    """Return where the next page begins; the search has no results after MOST_RESULTS."""
    if not isinstance(further, dict):
        return None
    offset = plain(further.get("gsroffset", 0))
    return further if offset.isdecimal() and int(offset[:9]) < MOST_RESULTS else None


def _candidate(page: Mapping[str, Any], info: Mapping[str, Any], side: int) -> Candidate:
    said = {name: one.get("value") for name, one in info.get("extmetadata", {}).items() if isinstance(one, dict)}
    licence = _licence(said)
    categories = plain(said.get("Categories")).split("|")
    facts = {
        TITLE: without_html(said.get("ObjectName")) or plain(page.get("title")).removeprefix("File:"),
        AUTHOR: without_html(said.get("Artist")),
        LICENCE: licence.name if licence else "",
        LICENCE_URL: licence.url if licence else "",
        PAGE: f"https://commons.wikimedia.org/?curid={page['pageid']}",
        TAGS: ", ".join(one.strip() for one in categories if one.strip()),
        PLACE: place(said.get("GPSLatitude"), said.get("GPSLongitude")),
    }
    small = max(int(info["width"]), int(info["height"])) <= side
    url = info.get("url") if small else info.get("thumburl") or info.get("url")
    return Candidate(plain(page["pageid"]), url if isinstance(url, str) else "", licence, facts)


def _licence(said: Mapping[str, Any]) -> Licence | None:
    """Return the licence whose text is linked; files under CC0 often have its name only."""
    return licence_at(plain(said.get("LicenseUrl"))) or licence_at(_BY_CODE.get(plain(said.get("License")), ""))
