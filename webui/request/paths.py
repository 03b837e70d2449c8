"""The part of an address that names a picture, and the picture that it names."""

from __future__ import annotations

from werkzeug.routing import IntegerConverter, Map

from data.store import StoredPicture
from webui.request.asked import LONGEST_ID, no_picture
from webui.services import services

PICTURE = "/pictures/<id:picture_id>"


class PictureId(IntegerConverter):
    """A whole number that a database may use as an id.

    A longer one is no such address at all; with `int(max=...)` it would be one that takes other methods only.
    """

    regex = rf"\d{{1,{LONGEST_ID}}}"

    def __init__(self, map: Map) -> None:
        super().__init__(map, max=10**LONGEST_ID - 1)


def find_picture(picture_id: int) -> StoredPicture:
    """Return the picture of this id. Raises Problem 404."""
    found = services().library.picture(picture_id)
    if found is None:
        raise no_picture(picture_id)
    return found
