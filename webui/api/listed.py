"""A picture as it stands in lists: without scores, with what it takes to show it."""

from __future__ import annotations

from typing import Any

from flask import url_for

from data.store import StoredPicture

Document = dict[str, Any]


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
    version = picture.digest[:16]
    return {
        "file": url_for("api.file", picture_id=picture.id, v=version),
        "thumbnail": url_for("api.thumbnail", picture_id=picture.id, v=version),
    }
