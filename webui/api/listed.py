"""A picture as it stands in lists: without scores, with what it takes to show it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from flask import request, url_for

from data.store import StoredPicture

Document = dict[str, Any]
_NUMBER, _VERSION = "9876543210987654", "version-of-content"


def as_hit(picture: StoredPicture) -> Document:
    """Return a picture in the shape of a hit, without scores."""
    path, caption = next(iter(picture.shown_paths), ""), next(iter(picture.texts), "")
    hit = {"id": picture.id, "path": path, "caption": caption, "captions": picture.texts}
    return hit | shown(picture)


def shown(picture: StoredPicture) -> Document:
    """What it takes to show a picture that is listed."""
    return {"width": picture.width, "height": picture.height, "links": links(picture)}


def links(picture: StoredPicture) -> dict[str, str]:
    """Return the addresses of the picture's file and thumbnail.

    They carry the content's hash, so that a browser may keep them for good and still never shows an old picture
    when another library uses the same id.
    """
    return {name: _address(name, picture) for name in ("file", "thumbnail")}


def _address(name: str, picture: StoredPicture) -> str:
    pattern = _pattern(name, request.script_root)
    return pattern.replace(_NUMBER, str(picture.id)).replace(_VERSION, picture.digest[:16])


@lru_cache(16)
def _pattern(name: str, root: str) -> str:
    """Such an address with stand-ins for id and version: to make a page's sixty one by one takes a millisecond.

    They depend on nothing else but `root`, what a proxy puts before them.
    """
    return url_for(f"api.{name}", picture_id=int(_NUMBER), v=_VERSION)
