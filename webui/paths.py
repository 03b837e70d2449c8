"""The part of an address that names a picture, and the picture that it names."""

from __future__ import annotations

from data.store import StoredPicture
from webui.asked import no_picture
from webui.services import services

PICTURE = f"/pictures/<int(max={2**63 - 1}):picture_id>"


def find_picture(picture_id: int) -> StoredPicture:
    """Return the picture of this id. Raises Problem 404."""
    found = services().library.picture(picture_id)
    if found is None:
        raise no_picture(picture_id)
    return found
