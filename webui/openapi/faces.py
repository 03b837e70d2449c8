"""What the API answers of faces in hits and in the query picture."""

from __future__ import annotations

from typing import Annotated, TypedDict

from retrieval.search.fields import COUNT
from webui.openapi.films import FOUND_AT

BOX = Annotated[
    list[Annotated[float, {"minimum": 0, "maximum": 1}]],
    {
        "minItems": 4,
        "maxItems": 4,
        "description": "Left, top, right and bottom, in shares of the upright picture's width and height",
    },
]


class HitFace(TypedDict):
    """The face that a search by a face found."""

    id: COUNT
    box: BOX


class ToldFace(TypedDict):
    """A face of the query picture, or the largest of each person in a query film; 1 is the largest."""

    number: COUNT
    box: BOX
    time: FOUND_AT
